"""Flows and tasks are functions: you call them, and what happened is in the database."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import threading
import traceback
from typing import Any

import pytest

from orion_nb import connect, flow, get_run_context, task
from orion_nb.errors import InvalidInput
from orion_nb.schemas.states import State


def test_a_call_returns_the_value_and_is_a_run(told: Any) -> None:
    @task(tags=["math"], run_name="seven", timeout="1m", retries=2)
    def add(a: int, b: int = 1) -> int:
        """Adds."""
        return a + b

    assert add(6) == 7
    run = told.run("add")
    assert (run.kind, run.parent, run.root, run.tags) == ("task", None, run.id, ("math",))
    assert (run.run_name, run.policy.retries, run.policy.timeout) == ("seven", 2, 60.0)
    assert told.names("add") == ["Pending", "Running", "Completed"]
    assert (add.__name__, add.__doc__, add.name) == ("add", "Adds.", "add")
    assert repr(add) == "<task add>"


def test_the_function_itself_leaves_no_trace(told: Any) -> None:
    @task
    def add(a: int) -> int:
        return a + 1

    assert add.fn(1) == 2
    assert told.runs() == []


def test_the_very_exception_is_raised_and_its_frames_are_the_users(told: Any) -> None:
    raised = ValueError("no data\ntoday")

    @task
    def doomed() -> None:
        raise raised

    @flow
    def outer() -> None:
        doomed()

    with pytest.raises(ValueError, match="no data") as caught:
        outer()
    assert caught.value is raised
    assert raised.__cause__ is None
    assert raised.__context__ is None
    frames = [frame.name for frame in traceback.extract_tb(raised.__traceback__)]
    assert [name for name in frames if name != "__call__"] == [
        "test_the_very_exception_is_raised_and_its_frames_are_the_users",
        "outer",
        "doomed",
    ]
    assert told.states("doomed")[-1].message == "ValueError: no data\ntoday"
    assert told.names("outer")[-1] == "Failed"


def test_an_exception_whose_text_no_database_takes_is_still_raised(told: Any) -> None:
    @task
    def opens() -> None:
        raise FileNotFoundError(os.fsdecode(b"caf\xe9.csv"))

    with pytest.raises(FileNotFoundError):
        opens()
    assert told.states("opens")[-1].message == "FileNotFoundError: caf?.csv"


def test_run_answers_with_the_final_state_and_never_raises(told: Any) -> None:
    @flow
    def half(n: int) -> float:
        return 1 / n

    good, bad = half.run(2), half.run(0)
    assert isinstance(good, State)
    assert (good.type, good.value, good.error) == ("COMPLETED", 0.5, None)
    assert (bad.type, bad.value, type(bad.error)) == ("FAILED", None, ZeroDivisionError)
    assert told.names(good.run_id)[-1] == "Completed"
    assert (
        told.states(bad.run_id)[-1].message == bad.message == "ZeroDivisionError: division by zero"
    )


def test_what_is_called_in_a_flow_belongs_to_it(told: Any) -> None:
    @task
    def leaf() -> str:
        return get_run_context().run.id

    @flow
    def inner() -> tuple[str, str]:
        return get_run_context().run.id, leaf()

    @flow
    def outer() -> tuple[str, str, str]:
        return (get_run_context().run.id, *inner())

    top, middle, bottom = outer()
    orion = connect()
    assert (orion.find(middle).parent, orion.find(middle).root) == (top, top)
    assert (orion.find(bottom).parent, orion.find(bottom).root) == (middle, top)
    with pytest.raises(RuntimeError, match="no flow or task is being executed here"):
        get_run_context()


def test_flows_nest_thirty_deep(told: Any) -> None:
    @flow
    def nested(depth: int) -> int:
        return 0 if depth == 0 else 1 + nested(depth - 1)

    @flow
    async def anested(depth: int) -> int:
        return 0 if depth == 0 else 1 + await anested(depth - 1)

    assert nested(30) == 30
    assert asyncio.run(anested(30)) == 30
    for name in ("nested", "anested"):
        chain = told.runs(name)
        assert [run.parent for run in chain] == [None, *(run.id for run in chain[:-1])]


class Station:
    """Something with methods, as user code has it."""

    def __init__(self, city: str) -> None:
        self.city = city

    @task(retries=1)
    def reading(self, n: int) -> str:
        return f"{self.city} {n}"

    @flow
    def report(self, n: int) -> list[str]:
        many = [each.result() for each in self.reading.map(range(n))]
        return [self.reading(9), *many]

    @task
    @staticmethod
    def still(n: int) -> int:
        return n

    @task
    async def later(self, n: int) -> str:
        return f"{self.city} {n}"


def test_methods_are_tasks_and_flows(told: Any) -> None:
    prague, brno = Station("Prague"), Station("Brno")
    assert prague.report("2") == ["Prague 9", "Prague 0", "Prague 1"]
    assert brno.reading(1) == "Brno 1"
    assert Station.reading(prague, 4) == "Prague 4"
    assert prague.still(3) == Station.still(3) == 3
    assert asyncio.run(brno.later(2)) == "Brno 2"
    assert brno.reading.with_options(name="other")(1) == "Brno 1"
    assert told.run("report").parameters == {"n": "2"}


def test_lambdas_partials_and_objects_that_are_called_are_tasks(told: Any) -> None:
    class Doubler:
        def __call__(self, n: int) -> int:
            return 2 * n

    class Awaited:
        async def __call__(self, n: int) -> int:
            return 2 * n

    class Holder:
        power = task(functools.partial(pow, 2))

    assert task(lambda n: n + 1)(1) == 2
    assert task(functools.partial(pow, 2))(3) == 8
    assert Holder().power(4) == 16
    assert task(Doubler())(4) == 8
    assert asyncio.run(task(Awaited())(4)) == 8
    names = {run.name for run in told.runs()}
    assert names == {"<lambda>", "pow", "Doubler", "Awaited"}


def test_with_options_changes_some_and_keeps_the_rest(told: Any) -> None:
    @task(retries=1, retry_delay="1s", tags=["a"], timeout=9)
    def fetch() -> None: ...

    other = fetch.with_options(retries=5, name="fetch more", timeout=None)
    policy, before = other.options.policy, fetch.options.policy
    assert (policy.retries, policy.retry_delay, policy.timeout) == (5, (1.0,), None)
    assert (before.retries, before.timeout, fetch.name) == (1, 9.0, "fetch")
    assert (other.name, other.options.tags) == ("fetch more", ("a",))
    assert other.options.key == fetch.options.key
    with pytest.raises(InvalidInput, match="retires: not known; there are name, retries, "):
        fetch.with_options(retires=5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"retries": -1}, "retries: expected 0..100, got -1"),
        ({"retries": 101}, "retries: expected 0..100, got 101"),
        ({"retries": True}, "retries: expected 0..100, got True"),
        ({"retry_delay": "10x"}, "'10x' is not a duration (try 10s, 5m, 1h30m)"),
        ({"timeout": "soon"}, "'soon' is not a duration"),
        ({"timeout": 0}, "timeout: 0 leaves no time at all"),
        ({"trigger": "maybe"}, "trigger: 'maybe' is not one of all_completed"),
        ({"retry_on": "ValueError"}, "retry_on: 'ValueError' is not an exception class"),
        ({"retry_on": [ValueError]}, "retry_on: "),
        ({"retry_on": int}, "retry_on: <class 'int'> is not an exception class"),
        ({"name": "a\nb"}, "name: 'a\\nb' has a control character"),
        ({"tags": ["ok", "\udcff"]}, "tags: "),
        ({"run_name": ""}, "run_name: 1 to 255 characters, got 0"),
        ({"cache": "0s"}, "cache: '0s' keeps no result at all"),
        ({"cache": False, "cache_key": "{x}"}, "cache_key: there is no cache to use it for"),
        ({"cache_key": 3}, "cache_key: 3 is not a text, or a function of the arguments"),
        ({"cache": True, "persist": False}, "persist: what is cached has to be kept"),
        ({"persist": "yes"}, "persist: 'yes' is not True, False or None"),
        ({"trigger": "function"}, "trigger: give the function itself, not its kind"),
        ({"rerun_on": "ValueError"}, "rerun_on: 'ValueError' is not an exception class"),
        ({"on_change": "print"}, "on_change: 'print' is no function"),
        ({"on_change": [print, 3]}, "on_change: [<built-in function print>, 3] is no function"),
    ],
)
def test_an_option_that_cant_be_is_refused_by_name(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        task(**options)(lambda: None)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"trigger": "any_failed"}, "trigger: a flow waits for no upstream runs"),
        ({"cache": "1h"}, "cache: only tasks have it, flows have not"),
        ({"rerun_from": "load"}, "rerun_from: only tasks have it, flows have not"),
        ({"runner": 3}, "runner: 3 is no runner; use ThreadRunner()"),
    ],
)
def test_an_option_that_a_flow_cant_heed_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as at_first:
        flow(**options)(lambda: None)
    with pytest.raises(InvalidInput) as later:
        flow(lambda: None).with_options(**options)
    assert says in str(at_first.value)
    assert str(at_first.value) == str(later.value)


def test_what_is_no_function_is_refused() -> None:
    def numbers() -> Any:
        yield 1

    with pytest.raises(InvalidInput, match="'numbers' is a generator function; only tasks can"):
        flow(numbers)
    with pytest.raises(InvalidInput, match="task: 3 is not a function"):
        task(3)  # type: ignore[call-overload]
    with pytest.raises(InvalidInput, match="flow: 'x' is not a function"):
        flow("x")  # type: ignore[call-overload]
    with pytest.raises(InvalidInput, match="runner: 4 is no runner; use ThreadRunner"):
        flow(runner=4)  # type: ignore[call-overload]


def test_a_plain_thread_is_outside_and_one_with_a_copied_context_inside(told: Any) -> None:
    @task
    def leaf() -> int:
        return threading.get_ident()

    idents = []

    @flow
    def outer() -> None:
        copied = contextvars.copy_context()
        for run in (leaf, lambda: copied.run(leaf)):
            thread = threading.Thread(target=lambda run=run: idents.append(run()))
            thread.start()
            thread.join()

    outer()
    assert threading.get_ident() not in idents
    parents = [run.parent for run in told.runs("leaf")]
    assert parents == [None, told.run("outer").id]


def test_disabled_they_are_the_plain_functions(
    told: Any, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORION_NB_DISABLE", "1")

    @task(retries=3)
    def one(x: int) -> int:
        return x + 1

    @task
    async def two(x: int) -> int:
        return x + 2

    @flow
    def both(day: int) -> list[Any]:
        future = one.submit(day)
        return [one(future), *(each.result() for each in one.map([1, 2])), two.submit(5).result()]

    @flow
    async def later() -> int:
        return await two.submit(await two(1))

    assert both(1) == [3, 2, 3, 7]
    assert asyncio.run(later()) == 5
    state = one.run("x")
    assert (state.name, type(state.error), state.run_id) == ("Failed", TypeError, "")
    assert asyncio.run(two.run(1)).value == 3
    assert not (home / "orion.db").exists()


def test_the_final_state_shows_itself_in_a_few_words():
    state = task(lambda: 1 / 0).run()
    assert repr(state) == (
        f"<Failed: ZeroDivisionError: division by zero · run {state.run_id[-8:]}>"
    )
