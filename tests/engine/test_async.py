"""Async flows and tasks live on the caller's loop, and sync ones beside them do too."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from orion_nb import flow, get_run_context, task
from orion_nb.errors import UpstreamFailed


@task
async def later(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@task
async def bad() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


@task
def sync(x: int) -> int:
    return x + 1


def test_gather_two_hundred(told: Any) -> None:
    threads = set()

    @task
    async def one(n: int) -> int:
        threads.add(threading.get_ident())
        await asyncio.sleep(0.001)
        return n

    @flow
    async def outer() -> int:
        return sum(await asyncio.gather(*(one(n) for n in range(200))))

    assert asyncio.run(outer()) == sum(range(200))
    assert threads == {threading.get_ident()}
    runs, parent = told.runs("one"), told.run("outer")
    assert len(runs) == 200
    assert {(run.parent, run.state.name) for run in runs} == {(parent.id, "Completed")}


def test_each_of_two_flows_at_once_has_its_own_children(told: Any) -> None:
    @flow
    async def outer(n: int) -> tuple[str, str]:
        await asyncio.sleep(0)
        run_id = await later.submit(n) and get_run_context().run.id
        return run_id, (await asyncio.gather(whose(), whose()))[0]

    @task
    async def whose() -> str:
        return get_run_context().run.parent or ""

    async def main() -> Any:
        return await asyncio.gather(*(outer(n) for n in range(5)))

    for mine, parent_of_my_child in asyncio.run(main()):
        assert mine == parent_of_my_child


def test_a_sync_task_in_an_async_flow_is_just_called(told: Any) -> None:
    @flow
    async def outer() -> Any:
        return sync(1), await later(sync(2)), await sync.submit(3), threading.get_ident()

    assert asyncio.run(outer()) == (2, 4, 4, threading.get_ident())


def test_an_async_task_submitted_in_an_async_flow_runs_on_its_loop(told: Any) -> None:
    @task
    async def where() -> int:
        return threading.get_ident()

    @flow
    async def outer() -> Any:
        future = later.submit(sync.submit(1))
        with pytest.raises(RuntimeError, match="'later' runs on this thread's event loop: await"):
            future.result()
        with pytest.raises(RuntimeError, match="await its future instead of waiting for it"):
            sync.submit(later.submit(1)).result()
        return await future, await where.submit(), [await each for each in later.map([1, 2])]

    assert asyncio.run(outer()) == (3, threading.get_ident(), [2, 3])


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_an_async_task_submitted_in_a_sync_flow_runs_on_a_thread(
    told: Any, in_a_loop: bool
) -> None:
    # A notebook's cell is sync code on a thread whose loop is running.
    @flow
    def outer() -> Any:
        return later.submit(1).result(), [each.result() for each in later.map([1, 2])]

    async def main() -> Any:
        return outer()

    assert (asyncio.run(main()) if in_a_loop else outer()) == (2, [2, 3])


@pytest.mark.parametrize("depends", [False, True])
def test_a_failure_nobody_looked_at_fails_an_async_flow(
    told: Any, caplog: pytest.LogCaptureFixture, depends: bool
) -> None:
    @flow
    async def outer() -> str:
        broken = bad.submit()
        if depends:
            later.submit(broken)
        sync.submit(1)
        return "all is well, is it?"

    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="no"):
        asyncio.run(outer())
    assert told.names("outer")[-1] == "Failed"
    if depends:
        assert told.names("later")[-1] == "UpstreamFailed"
    assert caplog.records == [], "asyncio says that an exception was never retrieved"


def test_inputs_of_async_runs_are_waited_for_on_the_loop(told: Any) -> None:
    @flow
    async def inner(n: int, more: list[int]) -> int:
        return n + sum(more)

    @flow
    async def outer() -> Any:
        a, b = later.submit(1), sync.submit(2)
        with pytest.raises(UpstreamFailed):
            await later(bad.submit())
        with pytest.raises(ValueError, match="no"):
            await inner(bad.submit(), [])
        return await later(a), await inner(a, more=[b])

    assert asyncio.run(outer()) == (3, 5)


def test_run_is_a_coroutine_that_answers_with_the_state(told: Any) -> None:
    async def main() -> Any:
        return await later.run(1), await bad.run()

    good, failed = asyncio.run(main())
    assert (good.name, good.value) == ("Completed", 2)
    assert (failed.name, str(failed.error)) == ("Failed", "no")


def test_a_cancelled_asyncio_task_is_a_cancelled_run(told: Any) -> None:
    async def main() -> None:
        started = asyncio.Event()

        @task
        async def endless() -> None:
            started.set()
            await asyncio.Event().wait()

        running = asyncio.create_task(endless())
        await started.wait()
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert told.names("endless") == ["Pending", "Running", "Cancelled"]


def test_a_loop_that_closes_ends_what_it_left(told: Any) -> None:
    @task
    async def endless() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        endless.submit()
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert told.names("endless")[-1] == "Cancelled"


def test_an_async_flow_that_fails_leaves_nothing_running(told: Any) -> None:
    @flow
    async def outer() -> None:
        later.map(range(3))
        await asyncio.sleep(0)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        asyncio.run(outer())
    assert {run.state.is_terminal for run in told.runs()} == {True}
