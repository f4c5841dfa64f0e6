"""What a rule is, what it may weigh, and how a policy of rules judges a transition.

A rule is a pure function `Transition -> Reject | Wait | Abort | Note | None`. It names the states
it governs in `@rule`; its docstring is its documentation. It has no session and no clock: every
fact it may weigh is a field of the frozen `Transition`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from orion_nb.clock import SECOND
from orion_nb.schemas.reports import Abort, Line, Note, Reject, Report, Status, Verdict, Wait
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State, StateType
from orion_nb.schemas.values import evolve, frozen


class Phase(IntEnum):
    """The order in which rules are asked, whatever their order in a policy."""

    IDENTITY = 0
    FINALITY = 1
    LINEAGE = 2
    TIME = 3
    CACHE = 4
    ADMISSION = 5
    REWRITE = 6
    USER = 7


#: A state that a rule put in place of the proposed one may be replaced once more: a run that took
#: too long is TimedOut, and then retried.
MOST_REWRITES = 2


@frozen
class Other:
    """Another run that a rule may weigh, and the state it is in.

    `may_fail`: as an upstream run it counts as completed however it ended.
    """

    id: str
    name: str
    state: State
    may_fail: bool = False


@frozen
class Place:
    """A limit that a run is subject to: its slots, how many are in use, how many runs are ahead."""

    name: str
    slots: int
    used: int
    ahead: int

    @property
    def is_full(self) -> bool:
        return self.used + self.ahead >= self.slots


@frozen
class Transition:
    """Every fact a rule may weigh, read by the store under the write lock.

    `claims` is the attempt the proposal says it speaks for, None when it comes from outside;
    `token_matches` is False when it showed another token than that attempt's. `held` means that a
    live session is executing the run, and that the proposal comes from somebody else. `now` is in
    microseconds, UTC. `rerun`: the run is to be opened again though it has finished. `pulled` is
    what a trigger that is a function said, None when nobody asked it. `cached` is the newest run
    that completed with the proposed state's cache key, and `filling` one that is just computing
    it. `places` are the limits the run is subject to, `siblings` the other runs of its deployment
    that are handed over or running. `instead_of` is what was proposed, when a rule has put
    `proposed` in its place.
    """

    run: Run
    proposed: State
    now: int
    claims: int | None = None
    token_matches: bool = True
    held: bool = False
    retriable: bool = True
    parent: State | None = None
    upstream: tuple[Other, ...] = ()
    rerun: bool = False
    pulled: bool | None = None
    cached: Other | None = None
    filling: Other | None = None
    places: tuple[Place, ...] = ()
    siblings: tuple[Other, ...] = ()
    instead_of: State | None = None

    @property
    def current(self) -> State:
        return self.run.state


Judge = Callable[[Transition], Verdict | None]


# Two rules are never equal: as part of a key they are told apart by identity, which costs nothing.
@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A judge with the transitions it governs. Call it as the plain function it wraps."""

    judge: Judge
    phase: Phase
    leaving: frozenset[StateType]
    entering: frozenset[StateType]

    @property
    def name(self) -> str:
        return self.judge.__name__

    @property
    def says(self) -> str:
        return (self.judge.__doc__ or "").strip().partition("\n")[0]

    def governs(self, leaving: StateType, entering: StateType) -> bool:
        return leaving in self.leaving and entering in self.entering

    def __call__(self, transition: Transition) -> Verdict | None:
        return self.judge(transition)


Policy = Sequence[Rule]


def rule(
    phase: Phase = Phase.USER,
    *,
    leaving: Iterable[StateType] = StateType,
    entering: Iterable[StateType] = StateType,
) -> Callable[[Judge], Rule]:
    """The decorated function is a rule of this phase for these transitions."""

    def make(judge: Judge) -> Rule:
        return Rule(judge, phase, frozenset(leaving), frozenset(entering))

    return make


def evaluate(policy: Policy, transition: Transition) -> Report:
    """Every rule that governs the transition is asked, in order of phase, until one objects.

    A first `Wait` or `Abort` stops. A `Reject` with another state goes on with that state from the
    phase of finality; the report keeps a line for every rule asked, in order. Marks are those of
    the state that is entered.
    """
    asked = transition
    rewritten: Reject | None = None
    lines: tuple[Line, ...] = ()
    marks: list[str] = []
    for _ in range(MOST_REWRITES + 1):
        after = None if rewritten is None else Phase.IDENTITY
        verdict, more = _ask(policy, asked, marks, after)
        lines = (*lines, *more) if lines else more
        match verdict:
            case None | Note():
                return _entered(transition, asked.proposed, lines, rewritten, marks)
            case Reject(state=None):
                return _refused(transition, Status.REJECT, verdict.reason, lines)
            case Reject(state=State() as other):
                rewritten = verdict
                marks.clear()
                asked = evolve(asked, proposed=other, instead_of=transition.proposed)
            case Wait():
                return _waits(transition, verdict, lines)
            case Abort():
                refused = _refused(transition, Status.ABORT, verdict.reason, lines)
                return evolve(refused, fenced=verdict.fenced)
    assert rewritten is not None
    reason = f"{rewritten.reason} (more than {MOST_REWRITES} rewrites are not made)"
    return _refused(transition, Status.ABORT, reason, lines)


_WORDS = {Reject: "rewrite", Wait: "wait", Abort: "abort", Note: "pass"}


def _ask(
    policy: Policy, transition: Transition, marks: list[str], after: Phase | None
) -> tuple[Verdict | None, tuple[Line, ...]]:
    """The first objection, if any, and a line for each rule asked; without a word ever the same."""
    current, proposed = transition.run.state.type, transition.proposed.type
    judges, passed = _governing(tuple(policy), current, proposed, after)
    told: list[Line] | None = None
    for place, judge in enumerate(judges):
        verdict = judge(transition)
        if verdict is None:
            continue
        told = told or list(passed)
        told[place] = _said(passed[place], verdict)
        if not isinstance(verdict, Note):
            return verdict, tuple(told[: place + 1])
        if verdict.mark is not None:
            marks.append(verdict.mark)
    return None, passed if told is None else tuple(told)


def _said(passed: Line, verdict: Verdict) -> Line:
    word = _WORDS[type(verdict)]
    if isinstance(verdict, Reject) and verdict.state is None:
        word = "reject"
    return evolve(passed, verdict=word, reason=verdict.reason, facts=verdict.facts)


@lru_cache(maxsize=1024)
def _governing(
    policy: tuple[Rule, ...], leaving: StateType, entering: StateType, after: Phase | None
) -> tuple[tuple[Judge, ...], tuple[Line, ...]]:
    """The rules to ask for this pair of states, and the line that each leaves when it passes."""
    found = [
        rule
        for rule in sorted(policy, key=lambda rule: rule.phase)
        if rule.governs(leaving, entering) and (after is None or rule.phase > after)
    ]
    lines = tuple(Line(rule.name, rule.says, "pass") for rule in found)
    return tuple(rule.judge for rule in found), lines


def _entered(
    transition: Transition,
    state: State,
    lines: tuple[Line, ...],
    rewritten: Reject | None,
    marks: list[str],
) -> Report:
    return Report(
        status=Status.REJECT if rewritten else Status.ACCEPT,
        state=state,
        reason=rewritten.reason if rewritten else None,
        rules=lines,
        proposed=transition.proposed.name,
        marks=tuple(marks),
    )


def _refused(
    transition: Transition, status: Status, reason: str, lines: tuple[Line, ...]
) -> Report:
    return Report(
        status=status,
        state=transition.current,
        reason=reason,
        rules=lines,
        proposed=transition.proposed.name,
    )


def _waits(transition: Transition, verdict: Wait, lines: tuple[Line, ...]) -> Report:
    until = verdict.until
    if until is None:
        until = transition.now + round((verdict.after or 0.0) * SECOND)
    until = max(until, transition.now)
    return Report(
        status=Status.WAIT,
        state=transition.current,
        reason=verdict.reason,
        retry_after=(until - transition.now) / SECOND,
        until=until,
        rules=lines,
        proposed=transition.proposed.name,
        cancels=verdict.cancels,
    )


def enters(report: Report, before: State) -> bool:
    """The report says that a state was entered (and not that the run stays as it was)."""
    if report.status is Status.ACCEPT:
        return True
    return report.status is Status.REJECT and report.state is not before
