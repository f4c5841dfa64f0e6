"""Triggers, callbacks, service levels, objects by reference: what surrounds a call."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orion_nb import State, connect, flow, get_run_context, task
from orion_nb.errors import RunStopped, UpstreamFailed


@task
def good() -> str:
    return "good"


@task
def bad() -> None:
    raise ValueError("bad")


@pytest.mark.parametrize(
    ("trigger", "upstream", "state"),
    [
        ("all_completed", [good, good], "Completed"),
        ("all_completed", [good, bad], "UpstreamFailed"),
        ("all_finished", [good, bad], "Completed"),
        ("any_failed", [good, bad], "Completed"),
        ("any_failed", [good, good], "Skipped"),
        (lambda states: sum(each.type == "FAILED" for each in states) == 1, [bad, good],
         "Completed"),
        (lambda states: len(states) > 5, [good, good], "Skipped"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("submitted", [True, False])
def test_a_trigger_says_when_a_task_runs(
    told: Any, trigger: Any, upstream: list[Any], state: str, submitted: bool
) -> None:
    @task(trigger=trigger)
    def after(found: list[Any]) -> None: ...

    @flow
    def etl() -> None:
        futures = [each.submit() for each in upstream]
        for each in futures:
            each.exception()
        if submitted:
            after.submit(futures).exception()
        else:
            after.run(futures)

    etl()
    assert told.run("after").state.name == state


def test_a_trigger_function_is_given_the_states(told: Any) -> None:
    seen: list[list[State]] = []

    def both(states: list[State]) -> bool:
        seen.append(states)
        return True

    @task(trigger=both)
    def after(a: Any, b: Any) -> Any:
        return a, b

    @flow
    def etl() -> Any:
        return after.submit(good.submit(), bad.submit()).result()

    a, b = etl()
    assert a == "good"
    assert isinstance(b, ValueError)
    assert [[(state.name, state.message) for state in states] for states in seen] == [
        [("Completed", None), ("Failed", "ValueError: bad")]
    ]


@pytest.mark.parametrize("submitted", [True, False])
def test_a_trigger_function_that_fails_fails_the_task(told: Any, submitted: bool) -> None:
    @task(trigger=lambda states: 1 / 0)
    def after(a: Any) -> None: ...

    @flow
    def etl() -> None:
        if submitted:
            after.submit(good.submit()).result()
        else:
            after(good.submit())

    with pytest.raises(ZeroDivisionError):
        etl()
    assert told.run("after").state.message == "ZeroDivisionError: division by zero"
    assert all(run.state.is_terminal for run in told.runs())


def test_what_did_not_run_says_so_to_who_asks_for_it(told: Any) -> None:
    @task(trigger="any_failed")
    def after(a: Any) -> None: ...

    @task
    def needs(a: Any) -> None: ...

    @flow
    def skips() -> None:
        after.submit(good.submit()).result()

    @flow
    def fails() -> None:
        upstream = bad.submit()
        upstream.exception()
        needs.submit(upstream).result()

    assert skips() is None  # type: ignore[func-returns-value]
    with pytest.raises(UpstreamFailed, match="upstream bad is Failed"):
        fails()
    assert RunStopped in UpstreamFailed.__mro__


def test_on_change_is_called_with_every_state(told: Any) -> None:
    seen: list[str] = []
    more: list[str] = []

    @task(retries=1, on_change=[lambda run, report: seen.append(report.state.name),
                                lambda run, report: more.append(run.name)])  # fmt: skip
    def flaky() -> None:
        if get_run_context().run.attempt == 1:
            raise ValueError

    @flow(on_change=lambda run, report: seen.append(f"flow {report.state.name}"))
    def etl() -> None:
        flaky()

    etl()
    assert seen == [
        "flow Running", "Running", "AwaitingRetry", "Retrying", "Completed", "flow Completed",
    ]  # fmt: skip
    assert more == ["flaky"] * 4


def test_on_change_that_fails_is_warned_of_and_changes_nothing(told: Any) -> None:
    def broken(run: Any, report: Any) -> None:
        raise OSError("no network")

    @task(on_change=broken)
    def fine() -> int:
        return 7

    with pytest.warns(UserWarning, match="on_change of 'fine' raised OSError: no network"):
        assert fine() == 7
    assert told.run("fine").state.name == "Completed"


def test_service_levels_mark_who_is_late(told: Any) -> None:
    @task(sla=0.05)
    def slow() -> None:
        time.sleep(0.15)

    @task(sla=30, sla_start=30)
    def fast() -> None: ...

    @flow
    def etl() -> None:
        slow()
        fast()

    etl()
    assert told.run("slow").marks == ("missed_sla",)
    assert told.run("slow").state.name == "Completed"
    assert told.run("fast").marks == ()


def test_objects_are_handed_on_as_they_are(told: Any, tmp_path: Path) -> None:
    lock = threading.Lock()

    @task
    def opened(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute("CREATE TABLE rows (n)")
        return connection

    @task
    def insert(connection: sqlite3.Connection, held: Any, n: int) -> sqlite3.Connection:
        assert held is lock
        with held:
            connection.execute("INSERT INTO rows VALUES (?)", (n,))
        return connection

    @task
    def close(connection: sqlite3.Connection) -> int:
        count: int = connection.execute("SELECT count(*) FROM rows").fetchone()[0]
        connection.close()
        return count

    @flow
    def etl() -> int:
        connection = opened(tmp_path / "rows.db")
        assert insert(connection, lock, 1) is connection
        assert insert.submit(connection, lock, 2).result() is connection
        return close.submit(insert.submit(connection, lock, 3)).result()

    assert etl() == 3
    kept = told.run("opened").state.result
    assert "problem" in kept
    problems = connect().result_problems()["problems"]
    assert {each["run"] for each in problems} >= {told.run("opened").id}


class Odd:
    """Something that pydantic knows nothing of."""


def test_a_flow_takes_what_pydantic_coerces_and_odd_objects_as_they_are(told: Any) -> None:
    odd, seen = Odd(), []

    @flow
    def etl(day: datetime, many: list[int], thing: Odd, any_thing: Any, plain=None) -> None:  # type: ignore[no-untyped-def]
        seen.extend([day, many, thing, any_thing, plain])

    lock = threading.Lock()
    etl("2021-10-05", ("1", 2), odd, lock, odd)  # type: ignore[arg-type]
    assert seen == [datetime(2021, 10, 5), [1, 2], odd, lock, odd]  # noqa: DTZ001
