"""Rules of the user's own: named in the settings, asked last, and heeded only where they narrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import wraps
from importlib import import_module
from json import dumps
from typing import Any

from orion_nb.clock import SECOND
from orion_nb.errors import InvalidInput
from orion_nb.rules.core import Judge, Phase, Policy, Rule, Transition
from orion_nb.schemas.reports import Abort, Note, Reject, Verdict, Wait
from orion_nb.schemas.states import NAMES, SCHEDULED, State

#: A wait that names no time is this long (seconds).
LOOK_AGAIN = 1.0

#: No rule of the user's own makes a run wait for longer (seconds).
LONGEST_WAIT = 366 * 24 * 3600


def with_user_rules(policy: Policy, rules: Iterable[Rule]) -> Policy:
    """The policy with these rules of the user's own at its end.

    They can hold up a run that is to start, or have it enter another state; they can't let through
    what another rule refuses, since that one was asked before, nor hold up a run that ends. One
    that raises, or answers what it may not, passes; the report says so. One of the same name takes
    the place of one that was there before.

    Raises:
        InvalidInput: a rule is of another phase, has no sentence, or a built-in one's name.
    """
    told = list(policy)
    for rule in rules:
        _check(rule, {each.name for each in told if each.phase is not Phase.USER})
        told = [each for each in told if each.name != rule.name]
        told.append(replace(rule, judge=_guarded(rule.judge)))
    return tuple(told)


def load_rules(names: str | Iterable[str]) -> tuple[Rule, ...]:
    """The rules of these names, each `package.module:rule`; a text may have several, by commas.

    Raises:
        InvalidInput: a module can't be imported, has no such rule, or what it has is none.
    """
    texts = [names] if isinstance(names, str) else names
    wanted = [name.strip() for text in texts for name in text.split(",")]
    return tuple(_load(name) for name in dict.fromkeys(wanted) if name)


def _load(name: str) -> Rule:
    module_name, colon, rule_name = name.partition(":")
    if not colon or not module_name or not rule_name.isidentifier():
        raise _wrong(f"{name!r} is no name of a rule; write package.module:rule")
    try:
        module = import_module(module_name)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise _wrong(f"{name!r}: module {module_name!r} can't be imported: {told}") from error
    found = getattr(module, rule_name, None)
    if found is None:
        raise _wrong(f"{name!r}: module {module_name!r} has no {rule_name!r}")
    if not isinstance(found, Rule):
        raise _wrong(f"{name!r} is no rule; decorate it with `@orion_nb.rules.rule()`")
    return found


def _check(rule: Rule, taken: set[str]) -> None:
    if not isinstance(rule, Rule):
        raise _wrong(f"{rule!r} is no rule; decorate it with `@orion_nb.rules.rule()`")
    if rule.phase is not Phase.USER:
        says = f"rule {rule.name!r} is of phase {rule.phase.name}; rules of your own are of USER"
        raise _wrong(says)
    if rule.name in taken:
        raise _wrong(f"{rule.name!r} is a built-in rule; give yours another name")
    if not rule.says:
        raise _wrong(f"rule {rule.name!r} has no docstring; its first line is shown in reports")


def _wrong(says: str) -> InvalidInput:
    return InvalidInput(f"rules: {says}", field="rules")


def _guarded(judge: Judge) -> Judge:
    @wraps(judge)
    def guarded(t: Transition) -> Verdict | None:
        try:
            verdict = judge(t)
            return None if verdict is None else _narrowed(t, verdict)
        except Exception as error:
            return Note(f"it raised {_told(error)}; it was not heeded")

    return guarded


def _narrowed(t: Transition, verdict: object) -> Verdict:
    """The verdict if it may be heeded, else a note that says why it was not."""
    if trouble := _trouble(t, verdict):
        return Note(f"it answered {trouble}; it was not heeded")
    ends = t.proposed.is_terminal or (t.instead_of is not None and t.instead_of.is_terminal)
    match verdict:
        case Reject(state=State() as other):
            return _replaced(t, verdict, other, ends)
        case Wait() | Abort() | Reject() if ends:
            return _unheeded(verdict, "a run that ends is not held up")
        case Wait(until=None, after=None):
            return replace(verdict, after=LOOK_AGAIN, cancels=())
        case Wait():
            return replace(verdict, cancels=())
        case Abort():
            return replace(verdict, fenced=False)
    assert isinstance(verdict, Note | Reject)
    return verdict


def _replaced(t: Transition, reject: Reject, other: State, ends: bool) -> Verdict:
    if t.instead_of is not None:
        return _unheeded(reject, f"{t.proposed.name} is entered instead already")
    if ends and not (other.is_terminal or other.type is SCHEDULED):
        return _unheeded(reject, f"a run that ends can't become {other.name}")
    return reject


def _unheeded(verdict: Reject | Wait | Abort, why: str) -> Note:
    return Note(f"{verdict.reason} (not heeded: {why})", facts=verdict.facts)


def _trouble(t: Transition, verdict: object) -> str | None:
    """What is wrong with what a rule has answered; None if nothing is."""
    if not isinstance(verdict, Reject | Wait | Abort | Note):
        return f"{_brief(verdict)}, which is no verdict"
    if not isinstance(verdict.reason, str) or not verdict.reason:
        return f"a {type(verdict).__name__} whose reason is {_brief(verdict.reason)}"
    if not isinstance(verdict.facts, Mapping) or not _is_plain(verdict.facts):
        return f"a {type(verdict).__name__} whose facts are {_brief(verdict.facts)}"
    if isinstance(verdict, Wait):
        return _trouble_of_wait(t, verdict)
    given: Any = getattr(verdict, "state", None)
    if given is not None and not _is_state(given):
        kind = f" of the type {_brief(given.type)}" if isinstance(given, State) else ""
        return f"a Reject whose state is {_brief(given)}{kind}"
    mark: Any = getattr(verdict, "mark", None)
    if mark is not None and not isinstance(mark, str):
        return f"a Note whose mark is {_brief(mark)}"
    return None


def _is_plain(facts: Mapping[str, Any]) -> bool:
    """They can be stored."""
    try:
        return bool(dumps(dict(facts), default=str))
    except Exception:
        return False


def _is_state(value: object) -> bool:
    return isinstance(value, State) and value.name in NAMES.get(value.type, ())


def _trouble_of_wait(t: Transition, wait: Wait) -> str | None:
    until, after = wait.until, wait.after
    if until is not None and (type(until) is not int or until > t.now + LONGEST_WAIT * SECOND):
        return f"a Wait until {_brief(until)}, which is no moment (microseconds) within a year"
    if after is not None and (type(after) not in (int, float) or not after <= LONGEST_WAIT):
        return f"a Wait after {_brief(after)}, which is no number of seconds within a year"
    return None


def _told(error: Exception) -> str:
    try:
        said = str(error)
    except Exception:
        said = "(its text can't be shown)"
    return f"{type(error).__name__}: {said}"[:300] if said else type(error).__name__


def _brief(value: Any) -> str:
    try:
        told = repr(value)
    except Exception:
        told = f"a {type(value).__name__}"
    return told if len(told) <= 60 else told[:57] + "..."
