"""The life of one run, told once, without I/O: it yields what it needs and is sent the answers.

`drive.py` does what is asked for, in a sync and an async way. A test can do it by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from orion_nb.errors import RunStopped, TaskTimeout, UpstreamFailed
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import (
    COMPLETED,
    RUNNING,
    SCHEDULED,
    Cancelled,
    Completed,
    Failed,
    Running,
    State,
    TimedOut,
)


@dataclass(frozen=True, slots=True)
class Propose:
    """Propose this state; the answer is the report."""

    state: State
    retriable: bool = True


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait so many seconds, or until the run was moved by somebody else.

    The answer is what interrupted the wait (`KeyboardInterrupt`, say), or None.
    """

    seconds: float


class Call:
    """Call the user's code once; the answer is an `Outcome`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call of the user's code came to: a value, or the error it raised."""

    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, repr=False)
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
        if state.type is COMPLETED:
            return None
        if self.outcome.error is not None:
            return self.outcome.error
        why = state.message or self.report.reason or state.name
        if state.name == "UpstreamFailed":
            return UpstreamFailed(why)
        return RunStopped(f"{state.name}: {why}")

    @property
    def ending(self) -> Ending:
        """The final state, as users get it."""
        return ending_of(self.report.state, self.outcome, self.run.id)


def ending_of(state: State, outcome: Outcome, run_id: str = "") -> Ending:
    """The state, with the value or error that the code came to."""
    fields = {name: getattr(state, name) for name in State.__slots__}
    return Ending(**fields, value=outcome.value, error=outcome.error, run_id=run_id)


CALL = Call()
START = Propose(Running())
NOTHING = Outcome()
Step = Propose | Sleep | Call
Life = Generator[Step, Any, tuple[Report, Outcome]]


def lead(retriable: Callable[[BaseException], bool]) -> Life:
    """The run is started, its code called, and called again for as long as the rules say so.

    Returns the last report and the outcome of the last call; an empty one when there was no call.
    """
    outcome = NOTHING
    report: Report = yield START
    while True:
        if report.status is Status.WAIT:
            interrupt: BaseException | None = yield Sleep(report.retry_after or 0.0)
            if interrupt is not None:
                outcome = Outcome(error=interrupt)
                report = yield Propose(state_of(outcome), retriable=False)
                return report, outcome
        elif report.status is Status.ABORT:
            return report, outcome
        elif report.state.type is RUNNING and report.attempt is not None:
            outcome = yield CALL
            again = outcome.error is None or retriable(outcome.error)
            report = yield Propose(state_of(outcome), again)
            if report.state.type is not SCHEDULED:
                return report, outcome
        elif report.state.type is not SCHEDULED:
            return report, outcome
        report = yield START


def state_of(outcome: Outcome) -> State:
    """The state to propose after a call: what it returned or raised decides."""
    error = outcome.error
    if error is None:
        return _COMPLETED
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
    text = f"{type(error).__name__}: {said}"[:1000] if said else type(error).__name__
    # File names that are no UTF-8 reach messages as lone surrogates; no database takes those.
    return text.encode("utf-8", "replace").decode("utf-8")


_COMPLETED = Completed()
