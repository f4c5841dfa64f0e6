"""The ids of all runs in one piece of memory: the last digits of one are found at once in a server.

An index of last digits would cost every task a page of the file, for they come in no order.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator

from orion_nb.store import events

WIDTH = 16  # bytes of an id
MANY = 50_000
#: Runs that were deleted stay in memory until all is read again, after so many seconds.
KEPT = 24 * 3600.0


class Ids:
    """16 bytes for each run, read when first asked for; what is new is added when asked again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys = bytearray()
        self._seen: int | None = None
        self._read = 0.0

    def ending_in(self, connection: sqlite3.Connection, ending: str, limit: int = 10) -> list[str]:
        """The newest ids that end in these digits."""
        with self._lock:
            self._learn(connection)
            found = sorted(set(self._fitting(ending)), reverse=True)
        sql = "SELECT 1 FROM runs WHERE id = ?"
        known = (key for key in found if connection.execute(sql, (bytes.fromhex(key),)).fetchone())
        return [key for _, key in zip(range(limit), known, strict=False)]

    def _fitting(self, ending: str) -> Iterator[str]:
        odd = len(ending) % 2
        digits = bytes.fromhex(ending[odd:])
        at = self._keys.find(digits)
        while at >= 0:
            end = at + len(digits)
            if end % WIDTH == 0:
                key = self._keys[end - WIDTH : end].hex()
                if key.endswith(ending):
                    yield key
            at = self._keys.find(digits, at + 1)

    def _learn(self, connection: sqlite3.Connection) -> None:
        """What was written since the last time is read, by the events that runs begin with."""
        newest = events.last(connection)  # first: what comes while we read is read again
        now = time.monotonic()
        if self._seen is None or newest < self._seen or now - self._read > KEPT:
            self._keys, self._read = _all(connection), now
        elif newest > self._seen:
            sql = "SELECT run FROM states WHERE n > ? AND n <= ? AND seq = 1"
            rows = connection.execute(sql, (self._seen, newest)).fetchall()
            self._keys += b"".join(key for (key,) in rows)
        self._seen = newest


def _all(connection: sqlite3.Connection) -> bytearray:
    """All ids, out of their smallest index; as few large rows, so that other threads get on."""
    sql = (
        "SELECT group_concat(hex(id), ''), max(root) FROM (SELECT root, id FROM runs "
        "INDEXED BY runs_by_root WHERE (root, id) > (?, ?) ORDER BY root, id LIMIT ?)"
    )
    found = bytearray()
    root, last = b"", b""
    while True:
        digits, root = connection.execute(sql, (root, last, MANY)).fetchone()
        if digits is None:
            return found
        found += bytes.fromhex(digits)
        last = bytes(found[-WIDTH:])
