"""The life of one run, told once, without I/O: it yields what it needs and is sent the answers.

`drive.py` does what is asked for, in a sync and an async way. A test can do it by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from orion_nb.errors import Interruption, RunStopped, TaskTimeout, UpstreamFailed
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import (
    COMPLETED,
    PENDING,
    RUNNING,
    SCHEDULED,
    Cancelled,
    Completed,
    Failed,
    Running,
    State,
    TimedOut,
)
from orion_nb.schemas.values import frozen, names_of
from orion_nb.secrets import redacted

if TYPE_CHECKING:
    from orion_nb.engine.caching import CacheKey


@frozen
class Propose:
    """Propose this state; the answer is the report.

    `rerun`: the run is to be opened again though it has finished; `pulled`: what a trigger that is
    a function said.
    """

    state: State
    retriable: bool = True
    rerun: bool = False
    pulled: bool | None = None


@frozen
class Sleep:
    """Wait until proposing `again` may come to something else, at most until the report says.

    The answer is what interrupted the wait (`KeyboardInterrupt`, say), or None.
    """

    report: Report
    again: Propose


@frozen
class Fetch:
    """Get the value of this final state; the answer is an `Outcome`, with an error if it's gone."""

    state: State


class Call:
    """Call the user's code once; the answer is an `Outcome`."""


@frozen
class Outcome:
    """What one call of the user's code came to: a value, or the error it raised.

    `result` is the reference to the value, where it was kept.
    """

    value: Any = None
    error: BaseException | None = None
    result: str | None = None


class Stopped(Interruption):
    """`stop(reason)`: the run has done enough; with `goes_on` so has the one around it."""

    goes_on = False


class SliceRerun(Interruption):
    """The flow around is to go back to the task named `back_to`; `error` says why."""

    def __init__(self, back_to: str, run: Run, error: BaseException) -> None:
        super().__init__(back_to)
        self.back_to, self.run, self.error = back_to, run, error

    def __str__(self) -> str:
        return f"back to {self.back_to}: {describe(self.error)}"


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Ending(State):
    """The final state of a run, with the value its code returned or the error it raised.

    `error` is the original exception; `run_id` is the run's id.
    """

    value: Any = None
    error: BaseException | None = None
    run_id: str = ""

    def __repr__(self) -> str:
        return f"<{self} · run {short(self.run_id)}>"


class Finish(NamedTuple):
    """How a run ended: the run, the last report on it, and what its code last came to."""

    run: Run
    report: Report
    outcome: Outcome

    @property
    def error(self) -> BaseException | None:
        """What a caller is to be told: nothing, its own exception, or that the run was stopped."""
        state = self.report.state
        if state.type is COMPLETED and not self._is_of_another_attempt:
            stopped = self.outcome.error
            return stopped if isinstance(stopped, Stopped) and stopped.goes_on else None
        if _goes_back(self.report) and self.outcome.error is not None:
            policy = self.run.policy
            return SliceRerun(policy.rerun_from or "", self.run, self.outcome.error)
        if self.outcome.error is not None:
            return self.outcome.error
        why = state.message or self.report.reason or state.name
        if state.name == "UpstreamFailed":
            return UpstreamFailed(why)
        return RunStopped(f"{state.name}: {why}")

    @property
    def _is_of_another_attempt(self) -> bool:
        """No code was called here: somebody else was faster, and has completed it by now."""
        return self.report.status is Status.ABORT and self.outcome is NOTHING

    @property
    def ending(self) -> Ending:
        """The final state, as users get it."""
        return ending_of(self.report.state, self.outcome, self.run.id)


def ending_of(state: State, outcome: Outcome, run_id: str = "") -> Ending:
    """The state, with the value or error that the code came to."""
    made = object.__new__(Ending)  # a thousand are made at once; a frozen class's __init__ is slow
    for put, value in zip(_PUTS, _of_state(state), strict=True):
        put(made, value)
    vars(made).update(value=outcome.value, error=outcome.error, run_id=run_id)
    return made


CALL = Call()
START = Propose(Running())
NOTHING = Outcome()
Step = Propose | Sleep | Call | Fetch
Life = Generator[Step, Any, tuple[Report, Outcome]]


def always(_: BaseException) -> bool:
    return True


@frozen
class Plan:
    """What is known of a life before it is lived."""

    retriable: Callable[[BaseException], bool] = always
    start: Propose = START
    parts: CacheKey | None = None


def lead(plan: Plan) -> Life:
    """The run is started, its code called, and called again for as long as the rules say so.

    Returns the last report and the outcome of the last call; an empty one when there was no call.
    """
    outcome = NOTHING
    start = plan.start
    report: Report = yield start
    while True:
        if report.status is Status.WAIT:
            interrupt: BaseException | None = yield Sleep(report, start)
            if interrupt is not None:
                outcome = Outcome(error=interrupt)
                report = yield Propose(state_of(outcome), retriable=False)
                return report, outcome
        elif report.status is Status.ABORT:
            if not report.fenced and report.state.type in (PENDING, SCHEDULED):
                # It will never start: whoever looks at it later is to see that, and why.
                report = yield Propose(Cancelled(report.reason), retriable=False)
            return report, outcome
        elif report.state.type is RUNNING and report.attempt is not None:
            outcome = yield CALL
            again = outcome.error is None or plan.retriable(outcome.error)
            report = yield Propose(state_of(outcome, plan.start.state.cache_key), again)
            if report.state.type is not SCHEDULED or _goes_back(report):
                return report, outcome
        elif report.state.name == "Cached":
            outcome = yield Fetch(report.state)
            if outcome.error is None:
                return report, outcome
            # What the cache points to is gone: it is computed anew, without asking the cache.
            told = f"the cached result can't be had: {describe(outcome.error)}"
            start = Propose(Running(message=told), rerun=True)
        elif report.state.type is not SCHEDULED:
            return report, outcome
        report = yield start


def _goes_back(report: Report) -> bool:
    """The flow is to go back to an earlier task, instead of this one being called again."""
    return any(
        line.rule == "rerun_the_upstream" and line.verdict == "rewrite" for line in report.rules
    )


def state_of(outcome: Outcome, cache_key: str | None = None) -> State:
    """The state to propose after a call: what it returned or raised decides."""
    error = outcome.error
    if error is None:
        if outcome.result is None and cache_key is None:
            return _COMPLETED
        return State(COMPLETED, "Completed", result=outcome.result, cache_key=cache_key)
    if isinstance(error, Stopped):
        return Completed(message=f"stopped early: {error}")
    if isinstance(error, TaskTimeout):
        return TimedOut(str(error))
    if isinstance(error, Exception):
        return Failed(describe(error))
    return Cancelled(f"interrupted: {describe(error)}")


def describe(error: BaseException) -> str:
    """An exception in at most 1,000 characters that can be stored: `ValueError: what it says`."""
    try:
        said = str(error)
    except Exception:
        said = "(its text can't be shown)"
    text = redacted(f"{type(error).__name__}: {said}")[:1000] if said else type(error).__name__
    # File names that are no UTF-8 reach messages as lone surrogates; no database takes those.
    return text.encode("utf-8", "replace").decode("utf-8")


_COMPLETED = Completed()
_of_state = attrgetter(*names_of(State))
_PUTS = tuple(getattr(State, name).__set__ for name in names_of(State))
