"""Limits: so many run at once, in order of arrival, across processes; a dead one holds nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orion_nb import ThreadRunner, concurrency, connect, flow, task
from orion_nb.clock import SECOND
from orion_nb.errors import RunStopped
from orion_nb.rules import admission

WAITED = ["Pending", "AwaitingSlot", "Running", "Completed"]
AT_ONCE = 10.0  # seconds, on a machine that is busy; it takes about 0.02


def spans(told: Any, *names: str) -> list[tuple[int, int]]:
    """When each run ran (microseconds), in order of its start."""
    found = []
    for run in (run for name in names for run in told.runs(name)):
        running = [state for state in told.states(run.id) if state.type == "RUNNING"]
        found.append((running[-1].timestamp, run.end_time))
    return sorted(found)


def at_once(spans: list[tuple[int, int]]) -> int:
    """How many ran at the same time, at most."""
    edges = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def gaps(spans: list[tuple[int, int]]) -> list[float]:
    """From the end of each run to the start of the next (seconds), one after the other."""
    return [(later[0] - now[1]) / SECOND for now, later in pairwise(spans)]


def in_state(state: str) -> list[Any]:
    """The runs of `query` that are in this state."""
    found: list[Any] = connect().filter_runs(name="query", states=[state])["runs"]
    return found


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a slot looks by himself once a minute: before, somebody has to wake him."""
    monkeypatch.setattr(admission, "LOOK_AGAIN", 60.0)


@pytest.mark.parametrize("by", ["policy", "set", "tag", "name"])
def test_no_more_run_at_once_than_there_are_slots(told: Any, until: Any, by: str) -> None:
    released = threading.Event()
    options: dict[str, Any] = {}
    if by == "policy":
        options = {"concurrency": {"db": 2}}
    elif by == "set":
        connect().set_limit("db", 2)
        options = {"concurrency": "db"}
    elif by == "tag":
        connect().set_limit("tag:db", 2)
        options = {"tags": "db"}
    else:
        connect().set_limit("task:query", 2)

    @task(name="query", **options)
    def query(n: int) -> None:
        released.wait(60)

    @flow(runner=ThreadRunner(8))
    def etl() -> None:
        query.map(range(10))
        until(lambda: len(in_state("AwaitingSlot")) == 6)
        released.set()

    etl()
    assert at_once(spans(told, "query")) == 2
    assert sum(told.names(run.id) == WAITED for run in told.runs("query")) >= 6


def test_async_tasks_wait_without_a_thread(told: Any) -> None:
    @task(name="query", concurrency={"api": 3})
    async def ask(n: int) -> int:
        await released[0].wait()
        return n

    async def release() -> None:
        while len(in_state("AwaitingSlot")) < 9:  # noqa: ASYNC110 - a database sets no event
            await asyncio.sleep(0.01)
        released[0].set()

    @flow
    async def etl() -> list[int]:
        released.append(asyncio.Event())
        return list((await asyncio.gather(*(ask(n) for n in range(12)), release()))[:12])

    released: list[asyncio.Event] = []
    assert asyncio.run(etl()) == list(range(12))
    assert at_once(spans(told, "query")) == 3


def test_first_come_first_served(told: Any, until: Any) -> None:
    order: list[int] = []
    released = threading.Event()

    @task(concurrency={"db": 1})
    def query(n: int) -> None:
        order.append(n)
        if n == 0:
            released.wait(60)

    @flow(runner=ThreadRunner(8))
    def etl() -> None:
        for n in range(6):
            query.submit(n)
            state = "Running" if n == 0 else "AwaitingSlot"
            until(lambda n=n, state=state: len(in_state(state)) == max(1, n))
        released.set()

    etl()
    assert order == list(range(6))


def test_who_waits_is_seen_and_says_for_what(told: Any, until: Any) -> None:
    released = threading.Event()

    @task(concurrency={"db": 1})
    def query(n: int) -> None:
        released.wait(60)

    @flow(runner=ThreadRunner(3))
    def etl() -> None:
        query.map(range(3))
        waiting = {"name": "query", "states": ["AwaitingSlot"]}
        until(lambda: len(connect().filter_runs(**waiting)["runs"]) == 2)
        found = [connect().find(each["id"]) for each in connect().filter_runs(**waiting)["runs"]]
        said.extend(sorted(run.state.reason for run in found))
        told_of.update({each["name"]: each for each in connect().list_limits()["limits"]})
        released.set()

    said: list[str] = []
    told_of: dict[str, Any] = {}
    connect().set_limit("db", 1)
    etl()
    assert said == [
        "limit 'db': 1 of 1 slots in use",
        "limit 'db': 1 of 1 slots in use, 1 ahead in the queue",
    ]
    assert (told_of["db"]["used"], told_of["db"]["waiting"]) == (1, 2)


def test_a_limit_that_is_raised_lets_more_in(told: Any, until: Any) -> None:
    connect().set_limit("db", 1)
    released = threading.Event()

    @task(concurrency="db")
    def query(n: int) -> None:
        released.wait(60)

    @flow(runner=ThreadRunner(3))
    def etl() -> None:
        query.map(range(3))
        running = {"name": "query", "states": ["Running"]}
        until(lambda: len(connect().filter_runs(**running)["runs"]) == 1)
        connect().set_limit("db", 3)
        until(lambda: len(connect().filter_runs(**running)["runs"]) == 3)
        released.set()

    etl()


def test_a_cache_hit_needs_no_slot(told: Any, until: Any) -> None:
    released = threading.Event()

    @task(cache=True, concurrency={"db": 1})
    def known(n: int) -> int:
        return n

    @task(concurrency={"db": 1})
    def holds() -> None:
        released.wait(60)

    known(1)

    @flow
    def etl() -> int:
        holding = holds.submit()
        until(lambda: connect().filter_runs(name="holds", states=["Running"])["runs"])
        value = known(1)
        assert not holding.done()
        released.set()
        return value

    assert etl() == 1
    assert told.names(told.runs("known")[1].id) == ["Pending", "Cached"]


def test_a_retry_that_waits_for_its_time_holds_no_slot(told: Any, until: Any) -> None:
    @task(concurrency={"db": 1}, retries=1, retry_delay=600)
    def flaky() -> None:
        raise ValueError

    @task(concurrency={"db": 1})
    def other() -> None: ...

    @flow
    def etl() -> None:
        future = flaky.submit()
        until(lambda: connect().filter_runs(name="flaky", states=["AwaitingRetry"])["runs"])
        other()
        connect().cancel(future.run_id)
        future.exception()

    etl()
    assert told.names("flaky")[-1] == "Cancelled"
    assert told.names("other") == ["Pending", "Running", "Completed"]


def test_who_waits_for_a_slot_can_be_cancelled(told: Any, until: Any) -> None:
    released = threading.Event()

    @task(concurrency={"db": 1})
    def query(n: int) -> int:
        released.wait(60)
        return n

    @flow(runner=ThreadRunner(3))
    def etl() -> list[Any]:
        first, second, third = (query.submit(n) for n in range(3))
        waiting = {"name": "query", "states": ["AwaitingSlot"]}
        until(lambda: len(connect().filter_runs(**waiting)["runs"]) == 2)
        connect().cancel(second.run_id)
        stopped = second.exception()
        released.set()
        return [first.result(), stopped, third.result()]

    first, stopped, third = etl()
    assert (first, third) == (0, 2)
    assert isinstance(stopped, RunStopped)


def test_a_block_holds_a_slot(told: Any, until: Any) -> None:
    released = threading.Event()

    @task
    def query(n: int) -> None:
        with concurrency({"db": 2}):
            released.wait(60)

    @flow(runner=ThreadRunner(6))
    def etl() -> None:
        query.map(range(6))
        waiting = {"name": "concurrency db", "states": ["AwaitingSlot"]}
        until(lambda: len(connect().filter_runs(**waiting)["runs"]) == 4)
        released.set()

    etl()
    assert at_once(spans(told, "concurrency db")) == 2


def test_who_waits_is_woken_at_once(told: Any, seldom: None) -> None:
    @task(concurrency={"db": 1})
    def query(n: int) -> None:
        time.sleep(0.05)

    @flow(runner=ThreadRunner(5))
    def etl() -> None:
        query.map(range(5))

    etl()
    assert max(gaps(spans(told, "query"))) < AT_ONCE


HOLDER = """
    import sys, time
    from orion_nb import task

    @task(concurrency={"db": 1})
    def query():
        open(sys.argv[1], "w").close()
        time.sleep(float(sys.argv[2]))

    query()
"""


def test_who_waits_is_woken_by_another_process(
    told: Any, script: Any, finish: Any, until: Any, tmp_path: Path, seldom: None
) -> None:
    holder = script(HOLDER, tmp_path / "holds", 3.0)
    until(lambda: (tmp_path / "holds").exists())

    @task(concurrency={"db": 1})
    def waits() -> None: ...

    waits()
    finish(holder)
    assert told.names("waits") == WAITED
    assert gaps(spans(told, "query", "waits"))[0] < AT_ONCE


def test_a_killed_process_holds_no_slot(told: Any, script: Any, until: Any, tmp_path: Path) -> None:
    holder = script(HOLDER, tmp_path / "holds", 60)
    until(lambda: (tmp_path / "holds").exists())

    @task(concurrency={"db": 1})
    def waits() -> float:
        return time.monotonic()

    killed: list[float] = []

    def kill() -> None:
        until(lambda: connect().filter_runs(name="waits", states=["AwaitingSlot"])["runs"])
        killed.append(time.monotonic())
        holder.kill()
        holder.wait()

    thread = threading.Thread(target=kill)
    thread.start()
    woken = waits()
    thread.join()
    assert woken - killed[0] < AT_ONCE  # it would have held it for a minute
