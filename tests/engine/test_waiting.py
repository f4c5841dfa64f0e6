"""Who waits for a slot sleeps until it is first in line, and is woken then."""

import asyncio
import threading

import pytest

from orion_nb.engine import waiting
from orion_nb.engine.waiting import Bell, Pause


@pytest.fixture
def line():
    """Three places in one line, the first of them as a block that can be left."""
    with waiting._in_line((0, "db"), 2) as second, waiting._in_line((0, "db"), 3) as third:
        first = waiting._in_line((0, "db"), 1)
        yield first, first.__enter__(), second, third


def test_the_lowest_number_is_first(line):
    _, first, second, third = line
    assert [each.is_first for each in (first, second, third)] == [True, False, False]


def test_who_leaves_wakes_the_next_one(line):
    block, _, second, third = line
    woken = threading.Event()
    sleeper = threading.Thread(target=lambda: (Pause(60, second.bell).sleep(), woken.set()))
    sleeper.start()
    block.__exit__(None, None, None)
    assert woken.wait(30)
    sleeper.join()
    assert second.is_first
    assert not third.bell._rung.is_set()


def test_a_bell_that_rang_before_anybody_slept_is_heard():
    bell = Bell()
    bell.ring()
    Pause(60, bell).sleep()
    bell.ring()
    asyncio.run(Pause(60, bell).sleep_async())


def test_a_bell_wakes_a_sleeper_on_a_loop():
    bell = Bell()

    async def wake():
        sleeper = asyncio.ensure_future(Pause(60, bell).sleep_async())
        await asyncio.sleep(0)
        threading.Thread(target=bell.ring).start()
        await sleeper

    asyncio.run(asyncio.wait_for(wake(), 30))


def test_a_pause_without_a_bell_takes_its_time():
    asyncio.run(Pause(0.0).sleep_async())
    Pause(0.0).sleep()
    Pause(0.001, Bell()).sleep()
    asyncio.run(Pause(0.001, Bell()).sleep_async())
