"""Async code that is asked to stop is cancelled where it awaits, and ends as Cancelled."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from orion_nb import flow, task
from orion_nb.errors import RunStopped
from tests.engine.stopping import LONG, SOON, Cancels, ended

pytestmark = pytest.mark.usefixtures("ctrl_c_is_given_back")


def cancellations() -> int:
    """How often the asyncio task that runs was cancelled, and has not taken note of it."""
    doing = asyncio.current_task()
    assert doing is not None
    return doing.cancelling()


@pytest.mark.parametrize("how", ["awaited", "submitted", "gathered"])
def test_async_flows_with_what_they_await(told: Any, cancels: Cancels, how: str) -> None:
    @task
    async def waits() -> None:
        await asyncio.sleep(LONG)

    @flow
    async def outer() -> None:
        if how == "awaited":
            await waits()
        elif how == "submitted":
            await waits.submit()
        else:
            await asyncio.gather(waits(), waits())

    async def main() -> str:
        with pytest.raises(RunStopped):
            await outer()
        await asyncio.sleep(0.01)  # nothing strays into the code after it
        assert cancellations() == 0
        return "went on"

    cancels("outer", lambda: told.runs("waits"))
    assert asyncio.run(main()) == "went on"
    assert cancels.took < SOON
    ended(told, "waits", "outer")


def test_one_async_task_of_a_flow(told: Any, cancels: Cancels) -> None:
    @task
    async def waits() -> None:
        await asyncio.sleep(LONG)

    @flow
    async def outer() -> str:
        with pytest.raises(RunStopped):
            await waits()
        await asyncio.sleep(0.01)
        return "went on"

    cancels("waits")
    assert asyncio.run(outer()) == "went on"
    ended(told, "waits")


def test_sync_code_that_sleeps_in_an_event_loop(told: Any, cancels: Cancels) -> None:
    @task
    def sleeps() -> None:
        time.sleep(LONG)

    @flow
    async def outer() -> str:
        with pytest.raises(RunStopped):
            sleeps()
        await asyncio.sleep(0.01)
        return "went on"

    cancels("sleeps")
    assert asyncio.run(outer()) == "went on"
    assert cancels.took < SOON


def test_an_event_loop_in_a_sync_flow(told: Any, cancels: Cancels) -> None:
    @task
    async def waits() -> None:
        await asyncio.sleep(LONG)

    @flow
    def outer() -> None:
        asyncio.run(waits())

    cancels("outer", lambda: told.runs("waits"))
    assert outer.run().name == "Cancelled"
    assert cancels.took < SOON
    ended(told, "waits", "outer")


def test_async_code_that_swallows_it(told: Any, cancels: Cancels) -> None:
    @task
    async def stubborn() -> str:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "what of it"

    async def main() -> Any:
        state = await stubborn.run()
        await asyncio.sleep(0)
        assert cancellations() == 0
        return state

    cancels("stubborn")
    assert asyncio.run(main()).name == "Cancelled"
