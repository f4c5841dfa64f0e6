"""The SQLite file: how it is opened, read, and written by one owner per process.

A write runs inside `BEGIN IMMEDIATE` on the one write connection. The caller that finds the lock
free writes on its own thread; when several wait, the next owner commits for all of them at once.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from orion_nb.errors import StoreUnavailable
from orion_nb.store.checkpoints import Checkpoints
from orion_nb.store.filesystems import journal_mode
from orion_nb.store.statements import SCHEMA

T = TypeVar("T")
Connection = sqlite3.Connection

#: The schema this code reads and writes; kept in SQLite's user_version. One step per migration.
SCHEMA_VERSION = 1
REVISION = "0001"
LOCK_PATIENCE = 60.0
MIGRATING = "database {path} has schema {found}, this orion_nb has {ours}"


class Job:
    """A piece of work that waits to be committed, and what came of it."""

    __slots__ = ("done", "error", "value", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None


class Database:
    """One SQLite file: `write` commits a piece of work, `read` lends a reading connection."""

    def __init__(self, path: Path, synchronous: str = "normal") -> None:
        self.path = path
        self.synchronous = synchronous
        self.on_rollback: list[Callable[[], None]] = []
        self._owner = threading.Lock()
        self._queue: deque[Job] = deque()
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        self._open()
        _open_databases.add(self)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` is run in a write transaction, its own or one shared with others; then committed.

        Raises:
            StoreUnavailable: the file can't be written, or stayed locked for a minute.
        """
        job = Job(work)
        self._queue.append(job)
        try:
            with self._owner:
                while not job.done:
                    self._commit_waiting()
        except BaseException:
            with suppress(ValueError):
                self._queue.remove(job)
            raise
        if job.error is not None:
            raise job.error
        value: T = job.value
        return value

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading; it sees one consistent moment between `BEGIN` and `COMMIT`."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
            connection.execute("PRAGMA query_only=1")
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """All connections are closed; safe to call twice."""
        with self._owner:
            if not self._closed:
                self._closed = True
                self._writer.close()
                self._checkpoints.close()
                while self._idle:
                    self._idle.pop().close()
        _open_databases.discard(self)

    def _commit_waiting(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"database {self.path} was closed")
        jobs = [self._queue.popleft() for _ in range(len(self._queue))]
        try:
            self._begin()
            if len(jobs) == 1:
                _run(jobs[0], self._writer)
            else:
                for job in jobs:
                    self._run_in_savepoint(job)
            self._end(all_failed=all(job.error is not None for job in jobs))
        except sqlite3.Error as error:
            self._rollback()
            trouble = StoreUnavailable(f"database {self.path}: {error}; try `orion-nb doctor`")
            for job in jobs:
                job.error = trouble
        except BaseException:
            # An interrupt: nobody's work is committed; the others' is done by the next owner.
            self._rollback()
            self._queue.extendleft(reversed([job for job in jobs if job.error is None]))
            raise
        for job in jobs:
            job.done = True

    def _run_in_savepoint(self, job: Job) -> None:
        self._writer.execute("SAVEPOINT job")
        _run(job, self._writer)
        if job.error is not None:
            self._writer.execute("ROLLBACK TO job")
            self._forget()
        self._writer.execute("RELEASE job")

    def _begin(self) -> None:
        deadline = time.monotonic() + LOCK_PATIENCE
        self._checkpoints.enter_write()
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not _is_locked(error) or time.monotonic() > deadline:
                    raise
                # SQLite's own wait backs off to 100 ms and is unfair; a short jittered one is not.
                time.sleep(random.uniform(0.0005, 0.004))

    def _end(self, all_failed: bool) -> None:
        self._writer.execute("ROLLBACK" if all_failed else "COMMIT")
        if all_failed:
            self._forget()
        self._checkpoints.leave_write(self._writer)

    def _rollback(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        self._forget()
        self._checkpoints.leave_write(self._writer)

    def _forget(self) -> None:
        for forget in self.on_rollback:
            forget()

    def _open(self) -> None:
        self._idle.clear()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._checkpoints = Checkpoints(self.path)
            self._writer = self._connect()
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(
                f"database {self.path} can't be opened: {error}; set ORION_NB_HOME to a folder "
                "on a local disk that you may write"
            ) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            check_same_thread=False,
            timeout=0,
            cached_statements=256,
        )
        pragmas = (
            f"synchronous={self.synchronous}",
            f"wal_autocheckpoint={0 if self._checkpoints.owned_by_us else 1000}",
            "cache_size=-16000",
            "temp_store=memory",
            "mmap_size=0",
        )
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _prepare(self) -> None:
        """The file has our schema when this returns."""
        if (found := _version(self._writer)) == SCHEMA_VERSION:
            return
        if found == 0:
            self._patiently(f"PRAGMA journal_mode={journal_mode(self.path)}")
            self._begin()
            try:
                if (found := _version(self._writer)) == 0:
                    create_schema(self._writer)
            finally:
                self._writer.execute("COMMIT")
                self._checkpoints.leave_write(self._writer)
            return
        ours = MIGRATING.format(path=self.path, found=found, ours=SCHEMA_VERSION)
        remedy = "upgrade orion_nb" if found > SCHEMA_VERSION else "run `orion-nb db upgrade`"
        raise StoreUnavailable(f"{ours}; {remedy}")

    def _patiently(self, statement: str) -> None:
        """Changing the journal mode needs the file for itself: others may be doing the same."""
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                self._writer.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if not _is_locked(error) or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.0005, 0.004))

    def _after_fork(self) -> None:
        # A connection must not be carried over a fork; the parent still uses the old ones, so
        # they are kept from being closed here and new ones are opened.
        _never_closed.append((self._writer, list(self._idle), self._checkpoints))
        self._owner = threading.Lock()
        self._queue = deque()
        self._idle = deque()
        if not self._closed:
            self._open()


def create_schema(connection: sqlite3.Connection) -> None:
    """All tables as they are now, stamped with the newest migration."""
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
    )
    connection.execute("INSERT INTO alembic_version VALUES (?)", (REVISION,))
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_locked(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _run(job: Job, connection: sqlite3.Connection) -> None:
    try:
        job.value = job.work(connection)
    except sqlite3.Error:
        raise
    except Exception as error:
        job.error = error


_open_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_never_closed: list[object] = []


def _reopen_all() -> None:
    for database in list(_open_databases):
        database._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reopen_all)
