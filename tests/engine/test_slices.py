"""A check that fails takes its flow back to the task it names: what came of it is done again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orion_nb import connect, flow, task
from orion_nb.errors import InvalidInput


class Bad(Exception):
    """What a check raises."""


class Steps:
    """Counts how often the body of each step was executed."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def __call__(self, name: str) -> int:
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.counts[name]


@pytest.fixture
def done() -> Steps:
    return Steps()


def attempts(told: Any, *names: str) -> list[int]:
    return [told.run(name).attempt for name in names]


def tasks(done: Steps, bad: int = 2, **options: Any) -> dict[str, Any]:
    """Five tasks of a flow; the check of what was loaded fails `bad` times."""

    @task
    def settings() -> str:
        done("settings")
        return "the settings of today"

    @task
    def load(settings: str) -> list[int]:
        return [done("load"), 1000]

    @task
    def clean(rows: list[int]) -> list[int]:
        done("clean")
        return [*rows, 2000]

    @task(rerun_from="load", rerun_max=2, **options)
    def check(rows: list[int]) -> list[int]:
        if done("check") <= bad:
            raise Bad(f"rows of load {rows[0]}")
        return rows

    @task
    def publish(rows: list[int]) -> int:
        done("publish")
        return rows[0]

    return {each.name: each for each in (settings, load, clean, check, publish)}


ALL = ("settings", "load", "clean", "check", "publish")


@pytest.mark.parametrize("how", ["called", "submitted", "futures", "async", "async submitted"])
def test_only_the_slice_is_done_again(told: Any, done: Steps, how: str) -> None:
    t = tasks(done)

    @flow(name="etl")
    def called() -> int:
        return t["publish"](t["check"](t["clean"](t["load"](t["settings"]()))))

    @flow(name="etl")
    def submitted() -> int:
        rows = t["clean"].submit(t["load"].submit(t["settings"]()).result()).result()
        return t["publish"].submit(t["check"].submit(rows).result()).result()

    @flow(name="etl")
    def futures() -> int:
        rows = t["clean"].submit(t["load"].submit(t["settings"].submit()))
        return t["publish"].submit(t["check"].submit(rows)).result()

    @flow(name="etl")
    async def later() -> int:
        return called.fn()

    @flow(name="etl")
    async def later_submitted() -> int:
        rows = t["clean"].submit(t["load"].submit(t["settings"].submit()))
        return await t["publish"].submit(t["check"].submit(rows))

    if how == "async":
        assert asyncio.run(later()) == 3
    elif how == "async submitted":
        assert asyncio.run(later_submitted()) == 3
    else:
        assert {"called": called, "submitted": submitted, "futures": futures}[how]() == 3
    assert done.counts == {"settings": 1, "load": 3, "clean": 3, "check": 3, "publish": 1}
    assert attempts(told, *ALL) == [1, 3, 3, 3, 1]
    assert told.names("etl") == ["Pending", "Running", "Completed"]
    check = ["Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying"]
    assert [name for name in told.names("check") if name != "NotReady"] == [*check, "Completed"]
    assert told.names("load")[-4:] == ["Rerunning", "Completed", "Rerunning", "Completed"]
    assert "back to load: rerun 2 of 2" in "\n".join(connect().why("check")["summary"])


def test_what_is_beside_the_slice_stays(told: Any, done: Steps) -> None:
    t = tasks(done)

    @task
    def beside(text: str) -> str:
        done("beside")
        return text.upper()

    @flow
    def etl() -> tuple[int, str]:
        settings = t["settings"]()
        rows = t["load"](settings)
        other = beside(settings)
        return t["publish"](t["check"](t["clean"](rows))), other

    assert etl() == (3, "THE SETTINGS OF TODAY")
    assert done.counts["beside"] == 1
    assert attempts(told, "beside", "load", "check") == [1, 3, 3]


def test_what_the_code_made_of_it_counts_as_well(told: Any, done: Steps) -> None:
    t = tasks(done)

    @task
    def report(first: int) -> str:
        done("report")
        return f"it begins with {first}"

    @flow
    def etl() -> str:
        rows = t["load"](t["settings"]())
        text = report(rows[0] + 1 - 1)  # nobody can see where that number comes from
        t["check"](rows)
        return text

    assert etl() == "it begins with 3"
    assert attempts(told, "report", "load", "check") == [3, 3, 3]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_flow_within_the_slice_is_done_again_with_all_it_calls(
    told: Any, done: Steps, is_async: bool
) -> None:
    t = tasks(done)

    @flow(name="within")
    def within(rows: list[int]) -> list[int]:
        return t["clean"](rows)

    @flow(name="within")
    async def within_later(rows: list[int]) -> list[int]:
        return t["clean"](rows)

    @flow(name="etl")
    def etl() -> list[int]:
        return t["check"](within(t["load"](t["settings"]())))

    @flow(name="etl")
    async def etl_later() -> list[int]:
        return t["check"](await within_later(t["load"](t["settings"]())))

    result = asyncio.run(etl_later()) if is_async else etl()
    assert result == [3, 1000, 2000]
    assert attempts(told, "settings", "load", "within", "clean", "check") == [1, 3, 3, 3, 3]


def test_an_async_flow_waits_for_what_runs_beside_and_goes_back(told: Any, done: Steps) -> None:
    t = tasks(done, bad=1)

    @task
    async def slow() -> str:
        await asyncio.sleep(0.2)
        return "slow"

    @flow
    async def etl() -> tuple[list[int], str]:
        beside = slow.submit()
        rows = t["check"](t["load"]("x"))
        return rows, await beside

    assert asyncio.run(etl()) == ([2, 1000], "slow")
    assert told.run("slow").state.name == "Completed"


@pytest.mark.parametrize("how", ["called", "submitted", "not looked at", "futures", "async"])
def test_at_most_so_often_and_then_it_fails_as_itself(told: Any, done: Steps, how: str) -> None:
    t = tasks(done, bad=99)

    @flow(name="etl")
    def called() -> None:
        t["publish"](t["check"](t["load"](t["settings"]())))

    @flow(name="etl")
    def submitted() -> None:
        t["check"].submit(t["load"](t["settings"]())).result()

    @flow(name="etl")
    def not_looked_at() -> None:
        t["check"].submit(t["load"](t["settings"]()))

    @flow(name="etl")
    def futures() -> None:
        t["check"].submit(t["load"].submit(t["settings"].submit())).result()

    @flow(name="etl")
    async def later() -> None:
        await t["check"].submit(t["load"].submit(t["settings"].submit()))

    flows = {"called": called, "submitted": submitted, "not looked at": not_looked_at}
    with pytest.raises(Bad, match="rows of load 3"):
        asyncio.run(later()) if how == "async" else {**flows, "futures": futures}[how]()
    assert attempts(told, "settings", "load", "check") == [1, 3, 3]
    assert told.states("check")[-1].name == "Failed"
    assert told.states("check")[-1].message == "Bad: rows of load 3"
    assert told.states("etl")[-1].name == "Failed"


@pytest.mark.parametrize("how", ["called", "submitted", "futures", "async", "run", "alone"])
def test_where_nothing_of_that_name_was_called_it_is_a_plain_failure(told: Any, how: str) -> None:
    @task(rerun_from="laod")
    def check(x: int) -> int:
        raise Bad("no")

    @task
    def publish(x: int) -> None: ...

    @flow(name="etl")
    def called() -> None:
        check(1)

    @flow(name="etl")
    def submitted() -> None:
        check.submit(1).result()

    @flow(name="etl")
    def futures() -> None:
        publish.submit(check.submit(1))

    @flow(name="etl")
    async def later() -> None:
        await check.submit(1)

    @flow(name="etl")
    def run() -> None:
        state = check.run(1)
        assert (state.name, state.message) == ("Failed", "Bad: no")
        raise state.error or AssertionError

    flows = {"called": called, "submitted": submitted, "futures": futures, "run": run}
    with pytest.raises(Exception, match=r"no|check is Failed"):
        asyncio.run(later()) if how == "async" else {**flows, "alone": lambda: check(1)}[how]()
    assert told.names("check")[-2:] == ["Running", "Failed"]
    assert told.run("check").state.message == "Bad: no"
    assert all(run.state.is_terminal for run in told.runs())


def test_code_around_the_check_does_not_swallow_the_way_back(told: Any, done: Steps) -> None:
    t = tasks(done)

    @flow
    def etl() -> int:
        rows = t["load"](t["settings"]())
        try:
            return t["publish"](t["check"](rows))
        except Exception:
            return -1

    assert etl() == 3


def test_errors_that_rerun_on_does_not_take_are_plain_failures(told: Any, done: Steps) -> None:
    t = tasks(done, rerun_on=KeyError)

    @flow
    def etl() -> None:
        t["check"](t["load"](t["settings"]()))

    with pytest.raises(Bad):
        etl()
    assert attempts(told, "load", "check") == [1, 1]


def test_the_last_call_of_the_name_is_gone_back_to(told: Any) -> None:
    loaded = []

    @task
    def load(day: int) -> list[int]:
        loaded.append(day)
        return [day, len(loaded)]

    @task(rerun_from="load")
    def check(rows: list[int]) -> list[int]:
        if rows == [2, 2]:
            raise Bad("the second day")
        return rows

    @flow
    def etl() -> list[list[int]]:
        return [check(load(day)) for day in (1, 2, 3)]

    assert etl() == [[1, 1], [2, 3], [3, 4]]
    assert loaded == [1, 2, 2, 3]
    assert [run.attempt for run in told.runs("load")] == [1, 2, 1]
    assert [run.attempt for run in told.runs("check")] == [1, 2, 1]


def test_a_flow_called_in_a_flow_goes_back_by_itself(told: Any, done: Steps) -> None:
    t = tasks(done, bad=1)

    @flow
    def inner() -> list[int]:
        return t["check"](t["load"]("x"))

    @flow
    def outer() -> list[int]:
        t["settings"]()
        return inner()

    assert outer()[0] == 2
    assert attempts(told, "outer", "inner", "settings", "load", "check") == [1, 1, 1, 2, 2]


def test_submitted_tasks_that_have_begun_are_awaited_first(told: Any, done: Steps) -> None:
    t = tasks(done, bad=1)

    @task
    def long(rows: list[int]) -> int:
        done("long")
        return rows[0]

    @flow
    def etl() -> list[int]:
        rows = t["load"]("x")
        beside = [long.submit(rows) for _ in range(3)]
        checked = t["check"](rows)
        return [checked[0], *(each.result() for each in beside)]

    assert etl() == [2, 2, 2, 2]
    assert {run.state.name for run in told.runs("long")} == {"Completed"}
    assert {run.attempt for run in told.runs("long")} <= {1, 2}


def test_a_name_is_what_is_gone_back_to_and_it_is_checked(told: Any) -> None:
    with pytest.raises(InvalidInput, match="rerun_max"):
        task(rerun_from="load", rerun_max=-1)(lambda: None)
