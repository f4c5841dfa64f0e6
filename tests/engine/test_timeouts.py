"""What takes longer than its timeout is stopped, on any thread, and says so."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from orion_nb import ThreadRunner, connect, flow, task
from orion_nb.engine import deadline
from orion_nb.engine.deadline import within
from orion_nb.errors import TaskTimeout

LONG = 30  # seconds; no test waits for it


def spin(seconds: float = LONG) -> None:
    """Busy in bytecode, as code on another thread has to be to be stopped."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(100))


@task(timeout=0.1)
def sleeper() -> None:
    time.sleep(LONG)


@task(timeout=0.1)
def spinner() -> None:
    spin()


@task(timeout=0.1)
async def awaiter() -> None:
    await asyncio.sleep(LONG)


def test_a_sleeping_call_on_the_main_thread_is_interrupted(told: Any) -> None:
    with pytest.raises(TaskTimeout, match=r"^'sleeper' exceeded 0.1 s$") as caught:
        sleeper()
    assert isinstance(caught.value, TimeoutError)
    assert "time.sleep(LONG)" in "".join(traceback.format_tb(caught.value.__traceback__))
    last = told.states("sleeper")[-1]
    assert (last.type, last.name, last.message) == (
        "FAILED",
        "TimedOut",
        "'sleeper' exceeded 0.1 s",
    )
    assert signal.getsignal(signal.SIGALRM) is not None


def test_code_on_a_worker_thread_is_interrupted(told: Any) -> None:
    @flow
    def outer() -> BaseException | None:
        return spinner.submit().exception()

    assert str(outer()) == "'spinner' exceeded 0.1 s"
    assert told.names("spinner")[-1] == "TimedOut"


def test_async_code_is_cancelled(told: Any) -> None:
    with pytest.raises(TaskTimeout, match=r"^'awaiter' exceeded 0.1 s$"):
        asyncio.run(awaiter())
    assert told.names("awaiter")[-1] == "TimedOut"


def test_a_timeout_of_the_users_own_is_a_plain_failure(told: Any) -> None:
    @task(timeout=LONG)
    async def impatient() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(LONG)

    state = asyncio.run(impatient.run())
    assert (state.name, state.message) == ("Failed", "TimeoutError")


def test_each_attempt_has_the_whole_time(told: Any) -> None:
    tries = []

    @task(timeout=1.0, retries=1)
    def slow_once() -> str:
        tries.append(1)
        if len(tries) == 1:
            spin()
        return "done"

    assert slow_once() == "done"
    assert told.names("slow_once") == [
        "Pending",
        "Running",
        "AwaitingRetry",
        "Retrying",
        "Completed",
    ]


@pytest.mark.parametrize("on_main", [True, False])
def test_a_flow_is_stopped_in_the_midst_of_a_task_that_has_more_time(
    told: Any, on_main: bool
) -> None:
    @task(timeout=LONG)
    def patient() -> None:
        spin()

    @flow(timeout=1.0)
    def hasty() -> None:
        patient()

    raised: list[BaseException] = []

    def call() -> None:
        try:
            hasty()
        except BaseException as error:
            raised.append(error)

    if on_main:
        call()
    else:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert [str(error) for error in raised] == ["'hasty' exceeded 1 s"]
    assert told.names("hasty")[-1] == "TimedOut"
    last = told.states("patient")[-1]
    assert last.name == "Cancelled"
    assert last.message == "interrupted: Deadline: a run around it exceeded its timeout"


def test_a_task_with_less_time_leaves_the_flow_its_own(told: Any) -> None:
    @flow(timeout=2.0)
    def tries_hard() -> None:
        state = sleeper.run()
        assert state.name == "TimedOut"
        time.sleep(LONG)

    began = time.monotonic()
    with pytest.raises(TaskTimeout, match="'tries_hard' exceeded 2 s"):
        tries_hard()
    assert time.monotonic() - began < LONG / 2
    assert told.names("tries_hard")[-1] == "TimedOut"


def test_run_does_not_swallow_the_deadline_of_the_flow_around_it(told: Any) -> None:
    went_on = []

    @task
    def quiet() -> None:
        spin()

    @flow(timeout=0.2)
    def hasty() -> None:
        quiet.run()
        went_on.append("after the deadline")

    assert hasty.run().name == "TimedOut"
    assert went_on == []


def test_run_does_not_swallow_the_cancellation_of_an_asyncio_task(told: Any) -> None:
    went_on = []

    @task
    async def quiet() -> None:
        await asyncio.sleep(LONG)

    @flow(timeout=1.0)
    async def hasty() -> None:
        await quiet.run()
        went_on.append("after the deadline")

    assert asyncio.run(hasty.run()).name == "TimedOut"
    assert went_on == []
    assert told.names("quiet")[-1] == "Cancelled"


def test_a_flows_time_also_runs_while_it_waits_for_submitted_tasks(told: Any) -> None:
    released = threading.Event()

    @task
    def stuck() -> None:
        released.wait(LONG)

    @flow(timeout=0.2, runner=ThreadRunner(1))
    def hasty() -> None:
        stuck.submit()
        stuck.submit()

    state = hasty.run()
    released.set()
    assert state.name == "TimedOut"


@pytest.fixture
def alarm() -> Iterator[list[str]]:
    """The user's own alarm clock, as a debugger or a test runner may have set it."""
    rang: list[str] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append("theirs"))
    timer = signal.setitimer(signal.ITIMER_REAL, 0)
    yield rang
    signal.setitimer(signal.ITIMER_REAL, *timer)
    signal.signal(signal.SIGALRM, before)


def test_somebody_elses_alarm_still_rings(told: Any, alarm: list[str], until: Any) -> None:
    signal.setitimer(signal.ITIMER_REAL, 600)
    with pytest.raises(TaskTimeout):
        sleeper()
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] < 600
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    until(lambda: alarm == ["theirs"], "the other alarm was lost")


def test_whenever_time_is_up_nothing_of_the_alarm_is_left(alarm: list[str]) -> None:
    """Also in the instants in which the alarm is set, or taken away, and within another one."""
    theirs = signal.getsignal(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, 600)
    gc.collect()  # else it may ring in what is collected meanwhile, and pytest would complain
    gc.disable()
    try:
        _ring_at_all_times(theirs)
    finally:
        gc.enable()
    assert alarm == []


def _ring_at_all_times(theirs: Any) -> None:
    ended = set()
    for n in range(3000):
        inner, outer = (n % 61 + 1) * 1e-6, (n % 83 + 1) * 1e-6

        def both(inner: float = inner) -> int:
            with contextlib.suppress(TaskTimeout):
                return within(inner, "inner", lambda: sum(range(50)))
            return -1

        try:
            ended.add(within(outer, "outer", both))
        except TaskTimeout:
            ended.add(None)
        assert deadline._alarms == []
        assert signal.getsignal(signal.SIGALRM) is theirs
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert None in ended
    for n in range(600):  # the outer one rings as inner ones begin and end

        def many() -> None:
            for _ in range(200):
                within(LONG, "inner", lambda: None)

        with contextlib.suppress(TaskTimeout):
            within((n % 83 + 1) * 2e-5, "outer", many)
        assert deadline._alarms == []
        assert signal.getsignal(signal.SIGALRM) is theirs


def test_time_that_is_up_in_a_destructor_is_told_behind_it(
    alarm: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python drops what is raised there, and only reports it."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # pytest would keep it

    class Slow:
        def __del__(self) -> None:
            spin(0.3)

    def body() -> str:
        slow = Slow()
        del slow
        spin(LONG)
        return "not stopped"

    with pytest.raises(TaskTimeout):
        within(0.1, "slow", body)
    cleaned = []

    def tidies() -> None:
        try:
            spin(LONG)
        finally:
            spin(0.3)  # it is told once, however long it takes to tidy up
            cleaned.append("up")

    with pytest.raises(TaskTimeout):
        within(0.1, "tidy", tidies)
    assert cleaned == ["up"]


def test_no_alarm_is_left_behind(told: Any, alarm: list[str]) -> None:
    @task(timeout=0.5)
    def quick() -> str:
        return "done"

    assert quick() == "done"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    spin(0.6)
    assert alarm == []


def test_code_that_cant_be_stopped_is_timed_out_at_its_deadline_and_the_run_says_so(
    told: Any, until: Any
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    @task(timeout=0.2)
    def stubborn() -> None:
        begun.set()
        # One call into C that no exception interrupts, unlike a loop of short ones.
        may_end.wait(30)

    future = stubborn.submit()
    assert begun.wait(60)
    until(lambda: told.run("stubborn").state.name == "TimedOut", "its code kept the state waiting")
    assert not future.done()
    time.sleep(0.6)
    may_end.set()
    with pytest.raises(TaskTimeout):
        future.result()
    assert told.names("stubborn") == ["Pending", "Running", "TimedOut"]
    summary = connect().why(told.run("stubborn").id)["summary"]
    assert any("its code could not be stopped and went on for" in line for line in summary)
