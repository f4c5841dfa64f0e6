"""A failure is tried again as the options say, and the states tell."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orion_nb import connect, flow, get_run_context, task
from orion_nb.clock import SECOND


class Flaky:
    """Raises each of the errors in turn, then returns how often it was called."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


RETRIED = [
    "Pending",
    "Running",
    "AwaitingRetry",
    "Retrying",
    "AwaitingRetry",
    "Retrying",
    "Completed",
]


def test_retries_wait_for_their_delays(told: Any) -> None:
    body = Flaky(ValueError("one"), ValueError("two"))
    flaky = task(body, name="flaky", retries=2, retry_delay=["150ms", 0.3])
    assert flaky() == 3
    assert told.names("flaky") == RETRIED
    states = told.states("flaky")
    for waiting, retrying, delay in zip(states[2::2], states[3::2], (0.15, 0.3), strict=False):
        assert waiting.scheduled_time - waiting.timestamp == delay * SECOND
        assert retrying.timestamp >= waiting.scheduled_time
    assert [state.message for state in states[2:5:2]] == ["ValueError: one", "ValueError: two"]
    assert [state.attempt for state in states] == [0, 1, 1, 2, 2, 3, 3]
    assert told.run("flaky").run_count == 3


def test_async_retries_let_the_loop_go_on(told: Any) -> None:
    body, ticks = Flaky(ValueError("one"), ValueError("two")), 0

    @task(retries=2, retry_delay=0.1)
    async def flaky() -> int:
        return body()

    async def main() -> int:
        nonlocal ticks
        running = asyncio.create_task(flaky())
        while not running.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return await running

    assert asyncio.run(main()) == 3
    assert ticks >= 5
    assert told.names("flaky") == RETRIED


def test_the_last_delay_repeats(told: Any) -> None:
    flaky = task(Flaky(*[ValueError()] * 3), name="flaky", retries=3, retry_delay=[0, 0.01])
    assert flaky() == 4
    waits = [s for s in told.states("flaky") if s.name == "AwaitingRetry"]
    assert [wait.scheduled_time - wait.timestamp for wait in waits] == [0, 10_000, 10_000]


def test_used_up_retries_raise_the_last_error(told: Any) -> None:
    last = ValueError("last")
    flaky = task(Flaky(ValueError("first"), last), name="flaky", retries=1)
    with pytest.raises(ValueError, match="last") as caught:
        flaky()
    assert caught.value is last
    assert told.names("flaky")[-3:] == ["AwaitingRetry", "Retrying", "Failed"]


@pytest.mark.parametrize(
    ("retry_on", "error", "calls"),
    [
        (ConnectionError, ConnectionResetError(), 2),
        (ConnectionError, ValueError(), 1),
        ((KeyError, ValueError), ValueError(), 2),
        (lambda error: "again" in str(error), ValueError("again, please"), 2),
        (lambda error: "again" in str(error), ValueError("never"), 1),
        (BaseException, KeyboardInterrupt(), 1),
        (BaseException, SystemExit(), 1),
    ],
)
def test_retry_on_says_what_is_worth_another_try(
    told: Any, retry_on: Any, error: BaseException, calls: int
) -> None:
    body = Flaky(error)
    state = task(body, name="flaky", retries=1, retry_on=retry_on).run()
    assert body.calls == calls
    assert (state.type == "COMPLETED") is (calls == 2)


def test_a_retry_on_that_fails_spoils_neither_the_run_nor_its_error(told: Any) -> None:
    original = ValueError("no")
    body = Flaky(original)
    with pytest.raises(ValueError, match="no") as caught:
        task(body, name="flaky", retries=3, retry_on=lambda error: 1 / 0)()
    assert caught.value is original
    assert original.__notes__ == [
        "not tried again: retry_on raised ZeroDivisionError: division by zero"
    ]
    assert told.names("flaky")[-1] == "Failed"


def test_a_flow_is_tried_again_and_what_completed_in_it_is_not(told: Any) -> None:
    body = Flaky(ValueError("one"))

    @task
    def child() -> int:
        return get_run_context().run.attempt

    @flow(retries=1)
    def parent() -> tuple[int, int, int]:
        return child(), get_run_context().run.attempt, body()

    assert parent() == (1, 2, 2)
    assert told.names("parent") == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
    assert told.names("child") == ["Pending", "Running", "Completed"]


def test_why_says_which_rule_entered_the_retry(told: Any) -> None:
    task(Flaky(ValueError("one")), name="flaky", retries=1)()
    told_lines = "\n".join(connect().why("flaky")["summary"])
    assert "Failed was proposed; retry_failures entered AwaitingRetry instead" in told_lines
    assert "attempt 1 of 2 failed; retry in 0 s" in told_lines


def delays(told: Any, name: str) -> list[float]:
    """The waits before each retry of a run (seconds), as its states tell."""
    waits = [state for state in told.states(name) if state.name == "AwaitingRetry"]
    return [(wait.scheduled_time - wait.timestamp) / SECOND for wait in waits]


def test_delays_grow_up_to_a_bound(told: Any) -> None:
    flaky = task(
        Flaky(*[ValueError()] * 5), name="flaky", retries=5, retry_delay=[0.001, 0.01],
        retry_backoff=2, retry_delay_max="50ms",
    )  # fmt: skip
    assert flaky() == 6
    assert delays(told, "flaky") == [0.001, 0.01, 0.02, 0.04, 0.05]


def test_jitter_varies_the_delay_within_its_bounds(told: Any) -> None:
    for n in range(20):
        task(
            Flaky(ValueError()), name=f"flaky {n}", retries=1, retry_delay=0.02, retry_jitter=0.5
        )()
    waits = [delays(told, f"flaky {n}")[0] for n in range(20)]
    assert all(0.01 <= wait <= 0.03 for wait in waits)
    assert max(waits) - min(waits) > 0.005


def test_a_flow_of_flows_is_tried_again_where_it_failed(told: Any) -> None:
    body = Flaky(ValueError("one"))
    calls = []

    @task
    def load(name: str) -> str:
        calls.append(name)
        return name

    @flow
    def inner(name: str) -> str:
        load(name)
        return f"{name}{body() if name == 'b' else ''}"

    @flow(retries=1)
    def outer() -> list[str]:
        return [inner("a"), inner("b"), inner("c")]

    assert outer() == ["a", "b2", "c"]
    assert calls == ["a", "b", "c"]
    assert [run.attempt for run in told.runs("inner")] == [1, 2, 1]


def test_a_retry_is_tried_on_the_thread_it_was_submitted_to(told: Any) -> None:
    @task(retries=2, retry_delay=0.01)
    def flaky() -> int:
        if get_run_context().run.attempt < 3:
            raise ValueError("again")
        return get_run_context().run.attempt

    @flow
    def etl() -> list[int]:
        return [each.result() for each in [flaky.submit() for _ in range(5)]]

    assert etl() == [3] * 5
    assert {run.run_count for run in told.runs("flaky")} == {3}
