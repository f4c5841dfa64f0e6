"""The life of one run, told once, without I/O: it yields what it needs and is sent the answers.

`drive.py` does what is asked for, in a sync and an async way. A test can do it by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from orion_nb.errors import TaskTimeout
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.states import (
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
    """Wait so many seconds, or until the run was moved by somebody else; there is no answer."""

    seconds: float


class Call:
    """Call the user's code once; the answer is an `Outcome`."""


CALL = Call()
START = Propose(Running())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call of the user's code came to: a value, or the error it raised."""

    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True)
class Ending(State):
    """The final state of a run, with the value its code returned or the error it raised.

    `error` is the original exception; `run_id` is the run's id.
    """

    value: Any = None
    error: BaseException | None = None
    run_id: str = ""
    report: Report | None = None


Step = Propose | Sleep | Call
Life = Generator[Step, Any, tuple[Report, Outcome | None]]


def lead(retriable: Callable[[BaseException], bool]) -> Life:
    """The run is started, its code called, and called again for as long as the rules say so.

    Returns the last report and the outcome of the last call, None when there was no call.
    """
    outcome: Outcome | None = None
    report: Report = yield START
    while True:
        if report.status is Status.WAIT:
            yield Sleep(report.retry_after or 0.0)
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
    return Cancelled(f"interrupted: {type(error).__name__}")


def describe(error: BaseException) -> str:
    """An exception as one line of at most 1,000 characters: `ValueError: what it says`."""
    try:
        said = str(error)
    except Exception:
        said = "(its text can't be shown)"
    return f"{type(error).__name__}: {said}"[:1000] if said else type(error).__name__


_COMPLETED = Completed()
