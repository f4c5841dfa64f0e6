"""A run waits for people, goes on with what they answer, or stops when it has done enough."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Literal

import pydantic
import pytest

from orion_nb import connect, flow, get_run_context, pause, pause_async, stop, task
from orion_nb.errors import Conflict, InvalidInput, RunStopped, TaskTimeout
from orion_nb.schemas.states import COMPLETED

PAUSED = ["Pending", "Running", "Paused", "Running", "Completed"]


class Person:
    """Does something with a run as soon as it is in a state; on a thread of its own."""

    def __init__(self, until: Any) -> None:
        self.until, self.threads, self.trouble = until, [], []  # type: ignore[var-annotated]

    def when(self, name: str, does: Callable[[str], Any], state: str = "PAUSED") -> None:
        def work() -> None:
            found = {"name": name, "states": [state]}
            try:
                self.until(lambda: connect().filter_runs(**found)["runs"], f"no {name} {state}")
                does(connect().filter_runs(**found)["runs"][0]["id"])
            except BaseException as error:
                self.trouble.append(error)

        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()


@pytest.fixture
def person(until: Any) -> Iterator[Person]:
    made = Person(until)
    yield made
    for thread in made.threads:
        thread.join()
    assert made.trouble == []


def answers(**given: Any) -> Callable[[str], Any]:
    return lambda run: connect().resume(run, given or None, by="ana")


class Choice(pydantic.BaseModel):
    amount: int = pydantic.Field(ge=1)
    how: Literal["all", "some"] = "all"


@pytest.mark.parametrize(
    ("wanted", "given", "answer"),
    [
        (None, {}, None),
        (None, {"free": "form"}, {"free": "form"}),
        (int, {"value": 3}, 3),
        (date, {"value": "2021-10-05"}, date(2021, 10, 5)),
        (list[int], {"value": [1, 2]}, [1, 2]),
        ({"day": date, "n": int}, {"day": "2021-10-05", "n": 2},
         {"day": date(2021, 10, 5), "n": 2}),
        (Choice, {"amount": 2}, Choice(amount=2)),
    ],
)  # fmt: skip
def test_a_pause_answers_what_whoever_resumes_it_gives(
    told: Any, person: Person, wanted: Any, given: dict[str, Any], answer: Any
) -> None:
    @flow
    def asks() -> Any:
        return pause("how much?", input=wanted)

    person.when("asks", answers(**given))
    assert asks() == answer
    assert told.names("asks") == PAUSED
    assert told.states("asks")[2].message == "how much?"
    (asked,) = connect().read_pauses(told.run("asks").id)["pauses"]
    assert (asked["key"], asked["by"], asked["input"]) == ("pause", "ana", given or None)
    assert told.run("asks").attempt == 1


def test_async_code_pauses_and_its_loop_goes_on(told: Any, person: Person, until: Any) -> None:
    ticks = []

    @flow
    async def asks() -> Any:
        return await pause_async(input=int)

    async def main() -> Any:
        running = asyncio.create_task(asks())
        while not running.done():
            await asyncio.sleep(0.01)
            ticks.append(1)
        return await running

    person.when("asks", lambda run: (until(lambda: len(ticks) > 5), answers(value=5)(run)))
    assert asyncio.run(main()) == 5
    assert len(ticks) > 5
    assert told.names("asks") == PAUSED


@pytest.mark.parametrize(
    ("wanted", "given", "names"),
    [
        (int, {}, "input.value: "),
        (int, {"value": "three"}, "input.value: "),
        (int, {"value": True}, "input.value: "),
        ({"a": int, "b": str}, {"a": 1}, "input.b: "),
        ({"a": int}, {"a": 1, "c": 2}, "input.c: not asked for; there are a"),
        (Choice, {"amount": 0}, "input.amount: "),
        (Choice, {"amount": 1, "how": "none"}, "input.how: "),
    ],
)
def test_a_wrong_answer_is_refused_by_name_and_the_run_stays_paused(
    told: Any, person: Person, wanted: Any, given: dict[str, Any], names: str
) -> None:
    @flow
    def asks() -> Any:
        return pause(input=wanted)

    def answer(run: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            connect().resume(run, given)
        says.append(str(refused.value))
        assert connect().find(run).state.name == "Paused"
        connect().cancel(run)

    says: list[str] = []
    person.when("asks", answer)
    with pytest.raises(RunStopped):
        asks()
    assert says[0].startswith(names), says


def test_nobody_answers_in_time(told: Any) -> None:
    @flow
    def asks() -> None:
        pause("anybody?", timeout="200ms")

    with pytest.raises(TaskTimeout, match=r"nobody resumed it in time: anybody\?"):
        asks()
    assert told.names("asks") == ["Pending", "Running", "Paused", "TimedOut"]


def test_a_paused_run_is_cancelled(told: Any, person: Person) -> None:
    went_on = []

    @flow
    def asks() -> None:
        pause()
        went_on.append(1)

    person.when("asks", lambda run: connect().cancel(run, why="no more"))
    with pytest.raises(RunStopped, match="Cancelled: no more"):
        asks()
    assert went_on == []
    assert told.names("asks") == ["Pending", "Running", "Paused", "Cancelled"]


def test_paused_from_outside_a_flow_starts_no_further_task(
    told: Any, person: Person, until: Any
) -> None:
    began = []

    @task
    def step(n: int) -> int:
        began.append(n)
        if n == 1:
            connect().pause(get_run_context().run.root, why="wait a moment", by="ana")
        return n

    @flow
    def etl() -> list[int]:
        return [step(n) for n in range(4)]

    def resume(run: str) -> None:
        blocked = until(lambda: told.runs("step")[-1].blocked, "the next step waits")
        assert began == [0, 1]
        assert blocked.reason == "its parent is paused"
        connect().resume(run)

    person.when("etl", resume)
    assert etl() == [0, 1, 2, 3]
    assert told.names("etl") == PAUSED
    assert told.states("etl")[2].message == "wait a moment"


def test_a_retry_gets_the_answers_that_were_given(told: Any, person: Person) -> None:
    @flow(retries=1)
    def asks() -> list[int]:
        found = [pause(input=int), pause(input=int, key="second"), pause(input=int)]
        if get_run_context().run.attempt == 1:
            raise ValueError("once")
        return found

    def answer(run: str) -> None:
        for value in (1, 2, 3):
            person.until(lambda: connect().find(run).state.name == "Paused")
            keys.append(connect().waiting_pause(connect().find(run)).key)
            connect().resume(run, {"value": value})
            person.until(lambda: connect().find(run).state.name != "Paused" or len(
                connect().read_pauses(run)["pauses"]) > len(keys))  # fmt: skip

    keys: list[str] = []
    person.when("asks", answer)
    assert asks() == [1, 2, 3]
    assert keys == ["pause", "second", "pause-3"]
    assert told.names("asks").count("Paused") == 3


def test_a_rerun_gets_them_too(told: Any, person: Person) -> None:
    @flow
    def asks() -> int:
        answer: int = pause(input=int)
        if get_run_context().run.attempt == 1:
            raise ValueError("once")
        return answer

    person.when("asks", answers(value=7))
    state = asks.run()
    assert asks.rerun(state.run_id) == 7


def test_only_what_runs_is_paused_and_only_what_is_paused_resumed(told: Any) -> None:
    @flow
    def quick() -> None: ...

    run = quick.run().run_id
    assert connect().pause(run).state.type is COMPLETED
    with pytest.raises(Conflict, match="is not paused"):
        connect().resume(run)


@pytest.mark.parametrize("asks", [pause, stop])
def test_outside_any_run_there_is_nothing_to_pause_or_stop(told: Any, asks: Any) -> None:
    with pytest.raises(RuntimeError, match="no flow or task is being executed here"):
        asks("why")


def test_what_is_no_type_is_refused_where_it_is_asked(told: Any) -> None:
    @flow
    def asks() -> None:
        pause(input=5)

    with pytest.raises(InvalidInput, match="input: 5 is no type"):
        asks()


@pytest.mark.parametrize("how", ["flow", "task", "submitted", "run", "state"])
def test_stop_ends_the_flow_as_completed(told: Any, how: str) -> None:
    went_on: list[str] = []

    @task
    def enough() -> None:
        stop("nothing new today")

    @task
    def more() -> None: ...

    @flow
    def etl() -> None:
        more()
        if how == "flow":
            stop("nothing new today")
        elif how == "task":
            enough()
        elif how == "submitted":
            enough.submit().result()
        elif how == "run":
            enough.run()
        else:
            future = enough.submit()
            future.join()
            assert future.state is None
        went_on.append("further")

    assert etl() is None  # type: ignore[func-returns-value]
    assert went_on == []
    last = told.run("etl").state
    assert (last.name, last.message) == ("Completed", "stopped early: nothing new today")
    if how != "flow":
        last = told.run("enough").state
        assert (last.name, last.message) == ("Completed", "stopped early: nothing new today")


def test_stop_is_not_swallowed_by_the_code_around(told: Any) -> None:
    @task
    def enough() -> None:
        stop()

    @flow
    def etl() -> str:
        try:
            enough()
        except Exception:
            return "swallowed"
        return "went on"

    assert etl.run().message == "stopped early: enough"


def test_a_task_that_is_called_alone_just_ends(told: Any) -> None:
    @task
    def enough() -> int:
        stop("that will do")

    assert enough() is None
    assert enough.run().message == "stopped early: that will do"


def test_stop_ends_the_inner_flow_only(told: Any) -> None:
    @flow
    def inner() -> None:
        stop()

    @flow
    def outer() -> str:
        inner()
        return "went on"

    assert outer() == "went on"


def test_async_code_stops_too(told: Any) -> None:
    @task
    async def enough() -> None:
        stop("done")

    @flow
    async def etl() -> None:
        await asyncio.gather(enough(), asyncio.sleep(0.01))
        raise AssertionError("it went on")

    assert asyncio.run(etl.run()).message == "stopped early: done"


def test_what_was_submitted_ends_before_the_flow_that_stops(told: Any) -> None:
    @task
    def slow() -> None:
        time.sleep(0.2)

    @flow
    def etl() -> None:
        slow.submit()
        time.sleep(0.1)
        stop()

    etl()
    assert told.run("slow").state.type is COMPLETED
    assert told.run("slow").end_time <= told.run("etl").end_time
