"""Submitted tasks run on threads; their futures are waited for, passed on, cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import pytest

from orion_nb import TaskFuture, ThreadRunner, as_completed, connect, flow, task, unmapped, wait
from orion_nb.errors import InvalidInput, UpstreamFailed


@task
def one(x: Any = 0) -> Any:
    return x + 1


@task
def total(*numbers: Any, **more: Any) -> int:
    return added([*numbers, *more.values()])


def added(value: Any) -> int:
    return value if type(value) is int else sum(map(added, value))


@task
def bad(x: Any = None) -> Any:
    raise ValueError(f"no {x}")


@task
def opened(gate: threading.Event, x: Any = 1) -> Any:
    assert gate.wait(30)
    return x


@task(trigger="all_finished")
def heir(*inputs: Any) -> list[str]:
    return [type(each).__name__ for each in inputs]


def test_a_future_tells_of_the_run(told: Any) -> None:
    @flow
    def outer() -> Any:
        gate = threading.Event()
        future = opened.submit(gate, 7)
        assert isinstance(future, TaskFuture)
        assert future.state is None
        assert "opened" in repr(future)
        assert "not finished" in repr(future)
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
        with pytest.raises(TimeoutError, match=r"1 of 1 tasks did not finish in 0\.01 s"):
            wait([future], timeout=0.01)
        gate.set()
        assert future.result(timeout=30) == future.result() == 7
        assert future.exception() is None
        assert (future.state.name, future.state.value) == ("Completed", 7)
        assert future.state.run_id == future.run_id
        assert repr(future).endswith("Completed>")
        return future.run_id

    run_id = outer()
    assert connect().find(run_id).parent == told.run("outer").id
    assert told.names(run_id) == ["Pending", "Running", "Completed"]


def test_submit_works_outside_a_flow(told: Any) -> None:
    assert one.submit(1).result() == 2
    assert told.run("one").parent is None


def test_map_runs_one_task_per_item(told: Any) -> None:
    @task
    def join(a: int, b: str, c: Any, *, d: int) -> str:
        return f"{a}{b}{c}{d}"

    @flow
    def outer() -> list[str]:
        made = join.map(range(3), "ab", unmapped([1, 2]), d=[7, 8, 9])
        return [each.result() for each in made]

    assert outer() == ["0ab[1, 2]7", "1ab[1, 2]8", "2ab[1, 2]9"]
    assert len(told.runs("join")) == 3


def test_map_takes_generators_futures_whole_and_nothing_at_all(told: Any) -> None:
    @flow
    def outer() -> Any:
        whole = one.submit(1)
        made = total.map((n for n in range(2)), whole)
        empty = one.map([])
        return [each.result() for each in made], empty

    assert outer() == ([2, 3], [])


def test_map_says_what_does_not_fit(told: Any) -> None:
    with pytest.raises(InvalidInput, match=r"total\.map: .*different lengths \(0: 3, more: 2\)"):
        total.map([1, 2, 3], more=[1, 2])
    with pytest.raises(InvalidInput, match=r"one\.map: no argument can be iterated over; use .sub"):
        one.map("text")
    assert told.runs() == []


def test_a_future_is_an_input_before_it_is_done(told: Any) -> None:
    gate = threading.Event()

    @flow
    def outer() -> int:
        a, b = opened.submit(gate, 1), opened.submit(gate, 2)
        last = total.submit([a, (b,)], more=[one.submit(b)])
        other = total.submit(a, c=[b], d=5)
        gate.set()
        return last.result() + other.result()

    assert outer() == (1 + 2 + 3) + (1 + 2 + 5)
    waiting = [run for run in told.runs("total") if "NotReady" in told.names(run.id)]
    assert waiting
    states = told.states(waiting[0].id)
    assert [s.name for s in states] == ["Pending", "NotReady", "Running", "Completed"]
    assert states[1].message == "waits for opened and 2 more"


def test_a_sync_call_waits_for_its_futures_too(told: Any) -> None:
    @flow
    def inner(n: int) -> int:
        return n

    @flow
    def outer() -> Any:
        return one(one.submit(1)), inner(one.submit(2))

    assert outer() == (3, 3)
    assert told.run("inner").parameters == {"n": 3}


def test_arguments_without_futures_are_the_very_objects(told: Any) -> None:
    seen: list[Any] = []
    sent = [1, {"a": [2]}, (3,), {4}, threading.Lock(), lambda: None]
    look = task(lambda *args, **kwargs: seen.extend([*args, *kwargs.values()]), name="look")

    @flow
    def outer() -> None:
        look.submit(*sent, more=sent).result()
        look(*sent, more=sent)

    outer()
    flow(lambda *args, **kwargs: seen.extend([*args, *kwargs.values()]), name="f")(*sent, more=sent)
    for at, each in enumerate(seen):
        assert each is [*sent, sent][at % 7]
    assert len(seen) == 21


def test_what_depends_on_a_failure_does_not_run(told: Any) -> None:
    @flow
    def outer() -> Any:
        broken = bad.submit("data")
        next_one = one.submit(broken)
        last = total.submit([one.submit(1), next_one])
        with pytest.raises(UpstreamFailed, match="upstream one is UpstreamFailed"):
            last.result()
        assert next_one.state.name == "UpstreamFailed"
        return "went on"

    assert outer() == "went on"
    assert told.run("total").run_count == 0
    assert told.names("total")[-1] == "UpstreamFailed"


def test_triggers_run_on_what_went_wrong(told: Any) -> None:
    clean_up = task(lambda x: f"after {x}", name="clean_up", trigger="any_failed")

    @flow
    def outer() -> Any:
        good, broken = one.submit(1), bad.submit("data")
        skipped, ran = clean_up.submit(good), clean_up.submit(broken)
        return heir.submit(good, broken).result(), skipped.result(), ran.result()

    assert outer() == (["int", "ValueError"], None, "after no data")
    assert [run.state.name for run in told.runs("clean_up")] in (
        ["Skipped", "Completed"],
        ["Completed", "Skipped"],
    )


@pytest.mark.parametrize("depends", [False, True])
def test_a_failure_nobody_looked_at_fails_the_flow(told: Any, depends: bool) -> None:
    @flow
    def outer() -> str:
        broken = bad.submit("data")
        one.submit(1)
        if depends:
            one.submit(broken)
        return "all is well, is it?"

    with pytest.raises(ValueError, match="no data"):
        outer()
    assert told.names("outer")[-1] == "Failed"


@pytest.mark.parametrize(
    "look",
    [
        TaskFuture.exception,
        lambda future: future.exception(30),
        lambda future: wait([future]),
        lambda future: next(as_completed([future])).state,
        lambda future: heir(future),
        lambda future: heir.submit(future),
        lambda future: one.submit(future).exception(),
    ],
)
def test_a_failure_somebody_looked_at_does_not(
    told: Any, look: Callable[[TaskFuture[Any]], Any]
) -> None:
    @flow
    def outer() -> str:
        look(bad.submit("data"))
        return "known"

    assert outer() == "known"


def test_a_task_waits_for_what_it_submitted_as_a_flow_does(told: Any) -> None:
    @task
    def parent(child: Any) -> None:
        for _ in range(5):
            child.submit()

    parent(task(lambda: time.sleep(0.01), name="child"))
    assert [run.state.name for run in told.runs("child")] == ["Completed"] * 5
    ended = max(run.end_time for run in told.runs("child"))
    assert told.run("parent").end_time >= ended
    with pytest.raises(ValueError, match="no None"):
        parent(bad)


def test_a_flow_that_fails_drops_what_has_not_begun_and_waits_for_the_rest(told: Any) -> None:
    begun, gate = threading.Event(), threading.Event()

    @task
    def running() -> None:
        begun.set()
        assert gate.wait(30)

    @flow(runner=ThreadRunner(1))
    def outer() -> None:
        made = [running.submit(), one.submit(1)]
        one.submit(made)
        assert begun.wait(30)
        threading.Timer(0.05, gate.set).start()
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        outer()
    assert told.names("running")[-1] == "Completed"
    assert [run.state.name for run in told.runs("one")] == ["Cancelled"] * 2
    assert told.run("running").end_time <= told.run("outer").end_time


def test_cancel_stops_what_has_not_begun(told: Any) -> None:
    gate = threading.Event()

    @flow(runner=ThreadRunner(1))
    def outer() -> Any:
        held = opened.submit(gate)
        queued, waiting = one.submit(1), one.submit(held)
        depends = one.submit(waiting)
        assert queued.cancel()
        assert waiting.cancel()
        assert queued.cancel()
        gate.set()
        assert held.result() == 1
        assert not held.cancel()
        with pytest.raises(CancelledError):
            queued.result()
        with pytest.raises(UpstreamFailed, match="upstream one is Cancelled"):
            depends.result()
        assert queued.state.name == "Cancelled"
        return queued.run_id, waiting.run_id

    queued, waiting = outer()
    assert told.names(queued) == ["Pending", "Cancelled"]
    assert told.names(waiting) == ["Pending", "NotReady", "Cancelled"]
    assert told.states(queued)[-1].message == "cancelled before it began"


def test_wait_keeps_the_order_and_as_completed_that_of_the_end(told: Any) -> None:
    gates = [threading.Event() for _ in range(3)]

    @flow(runner=ThreadRunner(3))
    def outer() -> None:
        futures = [opened.submit(gate, n) for n, gate in enumerate(gates)]
        seen = []
        gates[2].set()
        for future in as_completed(futures):
            n = future.result()
            seen.append(n)
            if n > 0:
                gates[n - 1].set()
        assert seen == [2, 1, 0]
        assert [state.value for state in wait(futures)] == [0, 1, 2]

    outer()
    with pytest.raises(TimeoutError):
        next(as_completed([opened.submit(closed := threading.Event())], timeout=0.01))
    closed.set()
