"""`on_cancel`: in flows and tasks that this process calls."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from orion_nb import ProcessRunner, flow, on_cancel, task
from orion_nb.engine import hooks
from orion_nb.errors import InvalidInput, RunStopped, TaskTimeout
from tests.waiting import until


@pytest.fixture
def cancelled(orion):
    """Calls a flow on a thread, cancels it once it is at work, and gives what it raised."""

    def call(fn, begun, ref):
        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(fn)
            assert begun.wait(60)
            orion.cancel(orion.find(ref).id)
            return ending.exception(60)

    return call


def wait_long():
    for _ in range(6000):
        time.sleep(0.01)


def test_they_are_called_once_the_last_first_and_what_they_raise_is_logged(orion, cancelled):
    begun, told = threading.Event(), []

    @flow
    def remote():
        @on_cancel
        def first():
            told.append("first")

        on_cancel(lambda: told.append(orion.find("remote").state.type))
        on_cancel(lambda: 1 / 0)
        assert on_cancel(first) is first
        on_cancel(lambda: told.append("last"))
        begun.set()
        wait_long()

    error = cancelled(remote, begun, "remote")
    assert isinstance(error, RunStopped)
    assert told == ["last", "first", "CANCELLING", "first"]
    assert orion.find("remote").state.name == "Cancelled"
    (line,) = orion.read_logs("remote")["lines"]
    assert line["level"] == 40
    assert line["message"].startswith("on_cancel: ")
    assert line["message"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("fails", [False, True])
def test_who_ends_by_itself_calls_none(orion, fails):
    told = []

    @task
    def load():
        on_cancel(lambda: told.append("never"))

    @flow
    def whole():
        on_cancel(lambda: told.append("never"))
        load()
        if fails:
            raise ValueError("no")

    assert whole.run().type == ("FAILED" if fails else "COMPLETED")
    assert told == []


def test_those_of_what_a_flow_calls_come_first(orion, cancelled):
    begun, told = threading.Event(), []

    @task
    def load():
        on_cancel(lambda: told.append("task"))
        begun.set()
        wait_long()

    @flow
    def nested():
        on_cancel(lambda: told.append("flow"))
        load()

    cancelled(nested, begun, "nested")
    assert told == ["task", "flow"]


def test_only_those_of_the_run_that_is_cancelled_are_called(orion, cancelled):
    begun, told = threading.Event(), []

    @task(name="stopped_alone")
    def load():
        on_cancel(lambda: told.append("task"))
        begun.set()
        wait_long()

    @flow
    def goes_on():
        on_cancel(lambda: told.append("flow"))
        return load.run().name

    def call():
        raise LookupError(goes_on())

    assert str(cancelled(call, begun, "stopped_alone")) == "Cancelled"
    assert told == ["task"]


def test_on_threads_and_when_time_is_up(orion):
    told = []

    @task(timeout="2s")
    def slow(n):
        on_cancel(lambda: told.append(n))
        wait_long()

    @flow
    def both():
        futures = [slow.submit(1)]
        with pytest.raises(TaskTimeout):
            slow(2)
        with pytest.raises(TaskTimeout):
            futures[0].result()

    both()
    assert sorted(told) == [1, 2]


def test_in_code_that_awaits(orion):
    told = []

    async def whole():
        begun = asyncio.Event()

        @flow
        async def awaits():
            on_cancel(lambda: told.append("called"))
            begun.set()
            await asyncio.sleep(60)

        running = asyncio.ensure_future(awaits())
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(whole())
    assert told == ["called"]
    assert orion.find("awaits").state.name == "Cancelled"


def wait_in_a_process(folder):
    on_cancel((folder / "called").touch)
    (folder / "begun").touch()
    wait_long()


def test_in_a_process_of_a_runner(orion, tmp_path):
    work = task(wait_in_a_process, name="elsewhere")

    @flow(runner=ProcessRunner(1))
    def spread():
        future = work.submit(tmp_path)
        until((tmp_path / "begun").exists)
        orion.cancel(orion.find("elsewhere").id)
        with pytest.raises(RunStopped):
            future.result()

    spread()
    assert (tmp_path / "called").exists()


def test_where_nobody_executes_a_run_nothing_is_called(orion, cancelled, monkeypatch):
    monkeypatch.setattr(hooks, "_of_this_process", [])
    begun, told = threading.Event(), []
    on_cancel(lambda: told.append("never"))

    @flow
    def other():
        begun.set()
        wait_long()

    cancelled(other, begun, "other")
    assert told == []


@pytest.mark.parametrize("wrong", [None, "kill", asyncio.sleep])
def test_what_can_not_be_called_is_refused(wrong):
    with pytest.raises(InvalidInput, match="on_cancel: expected a function that is not async"):
        on_cancel(wrong)
