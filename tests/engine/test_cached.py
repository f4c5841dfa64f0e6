"""A task whose result is known is not executed: across processes, and it says why or why not."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orion_nb import ThreadRunner, connect, flow, get_run_context, task
from orion_nb.clock import Frozen
from orion_nb.errors import InvalidInput

HIT = ["Pending", "Cached"]
DAY = 24 * 60 * 60


class Calls:
    """What was called, in a file: a list would be part of what the task depends on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, value: Any) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(value) + "\n")

    def told(self) -> list[Any]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def __len__(self) -> int:
        return len(self.told())


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path / "calls")


def names(told: Any, name: str) -> list[str]:
    return [run.state.name for run in told.runs(name)]


def test_the_same_call_is_answered_from_the_cache(told: Any, calls: Calls) -> None:
    @task(cache=True)
    def load(day: int, *, kind: str = "x") -> list[int]:
        calls.append(day)
        return [day] * 1000

    assert load(1) == load(day=1) == load(1, kind="x") == [1] * 1000
    assert load(2) == [2] * 1000
    assert load(1, kind="y") == [1] * 1000
    assert calls.told() == [1, 2, 1]
    assert names(told, "load") == ["Completed", "Cached", "Cached", "Completed", "Completed"]
    second = told.runs("load")[1]
    assert told.names(second.id) == HIT
    assert second.attempt == 0
    assert f"by run {told.runs('load')[0].id[-8:]}" in second.state.reason


@pytest.mark.parametrize("how", ["submitted", "async", "flow"])
def test_wherever_it_is_called(told: Any, calls: Calls, how: str) -> None:
    @task(cache=True)
    def load(day: int) -> int:
        calls.append(day)
        return day

    @task(cache=True)
    async def aload(day: int) -> int:
        return load.fn(day)

    @flow
    def etl() -> list[int]:
        return [load.submit(1).result() for _ in range(3)]

    @flow
    async def later() -> list[int]:
        return [await aload(1), await aload.submit(1), await aload(1)]

    if how == "async":
        import asyncio

        assert asyncio.run(later()) == [1, 1, 1]
    elif how == "flow":
        assert [etl()[0], etl()[0]] == [1, 1]
    else:
        assert etl() == [1, 1, 1]
    assert calls.told() == [1]


def test_it_expires(told: Any, calls: Calls, clock: Frozen) -> None:
    @task(cache="1w")
    def load() -> int:
        calls.append(1)
        return len(calls)

    assert load() == 1
    clock.advance(7 * DAY - 1)
    assert load() == 1
    clock.advance(2)
    assert load() == 2
    clock.advance(7 * DAY - 1)
    assert load() == 2
    assert names(told, "load") == ["Completed", "Cached", "Completed", "Cached"]


def test_it_is_refreshed_on_request(told: Any, calls: Calls) -> None:
    @task(cache=True)
    def load() -> int:
        calls.append(1)
        return len(calls)

    assert [load(), load.with_options(cache_refresh=True)(), load()] == [1, 2, 2]
    assert names(told, "load") == ["Completed", "Completed", "Cached"]


def test_a_key_of_ones_own(told: Any, calls: Calls) -> None:
    @task(cache=True, cache_key="{day:%Y-%m}")
    def monthly(day: Any, noise: float) -> str:
        calls.append(noise)
        return f"{day:%B}"

    from datetime import date

    assert monthly(date(2026, 3, 2), 0.1) == monthly(date(2026, 3, 9), 0.2) == "March"
    assert monthly(date(2026, 4, 1), 0.3) == "April"
    assert calls.told() == [0.1, 0.3]

    @task(cache_key=lambda given: None if given["n"] < 0 else given["n"] // 10)
    def tens(n: int) -> int:
        calls.append(n)
        return n

    calls.path.unlink()
    assert [tens(11), tens(19), tens(21), tens(-1), tens(-1)] == [11, 11, 21, -1, -1]
    assert calls.told() == [11, 21, -1, -1]
    assert told.states(told.runs("tens")[-1].id)[1].message == (
        "not cached: cache_key answered None"
    )


def test_what_has_no_content_to_know_it_by_runs_and_says_so(told: Any, calls: Calls) -> None:
    @task(cache=True)
    def load(lock: Any) -> int:
        calls.append(1)
        return 1

    lock = threading.Lock()
    assert [load(lock), load(lock)] == [1, 1]
    assert calls.told() == [1, 1]
    assert told.names(told.runs("load")[0].id) == ["Pending", "Running", "Completed"]
    message = told.states(told.runs("load")[0].id)[1].message
    assert message.startswith("not cached: argument lock: ")


@pytest.mark.parametrize("how", ["gone", "tampered"])
def test_what_was_lost_or_changed_is_computed_anew(
    told: Any, calls: Calls, home: Path, how: str
) -> None:
    @task(cache=True)
    def load() -> str:
        calls.append(1)
        return "x" * 10_000

    load()
    for file in (home / "results").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            if how == "gone":
                file.unlink()
            else:
                file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert load() == "x" * 10_000
    again = told.runs("load")[1]
    assert told.names(again.id) == ["Pending", "Cached", "Running", "Completed"]
    assert told.states(again.id)[2].message.startswith("the cached result can't be had: ")
    assert load() == "x" * 10_000
    assert told.names(told.runs("load")[2].id) == HIT
    assert len(calls) == 2


def test_a_result_that_cant_be_kept_is_computed_each_time(told: Any, calls: Calls) -> None:
    @task(cache=True)
    def load() -> Any:
        calls.append(1)
        return threading.Lock()

    load()
    load()
    assert len(calls) == 2
    assert {run.state.name for run in told.runs("load")} == {"Completed"}


def test_failures_are_not_cached(told: Any, calls: Calls) -> None:
    @task(cache=True)
    def flaky() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError
        return 7

    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        flaky()
    assert flaky() == 7
    assert flaky() == 7
    assert len(calls) == 2


def test_one_computes_and_the_others_wait(told: Any, calls: Calls) -> None:
    @task(cache=True)
    def slow(day: int) -> int:
        calls.append(day)
        time.sleep(0.3)
        return day * 1000

    @flow(runner=ThreadRunner(4))
    def etl() -> list[int]:
        return [each.result() for each in [slow.submit(1) for _ in range(4)]]

    assert etl() == [1000] * 4
    assert calls.told() == [1]
    assert sorted(names(told, "slow")) == ["Cached"] * 3 + ["Completed"]


def test_when_who_computes_it_fails_who_waits_does(told: Any, calls: Calls) -> None:
    @task(cache=True)
    def flaky() -> int:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.2)
            raise ValueError("the first")
        return 7

    @flow(runner=ThreadRunner(2))
    def etl() -> list[Any]:
        first, second = flaky.submit(), flaky.submit()
        return [str(first.exception()), second.result()]

    assert sorted(map(str, etl())) == ["7", "the first"]
    assert len(calls) == 2


FILLER = """
    import os, sys, time
    from orion_nb import task

    @task(cache_key="{day}")
    def slow(day):
        with open("bodies", "a") as file:
            file.write(f"{os.getpid()}\\n")
        time.sleep(float(sys.argv[1]))
        return day * 1000

    print(slow(7))
"""


def test_one_of_two_processes_computes(told: Any, script: Any, finish: Any, tmp_path: Path) -> None:
    both = [script(FILLER, 0.7) for _ in range(2)]
    assert [finish(each) for each in both] == ["7000\n"] * 2
    assert len((tmp_path / "bodies").read_text().split()) == 1
    assert sorted(names(told, "slow")) == ["Cached", "Completed"]


def test_a_process_that_is_killed_leaves_the_others_to_compute(
    told: Any, script: Any, finish: Any, until: Any, tmp_path: Path
) -> None:
    first = script(FILLER, 60)
    until(lambda: (tmp_path / "bodies").exists())
    second = script(FILLER, 0)
    until(lambda: len(told.runs("slow")) == 2)
    first.kill()
    assert finish(second) == "7000\n"
    assert len((tmp_path / "bodies").read_text().split()) == 2


# -- why -------------------------------------------------------------------------------------------


def test_why_it_hits_and_why_not(told: Any, clock: Frozen) -> None:
    @task(cache="1h")
    def load(day: int, kind: str = "x") -> int:
        return day

    @task
    def plain() -> None: ...

    assert str(plain.explain_cache()) == "miss; the task has no cache: say cache=True"
    assert str(load.explain_cache(1)) == "miss; nothing was cached for this task yet"
    load(1)
    found = load.explain_cache(1)
    first = told.run("load").id
    assert found.hit
    assert found.run == first
    assert str(found) == f"hit; computed 0 s ago by run {first[-8:]}"
    assert str(load.explain_cache(2)) == "miss; argument day changed"
    assert (
        str(load.explain_cache(2, kind="y")) == "miss; argument day changed; argument kind changed"
    )
    clock.advance(2 * 60 * 60)
    assert str(load.explain_cache(1)) == (
        f"miss; computed 2 h 00 min ago by run {first[-8:]}; expired: it is kept for 1 h 00 min"
    )
    refreshing = load.with_options(cache_refresh=True)
    assert "computed anew, as asked" in str(refreshing.explain_cache(1))
    lock = threading.Lock()
    assert str(load.explain_cache(lock)).startswith("miss; not cached: argument day: ")
    assert len(told.runs("load")) == 1  # to ask is not to run


def test_flows_have_no_cache(told: Any) -> None:
    with pytest.raises(InvalidInput, match="cache: only tasks have it"):
        flow(cache=True)(lambda: None)  # type: ignore[call-overload]


def test_a_hit_is_a_known_value_in_the_flow_around(told: Any) -> None:
    @task(cache=True)
    def load() -> list[int]:
        return [1000]

    @task
    def use(rows: list[int]) -> int:
        return len(rows)

    @flow
    def etl() -> int:
        return use(load()) + get_run_context().run.attempt

    assert etl() == etl() == 2
    hit = told.runs("load")[1]
    upstream = connect().lineage(told.runs("use")[1].id)["upstream"]
    assert [each["upstream"] for each in upstream] == [hit.id]
    assert json.loads(hit.state.result)["inline"] == [1000]
