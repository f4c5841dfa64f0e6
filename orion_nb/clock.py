"""The only reader of the wall clock: microseconds since the Unix epoch, UTC, as integers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_source: Callable[[], int] = time.time_ns
_told: ContextVar[int | None] = ContextVar("orion_nb_now", default=None)


def now() -> int:
    """The time is given in whole microseconds since the epoch, UTC."""
    told = _told.get()
    return _source() // 1000 if told is None else told


@contextmanager
def told(at: int) -> Iterator[None]:
    """Within the block, for this thread, it is `at`: what comes late is judged as of its time."""
    token = _told.set(at)
    try:
        yield
    finally:
        _told.reset(token)


def utc(micros: int) -> datetime:
    """The same instant as an aware UTC datetime."""
    return EPOCH + timedelta(microseconds=micros)


def micros(moment: datetime) -> int:
    """The same instant as microseconds since the epoch; the datetime must be aware."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return (moment - EPOCH) // timedelta(microseconds=1)


def iso(micros: int) -> str:
    """The same instant in ISO 8601 with a Z: `2026-11-22T09:00:00.000001Z`."""
    return utc(micros).isoformat().replace("+00:00", "Z")


#: The last microsecond of the year 9999: no datetime is later.
LAST_MOMENT = micros(datetime.max.replace(tzinfo=UTC))


class Frozen:
    """A clock that stands still until it is told to move."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at * 1000

    def advance(self, seconds: float) -> int:
        self.at += round(seconds * SECOND)
        return self.at


@contextmanager
def frozen(at: int | datetime) -> Iterator[Frozen]:
    """Within the block the clock stands still; `advance` moves it. For tests."""
    global _source
    stopped = Frozen(micros(at) if isinstance(at, datetime) else at)
    before, _source = _source, stopped
    try:
        yield stopped
    finally:
        _source = before
