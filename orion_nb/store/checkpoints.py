"""Who moves the write-ahead log into the database file, and when.

SQLite up to 3.51.2 can corrupt a file when two connections checkpoint while a third one commits
(sqlite.org/wal.html, "the WAL-reset bug"). So no connection checkpoints by itself: writers hold a
shared file lock during a transaction. One that finds the log long takes that lock for itself while
its transaction still keeps the others from beginning theirs, commits, and checkpoints.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: SQLite's own checkpoints are left on
    fcntl = None  # type: ignore[assignment]

#: A process moves the log after so many commits of its own. The file keeps its length: writing
#: over what is there is much cheaper than growing it again.
EVERY = 1000
#: It also looks at the file now and then, and cuts it when it is longer than this (bytes).
LOOK = 64
LONG = 32 * 1024 * 1024

#: Whether we move the log, and not SQLite.
owned_by_us = fcntl is not None

TRIES = 20


class Checkpoints:
    """One process's part in keeping the log of one database short."""

    def __init__(self, database: Path) -> None:
        self._log = database.with_name(database.name + "-wal")
        self._commits = 0
        self._alone = False
        self._file = -1
        if owned_by_us:
            lock = database.with_name(database.name + ".checkpoint")
            self._file = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)

    def enter_write(self, *, wait: bool = True) -> None:
        """Called before each try to begin a transaction.

        Raises:
            BlockingIOError: somebody moves the log, and it is not to be waited for.
        """
        if owned_by_us:
            fcntl.flock(self._file, fcntl.LOCK_SH | (0 if wait else fcntl.LOCK_NB))

    def leave_wait(self) -> None:
        """Called when the transaction could not begin, before waiting for the next try.

        Whoever only waits must not keep others from moving the log: among busy writers there is
        always one who waits.
        """
        if owned_by_us:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def before_commit(self) -> None:
        """Called at the end of a transaction, while nobody else can begin one."""
        self._commits += 1
        due = self._commits >= EVERY or (self._commits % LOOK == 0 and self._is_long())
        if due and owned_by_us and self._take_alone():
            self._commits, self._alone = 0, True

    def leave_write(self, connection: sqlite3.Connection) -> None:
        """Called after each transaction, outside of it."""
        if not owned_by_us:
            return
        if self._alone:
            self._alone = False
            self._checkpoint(connection)
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def shorten(self, connection: sqlite3.Connection) -> bool:
        """The whole log is moved into the file now; False if others were writing all the time.

        Called outside of any transaction.
        """
        if not owned_by_us:
            return False
        alone = self._take_alone()
        try:
            if alone:
                connection.execute("PRAGMA busy_timeout=250")  # writers wait for us meanwhile
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return alone

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _is_long(self) -> bool:
        try:
            return self._log.stat().st_size > LONG
        except OSError:
            return False

    def _take_alone(self) -> bool:
        # Others hold the lock for the moment in which they see that they can't begin.
        for _ in range(TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.0001)
        fcntl.flock(self._file, fcntl.LOCK_SH)
        return False

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        mode = "TRUNCATE" if self._is_long() else "PASSIVE"
        connection.execute("PRAGMA busy_timeout=250")
        try:
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.Error:
            return  # a reader is in the way, say; no harm: the log is looked at again later
        finally:
            connection.execute("PRAGMA busy_timeout=0")
