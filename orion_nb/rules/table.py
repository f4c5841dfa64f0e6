"""What the rules answer to every pair of states, in the contexts that matter: computed by asking.

Documentation, the command line and tests all read the truth table here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orion_nb.clock import SECOND
from orion_nb.rules.core import Other, Place, Policy, Transition, enters, evaluate
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Kind, Run
from orion_nb.schemas.states import (
    CANCELLING,
    COMPLETED,
    FAILED,
    PAUSED,
    PENDING,
    RUNNING,
    SCHEDULED,
    State,
    StateType,
    state,
)
from orion_nb.schemas.values import evolve, frozen

NOW = 1_000_000 * SECOND
KINDS: tuple[Kind, ...] = ("flow", "task")

#: What stands in a cell, and what it means; the name of a state is one that is entered instead.
LEGEND: tuple[tuple[str, str], ...] = (
    ("✔", "entered as proposed"),
    ("State", "this state is entered instead"),
    ("–", "nothing is entered, the run stays as it is"),
    ("…", "nothing is entered, wait and propose again"),
    ("✖", "nothing is entered, stop"),
)

Change = Callable[[Transition], Transition]
Reports = Mapping[StateType, Mapping[StateType, Report]]


@frozen
class Context:
    """The circumstances of a proposal, as a change to the plain ones."""

    name: str
    says: str
    change: Change
    kinds: tuple[Kind, ...] = KINDS


def plain(kind: Kind, leaving: StateType, entering: StateType) -> Transition:
    """A proposal from outside, for a run in its first attempt that nothing else concerns."""
    current, proposed = (_of(each) for each in (leaving, entering))
    run = Run("0" * 31 + "1", kind, "run", current, "0" * 31 + "1", run_count=1, attempt=1)
    return Transition(run, proposed, NOW)


def answers(
    policy: Policy, kind: Kind, context: Context, leaving: StateType, entering: StateType
) -> tuple[Transition, Report]:
    """What is proposed in this context, and what the policy says to it."""
    asked = context.change(plain(kind, leaving, entering))
    return asked, evaluate(policy, asked)


def table(policy: Policy, kind: Kind, context: Context) -> Reports:
    """The report on each pair: by the state that is left, then by the one that is proposed."""
    return {
        leaving: {
            entering: answers(policy, kind, context, leaving, entering)[1] for entering in StateType
        }
        for leaving in StateType
    }


def cells(policy: Policy, kind: Kind, context: Context) -> dict[StateType, dict[StateType, str]]:
    """The same as `table`, each answer in one word or sign of `LEGEND`."""
    return {
        leaving: {
            entering: cell(*answers(policy, kind, context, leaving, entering))
            for entering in StateType
        }
        for leaving in StateType
    }


def cell(asked: Transition, report: Report) -> str:
    """The answer in one word or sign of `LEGEND`."""
    signs = {Status.ACCEPT: "✔", Status.WAIT: "…", Status.ABORT: "✖"}
    if report.status is Status.REJECT:
        return report.state.name if enters(report, asked.current) else "–"
    return signs[report.status]


def edges(policy: Policy, kind: Kind) -> Iterator[tuple[StateType, StateType, str | None]]:
    """Each way from one state to another, with the first context in which it is taken.

    The context is None for a way that is open in the plain case.
    """
    found: dict[tuple[StateType, StateType], str | None] = {}
    for context in contexts(kind):
        for leaving in StateType:
            for entering in StateType:
                asked, report = answers(policy, kind, context, leaving, entering)
                way = (leaving, report.state.type)
                if enters(report, asked.current) and leaving is not report.state.type:
                    found.setdefault(way, None if context is DEFAULT else context.name)
    order = list(StateType)
    for way in sorted(found, key=lambda way: [order.index(each) for each in way]):
        yield (*way, found[way])


def contexts(kind: Kind) -> tuple[Context, ...]:
    """The contexts that concern runs of this kind."""
    return tuple(each for each in CONTEXTS if kind in each.kinds)


def _of(kind: StateType) -> State:
    at = NOW - SECOND
    return state(kind, timestamp=at, scheduled_time=at if kind is SCHEDULED else None)


def _with(**facts: Any) -> Change:
    """These facts are told with the proposal."""
    return lambda t: evolve(t, **facts)


def _run(**changes: Any) -> Change:
    """The run is another in this."""
    return lambda t: evolve(t, run=evolve(t.run, **changes))


def _under(**granted: Any) -> Change:
    """The run's policy grants this."""
    return _run(policy=RunPolicy(**granted))


def _current(kind: StateType, **changes: Any) -> Change:
    """A run that is in a state of this type is so in another way."""
    return _while(kind, lambda t: _run(state=evolve(t.current, **changes))(t))


def _while(kind: StateType, change: Change) -> Change:
    """The change is made if the run is in a state of this type."""
    return lambda t: change(t) if t.current.type is kind else t


def _proposed(kind: StateType, **changes: Any) -> Change:
    """A state of this type is proposed in another way."""

    def change(t: Transition) -> Transition:
        return evolve(t, proposed=evolve(t.proposed, **changes)) if t.proposed.type is kind else t

    return change


def _all(*changes: Change) -> Change:
    def change(t: Transition) -> Transition:
        for each in changes:
            t = each(t)
        return t

    return change


def _other(kind: StateType, name: str = "other") -> Other:
    return Other("0" * 31 + "2", name, state(kind, timestamp=NOW - SECOND))


_FULL = Place("db", slots=1, used=1, ahead=0)
_KEYED = _proposed(RUNNING, cache_key="key")
_SUBMITTING = _proposed(PENDING, name="Submitting")

DEFAULT = Context(
    "default",
    "From outside; no live session executes the run, it is inside no other, it has no retries, "
    "and its time has come.",
    lambda t: t,
)


CONTEXTS: tuple[Context, ...] = (
    DEFAULT,
    Context("retries left", "It was tried once and may be tried twice.", _under(retries=1)),
    Context(
        "retries used up",
        "It was tried twice and may be tried twice.",
        _all(_under(retries=1), _run(run_count=2, attempt=2)),
    ),
    Context(
        "crash retries left",
        "It may be tried again after a crash.",
        _under(retry_crashes=1),
    ),
    Context("never ran", "It was not tried yet.", _run(run_count=0, attempt=0)),
    Context(
        "scheduled in future",
        "If it is scheduled, its time is to come.",
        _current(SCHEDULED, scheduled_time=NOW + 60 * SECOND),
    ),
    Context(
        "deadline passed",
        "If it is running, it has been for longer than its timeout.",
        _all(_under(timeout=5.0), _current(RUNNING, timestamp=NOW - 60 * SECOND)),
    ),
    Context(
        "pause over",
        "If it is paused, it was to be resumed before now.",
        _current(PAUSED, scheduled_time=NOW - SECOND),
    ),
    Context(
        "cancelling parent", "It is inside a run that is to stop.", _with(parent=state(CANCELLING))
    ),
    Context("paused parent", "It is inside a run that is paused.", _with(parent=state(PAUSED))),
    Context(
        "finished parent", "It is inside a run that has finished.", _with(parent=state(FAILED))
    ),
    Context("held", "A live session executes it, and somebody else proposes.", _with(held=True)),
    Context(
        "stale attempt",
        "The proposal comes from an attempt that is over.",
        _all(_run(attempt=2), _with(claims=1)),
    ),
    Context(
        "limit full",
        "It is subject to a limit that has no slot left; PENDING is proposed as Submitting.",
        _all(_with(places=(_FULL,)), _SUBMITTING),
    ),
    Context(
        "overlap: queue",
        "Another run of its deployment is running.",
        _all(_under(overlap="queue"), _with(siblings=(_other(RUNNING),))),
        ("flow",),
    ),
    Context(
        "overlap: skip",
        "Another run of its deployment is running.",
        _all(_under(overlap="skip"), _with(siblings=(_other(RUNNING),))),
        ("flow",),
    ),
    Context(
        "missed slot",
        "It is of a deployment that makes up for nothing; if it is scheduled, it is an hour late.",
        _all(
            _under(catch_up="none"),
            _run(deployment="0" * 31 + "4"),
            _while(SCHEDULED, _run(attempt=0, run_count=0)),
            _current(SCHEDULED, scheduled_time=NOW - 3600 * SECOND),
        ),
        ("flow",),
    ),
    Context(
        "upstream unfinished",
        "A run it depends on has not finished.",
        _with(upstream=(_other(RUNNING),)),
        ("task",),
    ),
    Context(
        "upstream failed",
        "A run it depends on has failed.",
        _with(upstream=(_other(FAILED),)),
        ("task",),
    ),
    Context(
        "trigger says no", "Its trigger was asked, and said no.", _with(pulled=False), ("task",)
    ),
    Context(
        "goes back",
        "It checks results, and is to go back to the task that made them if it fails.",
        _all(_under(rerun_from="load"), _run(parent="0" * 31 + "3")),
        ("task",),
    ),
    Context(
        "cache hit",
        "The cache has the result for its key.",
        _all(_KEYED, _with(cached=_other(COMPLETED))),
        ("task",),
    ),
    Context(
        "being computed",
        "Another run is computing the result for its key.",
        _all(_KEYED, _with(filling=_other(RUNNING))),
        ("task",),
    ),
    Context("rerun", "It is to be opened again if it has finished.", _with(rerun=True)),
    Context(
        "rerun, cache hit",
        "It is to be opened again, and the cache has the result for its key.",
        _all(_KEYED, _with(rerun=True, cached=_other(COMPLETED))),
        ("task",),
    ),
    Context(
        "rerun, limit full",
        "It is to be opened again, and a limit has no slot left.",
        _all(_with(rerun=True, places=(_FULL,)), _SUBMITTING),
    ),
)
