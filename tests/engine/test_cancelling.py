"""A run that is asked to stop is interrupted where it is, and ends as Cancelled, with its parts."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from orion_nb import ThreadRunner, connect, flow, get_run_context, task
from orion_nb.engine import cancelling
from orion_nb.errors import RunStopped
from tests.engine.stopping import LONG, SOON, Cancels, ended

pytestmark = pytest.mark.usefixtures("ctrl_c_is_given_back")


def spin() -> None:
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        sum(range(100))


@pytest.mark.parametrize("kind", [flow, task])
def test_a_sleeping_call_on_the_main_thread(told: Any, cancels: Cancels, kind: Any) -> None:
    @kind(name="sleeper")
    def sleeper() -> None:
        time.sleep(LONG)

    cancels("sleeper")
    with pytest.raises(RunStopped, match=r"^Cancelled: it was asked to stop$"):
        sleeper()
    assert cancels.took < SOON
    ended(told, "sleeper")
    assert told.names("sleeper") == ["Pending", "Running", "Cancelling", "Cancelled"]
    assert told.states("sleeper")[2].message == "enough"


def test_a_sleeping_task_of_a_flow_ends_both_by_one_interrupt(told: Any, cancels: Cancels) -> None:
    went_on = []

    @task
    def inner() -> None:
        time.sleep(LONG)

    @flow
    def middle() -> None:
        try:
            inner()
        except Exception:
            went_on.append("middle")

    @flow
    def outer() -> None:
        try:
            middle()
        except Exception:
            went_on.append("outer")
        time.sleep(LONG)

    cancels("outer", lambda: told.runs("inner"))
    assert outer.run().name == "Cancelled"
    assert cancels.took < SOON
    assert went_on == []
    ended(told, "inner", "middle", "outer")


def test_only_the_task_that_was_asked_to_stop_stops(told: Any, cancels: Cancels) -> None:
    @task
    def inner() -> None:
        time.sleep(LONG)

    @flow
    def outer() -> str:
        with pytest.raises(RunStopped):
            inner()
        time.sleep(0.3)
        return "went on"

    cancels("inner")
    assert outer() == "went on"
    ended(told, "inner")
    assert told.run("outer").state.name == "Completed"


def test_tasks_on_threads(told: Any, cancels: Cancels) -> None:
    @task
    def busy(n: int) -> None:
        spin()

    @flow(runner=ThreadRunner(4))
    def outer() -> None:
        for future in busy.map(range(6)):
            future.result()

    cancels("outer", lambda: len(told.runs("busy")) >= 4)
    assert outer.run().name == "Cancelled"
    assert cancels.took < SOON
    ended(told, "busy", "outer")


def test_one_task_on_a_thread(told: Any, cancels: Cancels) -> None:
    @task
    def busy() -> None:
        spin()

    @task
    def fine() -> str:
        time.sleep(0.2)
        return "fine"

    @flow(runner=ThreadRunner(2))
    def outer() -> str:
        stopped, other = busy.submit(), fine.submit()
        assert isinstance(stopped.exception(), RunStopped)
        return other.result()

    cancels("busy")
    assert outer() == "fine"
    ended(told, "busy")


@pytest.mark.parametrize("on_main", [True, False])
def test_code_that_swallows_it_is_cancelled_all_the_same(
    told: Any, cancels: Cancels, on_main: bool
) -> None:
    @task
    def stubborn() -> str:
        with contextlib.suppress(BaseException):
            spin()
        return "what of it"

    @flow
    def outer() -> Any:
        return stubborn.run() if on_main else stubborn.submit().exception()

    cancels("stubborn")
    outer()
    assert cancels.took < SOON
    ended(told, "stubborn")
    assert "would have been Completed" in told.run("stubborn").state.message


def test_code_may_clean_up(told: Any, cancels: Cancels) -> None:
    cleaned = []

    @flow
    def careful() -> None:
        try:
            time.sleep(LONG)
        except KeyboardInterrupt:
            cleaned.append("as after Ctrl-C")
            raise
        finally:
            cleaned.append("finally")

    cancels("careful")
    careful.run()
    assert cleaned == ["as after Ctrl-C", "finally"]


def test_a_cancelled_run_is_not_tried_again(told: Any, cancels: Cancels) -> None:
    @task(retries=5)
    def sleeper() -> None:
        time.sleep(LONG)

    cancels("sleeper")
    assert sleeper.run().name == "Cancelled"
    assert told.run("sleeper").attempt == 1


def test_ctrl_c_stays_what_it_is(told: Any) -> None:
    time.sleep(2 * cancelling.AT_ONCE)  # one that comes together with one of ours is taken for it

    @flow
    def outer() -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        outer()
    assert told.names("outer")[-1] == "Cancelled"


def test_somebody_elses_handler_has_its_ctrl_c(told: Any, cancels: Cancels) -> None:
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append("theirs"))
    try:

        @flow
        def outer() -> None:
            signal.raise_signal(signal.SIGINT)
            time.sleep(LONG)

        cancels("outer", lambda: heard)
        assert outer.run().name == "Cancelled"
        assert heard == ["theirs"]
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_that_the_code_has_set_stays(told: Any) -> None:
    before = signal.getsignal(signal.SIGINT)

    def theirs(*_: object) -> None: ...

    @flow
    def outer() -> None:
        signal.signal(signal.SIGINT, theirs)

    outer()
    assert signal.getsignal(signal.SIGINT) is theirs
    signal.signal(signal.SIGINT, before)


def test_from_another_process(told: Any, cancels: Cancels, until: Any, script: Any) -> None:
    @flow
    def outer() -> None:
        process = script(
            """
            import sys
            from orion_nb import connect
            connect().cancel(sys.argv[1], why="from elsewhere")
            """,
            get_run_context().run.id,
        )
        assert process.wait() == 0
        began.append(time.monotonic())
        time.sleep(LONG)

    began: list[float] = []
    assert outer.run().name == "Cancelled"
    assert time.monotonic() - began[0] < SOON if began else True
    assert told.states("outer")[-2].message == "from elsewhere"


def test_while_it_waits_for_a_task_that_cant_be_interrupted(told: Any, cancels: Cancels) -> None:
    released = threading.Event()

    @task
    def stuck() -> None:
        released.wait(LONG)

    @flow
    def outer() -> None:
        stuck.submit().result()

    cancels("outer", lambda: told.runs("stuck"))
    try:
        assert outer.run().name == "Cancelled"
        assert cancels.took < SOON
    finally:
        released.set()


def test_a_run_that_begins_while_it_is_asked_to_stop(told: Any) -> None:
    def snap(self: Any) -> Any:
        # Its arguments are looked at after it has begun, and before its code has.
        connect().cancel(told.run("taker").id)
        time.sleep(0.5)
        return (str, ("x",))

    slow = type("Slow", (), {"__reduce__": snap})()
    called = []

    @task
    def taker(value: Any) -> None:
        called.append(value)
        time.sleep(LONG)

    @task
    def before() -> None: ...

    before()  # whoever looks for what is to stop looks already
    began = time.monotonic()
    assert taker.run(slow).name == "Cancelled"
    assert time.monotonic() - began < SOON * 2


def test_it_can_be_run_once_more_at_once(told: Any, cancels: Cancels) -> None:
    tries = []

    @flow
    def outer() -> str:
        tries.append(get_run_context().run.attempt)
        if len(tries) == 1:
            time.sleep(LONG)
        time.sleep(0.5)
        return "done"

    cancels("outer")
    state = outer.run()
    assert outer.rerun(state.run_id) == "done"
    assert tries == [1, 2]


def test_many_that_come_and_go_while_they_are_cancelled(told: Any, until: Any) -> None:
    """Interrupts come at any line of ours: none is lost, none strays, no run stays open."""
    over = threading.Event()

    def cancel() -> None:
        while not over.is_set():
            for each in connect().filter_runs(name="outer", states=["RUNNING"])["runs"]:
                connect().cancel(each["id"])
            time.sleep(0.002)

    @task
    def inner(n: int) -> int:
        return n

    @flow
    def outer() -> None:
        for n in range(1_000_000):
            inner(n)

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        for _ in range(12):
            assert outer.run().name == "Cancelled"
    finally:
        over.set()
        thread.join()
    assert all(run.state.is_terminal for run in told.runs("outer"))
    unfinished = connect().filter_runs(name="inner", states=["RUNNING", "PENDING", "CANCELLING"])
    assert unfinished["runs"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_script_that_ignores_ctrl_c_can_be_cancelled(script: Any, until: Any) -> None:
    process: subprocess.Popen[str] = script(
        """
        import signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from orion_nb import flow

        @flow
        def outer():
            time.sleep(30)

        state = outer.run()
        print(state.name, signal.getsignal(signal.SIGINT) is signal.SIG_IGN or "lost")
        """
    )
    until(lambda: connect().filter_runs(name="outer", states=["RUNNING"])["runs"])
    process.send_signal(signal.SIGINT)
    connect().cancel("outer")
    told, trouble = process.communicate(timeout=60)
    assert told.split() == ["Cancelled", "True"], trouble
