"""What completed is not executed again when a run is: it is found by what it was called with."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from orion_nb import ThreadRunner, connect, flow, get_run_context, task
from orion_nb.errors import InvalidInput, RunNotFound

RETRIED = ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]


class Once(Exception):
    """The first attempt fails with it."""


def fails_at_first() -> None:
    if get_run_context().run.attempt == 1:
        raise Once


@pytest.fixture
def calls() -> list[Any]:
    return []


@pytest.mark.parametrize("how", ["called", "submitted", "mapped", "nested", "async", "gathered"])
def test_completed_tasks_are_not_executed_again(told: Any, calls: list[Any], how: str) -> None:
    @task
    def load(day: int) -> list[int]:
        calls.append(day)
        return [day]

    @task
    async def aload(day: int) -> list[int]:
        return load.fn(day)

    @flow
    def within(day: int) -> list[int]:
        return load(day)

    @flow(name="etl", retries=1)
    def etl() -> list[list[int]]:
        if how == "called":
            found = [load(1), load(2)]
        elif how == "submitted":
            found = [each.result() for each in (load.submit(1), load.submit(2))]
        elif how == "mapped":
            found = [each.result() for each in load.map([1, 2])]
        else:
            found = [within(1), within(2)]
        fails_at_first()
        return found

    @flow(name="etl", retries=1)
    async def later() -> list[list[int]]:
        if how == "gathered":
            found = await asyncio.gather(aload(1), aload(2))
        else:
            found = [await aload.submit(1), await aload(2)]
        fails_at_first()
        return found

    result = asyncio.run(later()) if how in ("async", "gathered") else etl()
    assert result == [[1], [2]]
    assert sorted(calls) == [1, 2]
    assert told.names("etl") == RETRIED
    name = "aload" if how in ("async", "gathered") else "load"
    assert [run.attempt for run in told.runs(name)] == [1, 1]


def test_a_failed_one_is_the_same_run_in_a_new_attempt(told: Any, calls: list[Any]) -> None:
    @task
    def flaky(n: int) -> int:
        calls.append(n)
        if calls == [1, 2]:
            raise Once
        return n

    @flow(retries=1)
    def etl() -> list[int]:
        return [flaky(n) for n in (1, 2, 3)]

    assert etl() == [1, 2, 3]
    assert calls == [1, 2, 2, 3]
    assert [run.attempt for run in told.runs("flaky")] == [1, 2, 1]
    assert told.names(told.runs("flaky")[1].id) == [
        "Pending", "Running", "Failed", "Rerunning", "Completed",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["awaited", "submitted", "threads"])
def test_each_call_gets_its_own_result_whatever_comes_first(told: Any, how: str) -> None:
    """The second steps of two chains come in another order in the second attempt."""
    first = asyncio.Event()
    other = threading.Event()

    @task
    async def load(name: str) -> dict[str, str]:
        if get_run_context().run.attempt == 1 and name == "a" and not first.is_set():
            await first.wait()
        return {"name": name}

    @task
    async def parse(row: dict[str, str]) -> str:
        first.set()
        return row["name"].upper() * 20

    @task
    def load_here(name: str) -> dict[str, str]:
        if name == "a":
            other.wait(60)
        return {"name": name}

    @task
    def parse_here(row: dict[str, str]) -> str:
        other.set()
        return row["name"].upper() * 20

    async def chain(name: str) -> str:
        if how == "awaited":
            return await parse(await load(name))
        return await parse.submit(await load.submit(name))

    @flow(retries=1)
    async def etl() -> list[str]:
        found = await asyncio.gather(chain("a"), chain("b"))
        fails_at_first()
        return found

    @task
    def chain_here(name: str) -> str:
        return parse_here(load_here(name))

    @flow(retries=1, runner=ThreadRunner(2))
    def etl_here() -> list[str]:
        found = [each.result() for each in chain_here.map(["a", "b"])]
        fails_at_first()
        return found

    result = etl_here() if how == "threads" else asyncio.run(etl())
    assert result == ["A" * 20, "B" * 20]


@pytest.mark.parametrize("why", ["persist", "unpicklable", "gone"])
def test_what_was_not_kept_is_executed_again_and_says_why(
    told: Any, calls: list[Any], home: Any, why: str
) -> None:
    @task(persist=False if why == "persist" else None)
    def load() -> Any:
        calls.append(1)
        if why == "unpicklable":
            return threading.Lock()
        return "x" * 10_000

    @flow(retries=1)
    def etl() -> None:
        load()
        if why == "gone" and get_run_context().run.attempt == 1:
            for file in (home / "results").rglob("*"):
                if file.is_file():
                    file.unlink()
        fails_at_first()

    etl()
    assert calls == [1, 1]
    states = told.states("load")
    assert [state.name for state in states] == [
        "Pending", "Running", "Completed", "Rerunning", "Completed",
    ]  # fmt: skip
    says = {
        "persist": "executed again: the value was not kept; persist=True keeps it",
        "unpicklable": "executed again: ",
        "gone": "executed again: ",
    }
    assert states[3].message.startswith(says[why])
    assert len(states[3].message) > len("executed again: ")


@pytest.mark.parametrize(
    ("result", "value", "executed"),
    [(None, None, 0), ('{"inline":42}', 42, 0), ("elsewhere", "done", 1)],
)
def test_a_task_that_was_set_completed_by_hand_is_not_executed(
    told: Any, calls: list[Any], result: str | None, value: Any, executed: int
) -> None:
    @task
    def broken() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise Once
        return "done"

    @flow
    def etl() -> Any:
        return {"got": broken()}

    state = etl.run()
    run = told.run("broken").id
    connect().propose(run, "COMPLETED", force=True, why="done by hand", by="ana", result=result)
    assert etl.rerun(state.run_id) == {"got": value}
    assert len(calls) == 1 + executed


def test_a_flow_that_was_set_completed_by_hand_can_be_rerun(told: Any, calls: list[Any]) -> None:
    @task
    def load() -> int:
        calls.append("load")
        return 1

    @flow
    def etl(day: int) -> int:
        load()
        if len(calls) == 1:
            raise Once
        calls.append(day)
        return day

    calls.append("x")
    calls.clear()
    with pytest.raises(Once):
        etl(5)
    run = told.run("etl").id
    connect().propose(run, "COMPLETED", force=True, why="enough", by="ana")
    calls.append("again")
    assert etl.rerun(run) == 5
    assert calls == ["load", "again", 5]
    assert told.names(run)[-3:] == ["Completed", "Rerunning", "Completed"]


def test_a_rerun_has_all_its_retries_again(told: Any) -> None:
    @flow(retries=1)
    def etl() -> None:
        if get_run_context().run.attempt < 4:
            raise Once

    assert etl.run().name == "Failed"
    etl.rerun(told.run("etl").id)
    assert told.names("etl") == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "Failed", "Rerunning", "AwaitingRetry",
        "Retrying", "Completed",
    ]  # fmt: skip


def test_an_async_flow_is_rerun_by_awaiting(told: Any) -> None:
    @flow
    async def etl(x: int, *, y: int = 2) -> int:
        fails_at_first()
        return x + y

    state = asyncio.run(etl.run(1, y=5))
    assert asyncio.run(etl.rerun(state.run_id)) == 6
    assert asyncio.run(etl.rerun(state.run_id, 10)) == 12


def test_a_run_is_rerun_with_the_arguments_it_had(told: Any) -> None:
    seen = []

    @flow
    def etl(rows: list[int], when: Any = None) -> int:
        rows.append(99)  # what it was given is what it was given
        seen.append((list(rows), when))
        fails_at_first()
        return len(rows)

    state = etl.run([1, 2], when={3})
    assert etl.rerun(state.run_id) == 3
    assert seen == [([1, 2, 99], {3})] * 2


def test_what_cant_be_rerun_is_refused(told: Any) -> None:
    @flow
    def etl() -> None: ...

    @flow
    def other() -> None: ...

    etl()
    with pytest.raises(RunNotFound):
        etl.rerun("f" * 32)
    with pytest.raises(InvalidInput, match="is a run of flow 'etl', not of flow 'other'"):
        other.rerun(told.run("etl").id)


def test_a_task_that_an_earlier_attempt_still_executes_is_left_to_it(told: Any) -> None:
    released = threading.Event()

    @task
    def stuck() -> str:
        if get_run_context().run.parent and len(told.runs("stuck")) == 1:
            released.wait(60)
        return "done"

    @flow(retries=1, timeout=0.3, runner=ThreadRunner(4))
    def etl() -> str:
        return stuck.submit().result()

    try:
        assert etl() == "done"
    finally:
        released.set()
    assert told.names("etl") == RETRIED
