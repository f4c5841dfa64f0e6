"""Interrupted, exited, cancelled from outside: the run ends as Cancelled, and the rest goes on."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import Any

import pytest

from orion_nb import connect, flow, get_run_context, task
from orion_nb.api.orion import Orion
from orion_nb.engine import asked
from orion_nb.errors import RunStopped, StoreUnavailable
from orion_nb.schemas.runs import Run

LONG = 30


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_cancels_all_the_way_up_and_propagates(
    told: Any, error: BaseException
) -> None:
    @task(retries=5)
    def leaf() -> None:
        raise error

    @flow(retries=5)
    def outer() -> None:
        leaf()

    with pytest.raises(type(error)) as caught:
        outer()
    assert caught.value is error
    for name in ("leaf", "outer"):
        assert told.names(name) == ["Pending", "Running", "Cancelled"]
        said = told.states(name)[-1].message
        assert said.startswith(f"interrupted: {type(error).__name__}")


@pytest.fixture
def interrupt_when(until: Any) -> Any:
    """Sends this process the signal of Ctrl-C as soon as something is true."""
    threads = []

    def start(is_true: Any) -> None:
        def watch() -> None:
            until(is_true)
            time.sleep(0.3)  # just before the main thread begins to wait Python would miss it
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def in_state(name: str, state: str) -> bool:
    return bool(connect().filter_runs(name=name, states=[state])["runs"])


def test_ctrl_c_during_the_delay_of_a_retry(told: Any, interrupt_when: Any) -> None:
    @task(retries=1, retry_delay=LONG)
    def flaky() -> None:
        raise ValueError("once")

    @flow
    def outer() -> None:
        flaky()

    interrupt_when(lambda: in_state("flaky", "AwaitingRetry"))
    with pytest.raises(KeyboardInterrupt):
        outer()
    assert told.names("flaky") == ["Pending", "Running", "AwaitingRetry", "Cancelled"]
    assert told.names("outer")[-1] == "Cancelled"


def test_cancelling_the_asyncio_task_during_the_delay_of_a_retry(told: Any, until: Any) -> None:
    @task(retries=1, retry_delay=LONG)
    async def flaky() -> None:
        raise ValueError("once")

    async def main() -> None:
        running = asyncio.create_task(flaky())
        await asyncio.to_thread(until, lambda: in_state("flaky", "AwaitingRetry"))
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert told.names("flaky") == ["Pending", "Running", "AwaitingRetry", "Cancelled"]


def test_ctrl_c_while_a_flow_waits_for_its_tasks(told: Any, interrupt_when: Any) -> None:
    released = threading.Event()

    @task
    def stuck() -> None:
        released.wait(LONG)

    @flow
    def outer() -> None:
        stuck.submit().result()

    interrupt_when(lambda: in_state("stuck", "Running"))
    with pytest.raises(KeyboardInterrupt):
        outer()
    released.set()
    assert told.names("outer")[-1] == "Cancelled"


@pytest.fixture
def outside(home: Any) -> Any:
    """Another Orion on the same file: a person at the dashboard, say."""
    opened = Orion(connect().settings)
    yield opened
    opened.close()


@pytest.mark.parametrize("is_async", [False, True])
def test_a_flow_that_was_asked_to_stop_starts_nothing_more(
    told: Any, outside: Orion, is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "LOOK", 3.0)  # seconds: before that nobody interrupts it

    @task
    def step(n: int) -> int:
        return n

    def body() -> None:
        for n in range(100):
            if n == 3:
                outside.cancel(get_run_context().run.id, why="enough", by="ana")
            step(n)

    async def abody() -> None:
        body()

    outer = flow(abody if is_async else body, name="outer")
    with pytest.raises(RunStopped, match="Cancelled: its parent was cancelled"):
        asyncio.run(outer()) if is_async else outer()  # type: ignore[func-returns-value]
    steps = told.runs("step")
    assert [run.state.name for run in steps] == ["Completed"] * 3 + ["Cancelled"]
    assert steps[-1].run_count == 0
    assert told.names("outer") == ["Pending", "Running", "Cancelling", "Cancelled"]
    assert told.states("outer")[2].message == "enough"
    assert told.states("outer")[3].message.endswith("; stopped as asked")


def test_cancelling_a_flow_cancels_what_runs_in_it(told: Any, outside: Orion) -> None:
    @task
    def step() -> int:
        outside.cancel(get_run_context().run.root, why="enough")
        return 7

    @flow
    def outer() -> None:
        step()

    with pytest.raises(RunStopped):
        outer()
    assert told.names("step")[-1] == "Cancelled"
    assert told.names("outer")[-1] == "Cancelled"


def test_a_flow_that_was_asked_to_stop_and_returned_is_cancelled_all_the_same(
    told: Any, outside: Orion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "LOOK", 3.0)  # seconds: before that nobody interrupts it

    @flow
    def outer() -> int:
        outside.cancel(get_run_context().run.id)
        return 7

    state = outer.run()
    assert (state.type, state.value) == ("CANCELLED", 7)
    with pytest.raises(RunStopped, match="would have been Completed"):
        outer()


def test_a_waiting_retry_that_is_cancelled_ends_at_once(
    told: Any, outside: Orion, until: Any
) -> None:
    @task(retries=1, retry_delay=LONG)
    def flaky() -> None:
        raise ValueError("once")

    def cancel() -> None:
        until(lambda: in_state("flaky", "AwaitingRetry"))
        outside.cancel("flaky", why="no more")

    thread = threading.Thread(target=cancel)
    thread.start()
    began = time.monotonic()
    state = flaky.run()
    thread.join()
    assert time.monotonic() - began < LONG / 2
    assert (state.name, state.message) == ("Cancelled", "no more")


def test_an_attempt_that_was_taken_over_changes_nothing_any_more(told: Any, outside: Orion) -> None:
    @task
    def taken() -> int:
        run = get_run_context().run
        outside.propose(run.id, "SCHEDULED", force=True, why="start it again")
        outside.propose(run.id, "RUNNING")
        return 7

    state = taken.run()
    assert state.name == "Retrying"
    assert told.run("taken").attempt == 2
    with pytest.raises(RunStopped, match="attempt 1 is over"):
        taken()


def test_what_breaks_between_two_steps_leaves_no_run_open(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    @task
    def fine() -> int:
        return 7

    def show(run: Run, report: Any) -> None:
        if run.state.type == "COMPLETED":
            raise OSError("nothing can be shown here")

    fine.on_state = show
    with pytest.raises(OSError, match="nothing can be shown"):
        fine()
    assert told.names("fine")[-1] == "Completed"

    fine.on_state = lambda run, report: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        fine()
    assert told.names(told.runs("fine")[-1].id) == ["Pending", "Running", "Cancelled"]


def test_a_database_that_is_gone_fails_the_call_and_says_so(told: Any) -> None:
    @flow
    def outer() -> None:
        connect().close()

    with pytest.raises(StoreUnavailable, match="was closed"):
        outer()
