"""How a run waits until proposing again is worth it: for a time, or for what other runs do.

Of all runs of this process that wait for a slot of the same limit only the first looks into the
database: a slot that is given back wakes one of them, not all. The others sleep until the first
has gone, and rings.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from orion_nb.api.orion import Orion
from orion_nb.schemas.reports import Report

#: A long wait is cut into pieces of this length (seconds), so that a cancelled run is noticed.
PIECE = 0.5
#: Who waits for other runs looks so often whether anything was committed (seconds).
LOOK = 0.02
#: Who is the first in line for a slot looks that often.
LOOK_FIRST = 0.005

_TIMED = frozenset({"wait_for_the_scheduled_time"})
_LIMITED = "take_a_place_within_limits"


class Bell:
    """Wakes one sleeper, on a thread or on a loop."""

    __slots__ = ("_rung", "_wake")

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._wake: Callable[[], object] | None = None

    def ring(self) -> None:
        """Who sleeps wakes up; who has not fallen asleep yet, does not."""
        self._rung.set()
        if (wake := self._wake) is not None:
            with suppress(RuntimeError):  # its loop was closed
                wake()

    def wait(self, seconds: float) -> None:
        self._rung.wait(seconds)
        self._rung.clear()

    async def wait_async(self, seconds: float) -> None:
        import asyncio

        loop, news = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(news.set)
        try:
            if not self._rung.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await news.wait()
        finally:
            self._wake = None
            self._rung.clear()


class Pause:
    """So long (seconds) nothing is to be done, unless the bell rings."""

    __slots__ = ("bell", "seconds")

    def __init__(self, seconds: float, bell: Bell | None = None) -> None:
        self.seconds, self.bell = seconds, bell

    def sleep(self) -> None:
        if self.bell is None:
            time.sleep(self.seconds)
        else:
            self.bell.wait(self.seconds)

    async def sleep_async(self) -> None:
        import asyncio

        if self.bell is None:
            await asyncio.sleep(self.seconds)
        else:
            await self.bell.wait_async(self.seconds)


def pauses(
    orion: Orion, report: Report, place: int, may_go_on: Callable[[], bool]
) -> Iterator[Pause]:
    """Pauses to make one after another, until it is worth proposing again.

    Who waits for a time looks up now and then whether the run was moved meanwhile; who waits for
    other runs looks whenever anything was committed, here or elsewhere. `place` is the number of
    the run's state: its place in the queue of a limit.
    """
    until = time.monotonic() + (report.retry_after or 0.0)
    last = report.rules[-1] if report.rules else None
    if last is None or last.rule in _TIMED:
        yield from _for_a_time(until, may_go_on)
    elif last.rule == _LIMITED:
        with _in_line((id(orion), str(last.facts.get("limit"))), place) as own:
            yield from _for_others(until, orion, may_go_on, own)
    else:
        yield from _for_others(until, orion, may_go_on)


def _for_a_time(until: float, may_go_on: Callable[[], bool]) -> Iterator[Pause]:
    while (left := until - time.monotonic()) > 0:
        yield Pause(min(left, PIECE))
        if left > PIECE and may_go_on():
            return


def _for_others(
    until: float,
    orion: Orion,
    may_go_on: Callable[[], bool],
    place: _Place | None = None,
) -> Iterator[Pause]:
    seen = None
    while (left := until - time.monotonic()) > 0:
        if place is None:
            yield Pause(min(left, LOOK))
        elif place.is_first:
            yield Pause(min(left, LOOK_FIRST))
        else:
            yield Pause(min(left, PIECE), place.bell)
            if not place.is_first:
                continue
        now = orion.version_seen()
        if now is not None and now == seen:
            continue
        seen = now
        if may_go_on():
            return


class _Place:
    """A run's place in a line of this process."""

    __slots__ = ("_line", "bell", "number")

    def __init__(self, line: list[_Place], number: int) -> None:
        self._line, self.number, self.bell = line, number, Bell()

    @property
    def is_first(self) -> bool:
        return self._first() is self

    def ring_first(self) -> None:
        """Whoever is first now is awake."""
        if (first := self._first()) is not None:
            first.bell.ring()

    def _first(self) -> _Place | None:
        return min(self._line, key=lambda each: each.number, default=None)


_lines: dict[tuple[int, str], list[_Place]] = defaultdict(list)
_lock = threading.Lock()


@contextmanager
def _in_line(name: tuple[int, str], number: int) -> Iterator[_Place]:
    """Within the block the run stands in line; the next one is woken behind it."""
    with _lock:
        line = _lines[name]
        place = _Place(line, number)
        line.append(place)
    try:
        yield place
    finally:
        with _lock:
            line.remove(place)
            if line:
                place.ring_first()
            else:
                _lines.pop(name, None)
