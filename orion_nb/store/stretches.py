"""Runs are looked through from the newest on, a stretch at a time, while there is time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

#: Ids begin with milliseconds: how many the first stretch has, how many times more the next one.
FIRST, MORE = 1_000, 4
#: A stretch that took too long is tried again with this part of its milliseconds.
LESS = 64
#: SQLite asks whether to go on after so many steps: a tenth of a millisecond.
STEPS = 10_000
#: Behind every id.
END = b"\xff" * 16

#: Looks at the runs from one id (included) to another (not included); True if that is enough.
Look = Callable[[bytes, bytes], bool]


def look_through(
    connection: sqlite3.Connection,
    look: Look,
    before: bytes = END,
    since: bytes = b"",
    patience: float | None = None,
) -> bytes | None:
    """`look` is called with one stretch after the other, the newest first, until it has enough.

    It ends at the oldest run, or when `patience` (seconds) is over: then the answer is the id to go
    on from, else None. Without patience there is one stretch of all runs. A stretch that is not
    looked through in time is given up: `look` must keep nothing before it has read all of it. Only
    the first, of a second, is always looked through, so that whoever goes on gets on.
    """
    if patience is None:
        look(since, before)
        return None
    deadline = time.monotonic() + patience
    high, width = before, FIRST
    while (newest := _newest(connection, since, high)) is not None:
        low = max(since, _earlier(newest, width))
        done = _try(connection, look, low, high, deadline if width > FIRST else None)
        if done:
            return None
        if done is None:
            width = max(FIRST, width // LESS)
        else:
            high, width = low, width * MORE
        if time.monotonic() > deadline:
            return None if _newest(connection, since, high) is None else high
    return None


def _try(
    connection: sqlite3.Connection, look: Look, low: bytes, high: bytes, deadline: float | None
) -> bool | None:
    """What `look` answers; None if it was not ready at the deadline."""
    if deadline is None:
        return look(low, high)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        return look(low, high)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)


def _newest(connection: sqlite3.Connection, since: bytes, before: bytes) -> bytes | None:
    sql = "SELECT max(id) FROM runs WHERE id >= ? AND id < ?"
    found: bytes | None = connection.execute(sql, (since, before)).fetchone()[0]
    return found


def _earlier(key: bytes, millis: int) -> bytes:
    """The least id that is made so many milliseconds before this one."""
    return max(0, int.from_bytes(key[:6], "big") - millis).to_bytes(6, "big") + bytes(10)
