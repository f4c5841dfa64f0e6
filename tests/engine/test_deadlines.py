"""The state is TimedOut at the deadline, also while code goes on that nobody can stop."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from orion_nb import connect, flow, get_run_context, task
from orion_nb.api.orion import Orion
from orion_nb.clock import SECOND
from orion_nb.errors import TaskTimeout

LATE = 20.0  # seconds; the machine may be busy. It takes a few milliseconds


def watched(other: Orion, name: str, state: str, until: Any) -> tuple[float, dict[str, Any]]:
    """When another connection first saw the run in this state, and the run as it was then."""
    seen = {"name": name, "states": [state]}
    until(lambda: other.filter_runs(**seen)["runs"], f"{name} is not {state}")
    return time.monotonic(), other.filter_runs(**seen)["runs"][0]


@pytest.fixture
def outside(home: Any) -> Any:
    opened = Orion(connect().settings)
    yield opened
    opened.close()


@pytest.mark.parametrize("kind", [task, flow])
def test_the_state_does_not_wait_for_code_that_sleeps_on_a_thread(
    told: Any, outside: Orion, until: Any, kind: Any
) -> None:
    began: list[float] = []
    ended: list[BaseException] = []
    may_end = threading.Event()

    @kind(name="stuck", timeout=0.2)
    def stuck() -> str:
        began.append(time.monotonic())
        may_end.wait(60)  # an exception on this thread comes after it
        return "late"

    def call() -> None:
        try:
            stuck()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    at, run = watched(outside, "stuck", "TimedOut", until)
    assert thread.is_alive()
    assert at - began[0] < 0.2 + LATE
    took = run["end_time"] - run["start_time"]
    assert 0.2 * SECOND <= took < (0.2 + LATE) * SECOND
    clocks = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    until(lambda: not any(each.is_alive() for each in clocks), "the exception was raised")
    may_end.set()
    thread.join()
    assert [type(error) for error in ended] == [TaskTimeout]
    assert str(ended[0]) == "'stuck' exceeded 0.2 s"
    assert told.names("stuck") == ["Pending", "Running", "TimedOut"]


def test_the_next_attempt_waits_for_the_thread_and_the_state_does_not(
    told: Any, outside: Orion, until: Any
) -> None:
    may_end = threading.Event()

    @task(timeout=1.0, retries=1)
    def stuck() -> int:
        attempt = get_run_context().run.attempt
        if attempt == 1:
            may_end.wait(60)
        return attempt

    @flow
    def etl() -> int:
        future = stuck.submit()
        until(lambda: outside.filter_runs(name="stuck", states=["AwaitingRetry"])["runs"])
        time.sleep(0.2)  # it is due at once, and would begin
        assert not future.done()
        assert told.names("stuck") == ["Pending", "Running", "AwaitingRetry"]
        may_end.set()
        return future.result()

    assert etl() == 2
    assert told.names("stuck") == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
    states = told.states("stuck")
    assert states[2].timestamp - states[1].timestamp < (1.0 + LATE) * SECOND


def test_that_code_went_on_after_its_deadline_is_noted(told: Any) -> None:
    @task(timeout=0.1)
    def stuck() -> None:
        time.sleep(0.8)

    thread = threading.Thread(target=stuck.run)
    thread.start()
    thread.join()
    notes = [note["text"] for note in connect().why(told.run("stuck").id)["notes"]]
    assert len(notes) == 1
    assert notes[0].startswith("'stuck' exceeded 0.1 s: its code could not be stopped")


def test_in_time_nothing_is_told(told: Any) -> None:
    @task(timeout=5)
    def quick() -> int:
        return 1

    assert quick() == 1
    assert told.names("quick") == ["Pending", "Running", "Completed"]
    assert connect().why(told.run("quick").id)["notes"] == []


def test_many_that_end_at_their_deadline_end_once(told: Any) -> None:
    """The code ends while the clock rings: one of both counts, and the other changes nothing."""

    @task(timeout=0.05)
    def edge(n: int) -> int:
        time.sleep(0.05)
        return n

    states = [edge.run(n) for n in range(30)]
    assert {state.name for state in states} <= {"Completed", "TimedOut"}
    for run in told.runs("edge"):
        assert len(told.names(run.id)) == 3
