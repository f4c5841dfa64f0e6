"""Threads: never more than asked for, and never locked up by tasks that wait for tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import UserList
from typing import Any

import pytest

from orion_nb import TaskFuture, ThreadRunner, as_completed, flow, task, wait
from orion_nb.errors import InvalidInput


@task
def leaf(n: int) -> int:
    return n


def results(futures: list[TaskFuture[int]]) -> list[int]:
    return [future.result() for future in futures]


WAYS = {
    "result": results,
    "wait": lambda futures: [state.value for state in wait(futures)],
    "as_completed": lambda futures: [future.result() for future in as_completed(futures)],
    "at its end": lambda futures: [],
}


@pytest.mark.parametrize("way", WAYS)
def test_two_thousand_tasks_within_waiting_tasks_end_on_two_threads(told: Any, way: str) -> None:
    @task
    def branch(n: int) -> int:
        found = WAYS[way](leaf.map(range(50)))
        return sum(found) if found else sum(range(50))

    @flow(runner=ThreadRunner(2), timeout="2m")
    def tree() -> int:
        return sum(results(branch.map(range(10 if way != "result" else 40))))

    assert tree() == (10 if way != "result" else 40) * sum(range(50))
    assert told.names("tree")[-1] == "Completed"


def test_a_task_deep_in_waiting_tasks_ends_on_one_thread(told: Any) -> None:
    @task
    def nested(depth: int) -> int:
        return 0 if depth == 0 else 1 + nested.submit(depth - 1).result()

    @flow(runner=ThreadRunner(1), timeout="1m")
    def deep() -> int:
        return nested.submit(30).result()

    assert deep() == 30


def test_a_waiting_task_runs_what_its_future_depends_on(told: Any) -> None:
    @task
    def outer(n: int) -> int:
        first = leaf.submit(n)
        second = leaf.submit(first)
        return leaf.submit(second).result()

    @flow(runner=ThreadRunner(1), timeout="1m")
    def chained() -> list[int]:
        return results(outer.map(range(5)))

    assert chained() == list(range(5))


def test_a_waiting_task_is_woken_when_its_future_can_begin(told: Any) -> None:
    # The future depends on one that runs elsewhere, and all threads are taken by those who wait.
    begun, gate = threading.Event(), threading.Event()

    @task
    def elsewhere() -> int:
        begun.set()
        assert gate.wait(30)
        return 1

    @flow(runner=ThreadRunner(1), timeout="1m")
    def waits(upstream: Any) -> int:
        return task(lambda: leaf.submit(upstream[0]).result(), name="outer").submit().result()

    future = elsewhere.submit()
    assert begun.wait(30)
    threading.Timer(0.1, gate.set).start()
    # A flow would wait for a future that it is given; in an object of ours it is not seen.
    assert waits(UserList([future])) == 1
    leaves = task(lambda: leaf.submit(future).result(), name="outer")
    assert flow(lambda: leaves.submit().result(), name="again", runner=ThreadRunner(1))() == 1


def test_a_chain_of_two_thousand_futures(told: Any) -> None:
    @task
    def outer() -> int:
        future: Any = 0
        for _ in range(2000):
            future = step.submit(future)
        return future.result()

    step = task(lambda n: n + 1, name="step")
    assert flow(outer.fn, name="chain")() == 2000
    assert flow(lambda: outer.submit().result(), name="inside", runner=ThreadRunner(1))() == 2000


def test_no_more_threads_than_asked_for(told: Any) -> None:
    lock, now, most = threading.Lock(), 0, 0

    @task
    def busy() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1

    @flow(runner=ThreadRunner(3))
    def outer() -> None:
        results([busy.submit() for _ in range(60)])

    outer()
    assert most == 3


@pytest.mark.parametrize("n", [0, -1])
def test_no_runner_without_threads(n: int) -> None:
    with pytest.raises(InvalidInput, match=f"max_workers: {n} is not 1 or more"):
        ThreadRunner(n)


def test_a_flow_passes_its_runner_on_unless_another_is_given(told: Any) -> None:
    named = task(lambda: threading.current_thread().name, name="named")
    inner = flow(lambda: named.submit().result(), name="inner")
    shared = ThreadRunner(1)
    outer = flow(lambda: {inner(), inner(), named.submit().result()}, name="o", runner=shared)
    assert len(outer()) == 1
    other = inner.with_options(runner=ThreadRunner(1))
    assert len(flow(lambda: {other() for _ in range(3)}, name="o", runner=shared)()) == 1
    assert shared.max_workers == 1


def test_async_tasks_on_a_full_runner_may_wait_for_sync_ones(told: Any) -> None:
    @task
    async def branch(n: int) -> int:
        first = leaf.submit(n)
        second = aleaf.submit(first)
        return await leaf.submit(second) + await second

    @task
    async def aleaf(n: int) -> int:
        await asyncio.sleep(0)
        return n

    @flow(runner=ThreadRunner(1), timeout="1m")
    def tree() -> list[int]:
        return results(branch.map(range(4)))

    assert tree() == [0, 2, 4, 6]
