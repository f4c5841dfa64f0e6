"""The connections for reading: lent out, taken back, and all at home while the process forks."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orion_nb.errors import StoreUnavailable
from orion_nb.store.connections import (
    Connection,
    connect,
    never_close,
    trouble,
    unstorable,
)

#: How long a fork waits for readers to come home (seconds).
FORK_PATIENCE = 2.0

#: More than so many connections are not kept for later: each has a cache of its own.
MOST_IDLE = 8


class Readers:
    """The reading connections to one file."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self.path = path
        self.synchronous = synchronous
        self._gate = threading.Lock()
        self._idle: deque[Connection] = deque()
        self._lent: set[Connection] = set()
        self._watcher: Connection | None = None
        self._watchers = 0
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """A connection; an open transaction ends when it is given back."""
        connection = self._take()
        try:
            yield connection
        except sqlite3.Error as error:
            raise trouble(self.path, error) from error
        except (UnicodeEncodeError, OverflowError) as error:
            raise unstorable(error) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if self._closed or len(self._idle) >= MOST_IDLE:
                connection.close()
            else:
                self._idle.append(connection)
            self._lent.discard(connection)

    def version(self) -> tuple[int, int]:
        """A value that is another one after somebody, here or elsewhere, has committed."""
        with self._gate:
            if self._watcher is None:
                self._watcher = self._open()
                self._watchers += 1
            try:
                row = self._watcher.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error as error:
                raise trouble(self.path, error) from error
        return self._watchers, int(row[0])

    def close(self) -> None:
        """Idle connections are closed now, lent ones when they are given back."""
        with self._gate:
            self._closed = True
            self._shut()

    def rest(self) -> bool:
        """Before a fork all connections are closed; False when that was not to be had in time."""
        if not self._gate.acquire(timeout=FORK_PATIENCE):
            return False
        deadline = time.monotonic() + FORK_PATIENCE
        while self._lent and time.monotonic() < deadline:
            time.sleep(0.001)
        self._shut()
        return True

    def wake(self, *, in_child: bool, rested: bool) -> None:
        """After the fork, with what `rest` answered."""
        if in_child:
            for connection in self._lent:
                never_close(connection)
            self._lent.clear()
            self._gate = threading.Lock()
        elif rested:
            self._gate.release()

    def _take(self) -> Connection:
        with self._gate:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._open()
            self._lent.add(connection)
        return connection

    def _open(self) -> Connection:
        if self._closed:
            raise StoreUnavailable(f"database {self.path} was closed")
        try:
            connection = connect(self.path, self.synchronous)
            connection.execute("PRAGMA query_only=1")
        except sqlite3.Error as error:
            raise trouble(self.path, error) from error
        return connection

    def _shut(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        while self._idle:
            self._idle.pop().close()
