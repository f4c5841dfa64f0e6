"""The life of a run, driven by hand: no database, no thread, no waiting."""

from __future__ import annotations

from typing import Any

import pytest

from orion_nb.engine.deadline import Deadline
from orion_nb.engine.lead import (
    CALL,
    NOTHING,
    Call,
    Fetch,
    Finish,
    Life,
    Outcome,
    Plan,
    Propose,
    Sleep,
    SliceRerun,
    Stopped,
    describe,
    ending_of,
    lead,
    state_of,
)
from orion_nb.errors import ResultUnavailable, RunStopped, TaskTimeout, UpstreamFailed
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    AwaitingRetry,
    Cached,
    Cancelled,
    Completed,
    Failed,
    Pending,
    Running,
    Skipped,
    State,
)
from orion_nb.schemas.states import UpstreamFailed as UpstreamFailedState

RUNNING = Report(Status.ACCEPT, Running(), attempt=1, token="t")
DONE = Report(Status.ACCEPT, Completed())
FAILED = Report(Status.ACCEPT, Failed("ValueError: no"))
AGAIN = Report(Status.REJECT, AwaitingRetry(5_000_000), reason="retry in 5 s")
NOT_YET = Report(Status.WAIT, AwaitingRetry(5_000_000), retry_after=5.0)
CANCELLED = Report(Status.REJECT, Cancelled("its parent was cancelled"))
CACHED = Report(Status.REJECT, Cached("there", cache_key="k"))
BACK = Report(
    Status.REJECT, AwaitingRetry(0), rules=(Line("rerun_the_upstream", "", "rewrite", "back"),)
)
ABORTED = Report(Status.ABORT, Pending(), reason="the parent has finished")
NO = ValueError("no")


def lived(life: Life, *answers: Any) -> tuple[list[str], Report, Outcome]:
    """What the life asked for, given these answers in turn, and what it returned."""
    asked, sent = [], iter([None, *answers])
    try:
        while True:
            asked.append(word(life.send(next(sent))))
    except StopIteration as end:
        assert next(sent, None) is None, "not all answers were asked for"
        return asked, *end.value


def word(step: object) -> str:
    match step:
        case Propose(state=state, retriable=retriable):
            return state.name if retriable else f"{state.name}, finally"
        case Sleep(report=report):
            return f"sleep {report.retry_after:g}"
        case Call():
            return "call"
        case Fetch(state=state):
            return f"fetch {state.result}"
    raise AssertionError(step)


@pytest.mark.parametrize(
    ("answers", "asked", "outcome"),
    [
        pytest.param(
            [RUNNING, Outcome(7), DONE],
            ["Running", "call", "Completed"],
            Outcome(7),
            id="success",
        ),
        pytest.param(
            [RUNNING, Outcome(error=NO), FAILED],
            ["Running", "call", "Failed"],
            Outcome(error=NO),
            id="failure",
        ),
        pytest.param(
            [RUNNING, Outcome(error=NO), AGAIN, NOT_YET, None, RUNNING, Outcome(7), DONE],
            ["Running", "call", "Failed", "Running", "sleep 5", "Running", "call", "Completed"],
            Outcome(7),
            id="a failure, a wait, then success",
        ),
        pytest.param(
            [NOT_YET, None, NOT_YET, None, RUNNING, Outcome(7), DONE],
            ["Running", "sleep 5", "Running", "sleep 5", "Running", "call", "Completed"],
            Outcome(7),
            id="it waits as often as it is told to",
        ),
        pytest.param(
            [ABORTED, CANCELLED],
            ["Running", "Cancelled, finally"],
            Outcome(),
            id="aborted: the code is not called, and the run does not stay open",
        ),
        pytest.param([CANCELLED], ["Running"], Outcome(), id="cancelled before it began"),
        pytest.param(
            [RUNNING, Outcome(7), CANCELLED],
            ["Running", "call", "Completed"],
            Outcome(7),
            id="asked to stop while its code ran",
        ),
        pytest.param(
            [RUNNING, Outcome(error=NO), AGAIN, NOT_YET, None, CANCELLED],
            ["Running", "call", "Failed", "Running", "sleep 5", "Running"],
            Outcome(error=NO),
            id="cancelled while it waited for its retry",
        ),
        pytest.param(
            [Report(Status.ACCEPT, Skipped())], ["Running"], Outcome(), id="skipped by a rule"
        ),
        pytest.param(
            [RUNNING, Outcome(error=NO), BACK],
            ["Running", "call", "Failed"],
            Outcome(error=NO),
            id="its flow goes back: it is not called again",
        ),
    ],
)
def test_a_life(answers: list[Any], asked: list[str], outcome: Outcome) -> None:
    told, report, came_of_it = lived(lead(Plan()), *answers)
    assert told == asked
    assert came_of_it == outcome
    assert report is answers[-1]


KEYED = Plan(start=Propose(Running(cache_key="k")))


def test_what_is_in_the_cache_is_fetched() -> None:
    life = lead(KEYED)
    assert life.send(None) == KEYED.start
    assert life.send(CACHED) == Fetch(CACHED.state)
    with pytest.raises(StopIteration) as end:
        life.send(Outcome(7))
    assert end.value.value == (CACHED, Outcome(7))


def test_what_the_cache_has_lost_is_computed_anew_and_put_there_again() -> None:
    life = lead(KEYED)
    life.send(None)
    life.send(CACHED)
    again = life.send(Outcome(error=ResultUnavailable("the file is gone")))
    said = "the cached result can't be had: ResultUnavailable: the file is gone"
    assert again == Propose(Running(message=said), rerun=True)
    assert life.send(RUNNING) is CALL
    ended = life.send(Outcome(7, result="there"))
    assert (ended.state.name, ended.state.cache_key) == ("Completed", "k")


def test_what_may_not_be_tried_again_is_proposed_as_final() -> None:
    asked, _, _ = lived(
        lead(Plan(retriable=lambda error: False)), RUNNING, Outcome(error=NO), FAILED
    )
    assert asked == ["Running", "call", "Failed, finally"]


def test_an_interrupted_wait_ends_the_run_as_cancelled() -> None:
    interrupt = KeyboardInterrupt()
    answers = [RUNNING, Outcome(error=NO), AGAIN, NOT_YET, interrupt, CANCELLED]
    asked, report, outcome = lived(lead(Plan()), *answers)
    assert asked[-2:] == ["sleep 5", "Cancelled, finally"]
    assert outcome.error is interrupt
    assert report is CANCELLED


@pytest.mark.parametrize(
    ("error", "kind", "name"),
    [
        (None, "COMPLETED", "Completed"),
        (NO, "FAILED", "Failed"),
        (TaskTimeout("'t' exceeded 1 s"), "FAILED", "TimedOut"),
        (KeyboardInterrupt(), "CANCELLED", "Cancelled"),
        (SystemExit(3), "CANCELLED", "Cancelled"),
        (Deadline(), "CANCELLED", "Cancelled"),
    ],
)
def test_the_state_that_an_outcome_asks_for(
    error: BaseException | None, kind: str, name: str
) -> None:
    state = state_of(Outcome(error=error))
    assert (state.type, state.name) == (kind, name)


@pytest.mark.parametrize(
    ("state", "outcome", "told"),
    [
        (Completed(), Outcome(7), None),
        (Failed("ValueError: no"), Outcome(error=NO), NO),
        (Cancelled("its parent was cancelled"), Outcome(), RunStopped),
        (UpstreamFailedState("upstream a is Failed"), Outcome(), UpstreamFailed),
        (Pending(), Outcome(), RunStopped),
        (Completed(message="stopped early: enough"), Outcome(error=Stopped("enough")), None),
    ],
)
def test_what_a_caller_is_told(state: State, outcome: Outcome, told: Any) -> None:
    run = Run("0" * 32, "task", "t", state, "0" * 32)
    error = Finish(run, Report(Status.ACCEPT, state, reason="because"), outcome).error
    assert error is told or type(error) is told


def test_who_was_too_late_is_not_told_that_it_completed() -> None:
    run = Run("0" * 32, "flow", "f", Completed(), "0" * 32)
    late = Report(Status.ABORT, Completed(), reason="attempt 1 is over")
    error = Finish(run, late, NOTHING).error
    assert isinstance(error, RunStopped)
    assert str(error) == "Completed: attempt 1 is over"


def test_a_caller_is_told_to_go_back() -> None:
    run = Run("0" * 32, "task", "t", BACK.state, "1" * 32, policy=RunPolicy(rerun_from="load"))
    error = Finish(run, BACK, Outcome(error=NO)).error
    assert isinstance(error, SliceRerun)
    assert (error.back_to, error.error, str(error)) == ("load", NO, "back to load: ValueError: no")
    assert not isinstance(error, Exception)


def test_an_ending_is_a_state_with_what_came_of_the_code() -> None:
    ending = ending_of(Failed("ValueError: no"), Outcome(error=NO), "0" * 32)
    assert isinstance(ending, State)
    assert (ending.type, ending.error, ending.value, ending.run_id) == (
        "FAILED",
        NO,
        None,
        "0" * 32,
    )
    assert str(ending) == "Failed: ValueError: no"


class Silent(Exception):
    """An exception whose text can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError(), "ValueError"),
        (Silent(), "Silent: (its text can't be shown)"),
        (OSError("\udcfffile"), "OSError: ?file"),
    ],
)
def test_an_error_in_words_that_can_be_stored(error: BaseException, said: str) -> None:
    assert describe(error) == said
    assert len(describe(ValueError("x" * 5000))) == 1000
