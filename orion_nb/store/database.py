"""The SQLite file: how it is opened, read, and written by one owner per process.

A write runs inside `BEGIN IMMEDIATE` on the one write connection. The caller that finds the lock
free writes on its own thread; when several wait, the next owner commits for all of them at once.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

from orion_nb.errors import StoreUnavailable
from orion_nb.store import forks
from orion_nb.store.checkpoints import Checkpoints
from orion_nb.store.connections import (
    LOCK_PATIENCE,
    connect,
    is_locked,
    never_close,
    trouble,
)
from orion_nb.store.filesystems import journal_mode
from orion_nb.store.jobs import Job
from orion_nb.store.readers import FORK_PATIENCE, Readers
from orion_nb.store.schema import PAGE_SIZE, SCHEMA_VERSION, check, create_schema, version_of

T = TypeVar("T")
Connection = sqlite3.Connection

MOST_REMEMBERED = 1000


class Database:
    """One SQLite file: `write` commits a piece of work, `read` lends a reading connection."""

    def __init__(self, path: Path, synchronous: str = "normal") -> None:
        self.path = path
        self.synchronous = synchronous
        self.on_rollback: list[Callable[[], None]] = []
        #: What was read within writes, and is still so: work that `remembers` looks here first.
        self.memo: dict[Any, Any] = {}
        self._memo_of = -1
        #: Another number whenever something that was remembered may not be so any more.
        self.epoch = 0
        self._owner = threading.Lock()
        self._queue: deque[Job] = deque()
        self._readers = Readers(path, synchronous)
        self._rested = (False, False)
        self._closed = False
        self._is_open = False
        self._open()
        forks.heed(self)

    def write(self, work: Callable[[Connection], T], *, remembers: bool = False) -> T:
        """`work` is run in a write transaction, its own or one shared with others; then committed.

        It may be run again, when the transaction has to be. With `remembers` it keeps `memo` true;
        after other work nothing is remembered.

        Raises:
            StoreUnavailable: the file can't be written, or stayed locked for a minute.
        """
        (job,) = self.write_all([work], remembers=remembers)
        if job.error is not None:
            raise job.error
        value: T = job.value
        return value

    def write_all(
        self, works: Sequence[Callable[[Connection], Any]], *, remembers: bool = False
    ) -> list[Job]:
        """All of them are run, in order, in one transaction; one that fails spoils no other.

        Each job that is answered has the work's value or its error.
        """
        jobs = [Job(work, remembers) for work in works]
        if not jobs:
            return jobs
        self._queue.extend(jobs)
        try:
            with self._owner:
                while not jobs[-1].done:
                    self._commit_waiting()
        except BaseException:
            self._unqueue(jobs)
            raise
        return jobs

    def begin_all(self, works: Sequence[Callable[[Connection], Any]]) -> list[Job] | None:
        """All of them are run now, in a transaction that is left open; None if that can't be.

        It waits for nobody: None if anybody else writes, or if one of them fails. Whoever gets
        jobs must `finish` them, on any thread; until then nobody else writes.
        """
        if not self._owner.acquire(blocking=False):
            return None
        jobs = [Job(work) for work in works]
        begun = False
        try:
            if self._is_open:
                self._begin(wait=False)
                begun = self._run_all(jobs) and not any(job.error for job in jobs)
        except (sqlite3.Error, OSError, StoreUnavailable):
            pass  # it is tried again by `write_all`, which tells what is wrong
        finally:
            if not begun:
                self._leave()
        return jobs if begun else None

    def finish(self, jobs: Sequence[Job]) -> None:
        """What `begin_all` began is committed; each job has its value, or else an error."""
        try:
            self._checkpoints.before_commit()
            self._patiently("COMMIT")
        except (sqlite3.Error, OSError) as error:
            for job in jobs:
                job.error = trouble(self.path, error)
        finally:
            self._leave()

    def read(self) -> AbstractContextManager[Connection]:
        """A connection for reading; it sees one consistent moment between `BEGIN` and `COMMIT`.

        Raises:
            StoreUnavailable: the file can't be read.
        """
        return self._readers.lend()

    def read_committed(self) -> AbstractContextManager[Connection]:
        """The same, and also within a write it sees only what was committed."""
        return self._readers.lend()

    def version(self) -> tuple[int, int]:
        """A value that is another one after somebody, here or elsewhere, has committed."""
        return self._readers.version()

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """All connections are closed; safe to call twice."""
        with self._owner:
            if not self._closed:
                self._closed = True
                self._shut()
                self._readers.close()

    def _commit_waiting(self) -> None:
        """The work of all who wait is committed in one transaction.

        An interrupt may come at any line of it. A job stays in the queue until it is done, so
        that none is lost; and whether the commit happened is read off the connection, so that
        none is done twice.
        """
        self._check_open()
        if not self._is_open:
            self._open()
        jobs = [job for job in self._queue.copy() if not job.done]
        committing = False
        try:
            self._begin()
            if not self._run_all(jobs):
                self._begin()
                self._run_apart(jobs)
            committing = True
            if all(job.error is not None for job in jobs):
                self._roll_back()
            else:
                self._checkpoints.before_commit()
                self._patiently("COMMIT")
            self._settle(jobs)
        except (sqlite3.Error, OSError) as error:
            for job in jobs:
                job.error = job.error or trouble(self.path, error)
            self._settle(jobs)
        except BaseException:
            if committing and not self._writer.in_transaction:
                self._settle(jobs)
            raise
        finally:
            self._end()

    def _end(self) -> None:
        """No transaction is open any more."""
        if self._writer.in_transaction:
            with suppress(sqlite3.Error, OSError):
                self._roll_back()
        self._checkpoints.leave_write(self._writer)

    def _run_all(self, jobs: list[Job]) -> bool:
        """All are run; False if one of several has failed, whose part alone is to be undone."""
        for job in jobs:
            self._run(job)
            if job.error is not None and len(jobs) > 1:
                return False
        return True

    def _run_apart(self, jobs: list[Job]) -> None:
        """Each is run in a savepoint, which costs as much as a small job: it is rarely needed."""
        for job in jobs:
            self._writer.execute("SAVEPOINT job")
            self._run(job)
            if job.error is not None:
                self._forget()
                self._writer.execute("ROLLBACK TO job")
            self._writer.execute("RELEASE job")

    def _run(self, job: Job) -> None:
        job.run(self._writer)
        if not job.remembers:
            self._forget_all()

    def _settle(self, jobs: list[Job]) -> None:
        for job in jobs:
            job.done = True
        self._unqueue(jobs)

    def _unqueue(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:  # noqa: SIM105 - a thousand context managers cost as much as ten commits
                self._queue.remove(job)
            except ValueError:
                pass

    def _leave(self) -> None:
        try:
            if self._is_open:
                self._end()
        finally:
            self._owner.release()

    def _begin(self, *, wait: bool = True) -> None:
        self._roll_back()  # an interrupt may have come before the last transaction was
        deadline = time.monotonic() + (LOCK_PATIENCE if wait else 0.0)
        while True:
            self._checkpoints.enter_write(wait=wait)
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                self._recall()
                return
            except sqlite3.OperationalError as error:
                if not is_locked(error) or time.monotonic() >= deadline:
                    raise
            self._checkpoints.leave_wait()
            _wait_a_little()

    def forget(self, key: Any) -> None:
        """What is remembered under the key is so no more."""
        if self.memo.pop(key, None) is not None:
            self.epoch += 1

    def _forget_all(self) -> None:
        self.memo.clear()
        self.epoch += 1

    def _recall(self) -> None:
        """What another connection may have changed is not remembered; nor too much."""
        (version,) = self._writer.execute("PRAGMA data_version").fetchone()
        if version != self._memo_of or len(self.memo) > MOST_REMEMBERED:
            if self._is_open:  # somebody may have upgraded it since
                check(self.path, version_of(self._writer))
            self._forget_all()
            self._memo_of = version

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._forget()
            self._writer.execute("ROLLBACK")

    def _forget(self) -> None:
        self._forget_all()
        for forget in self.on_rollback:
            forget()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"database {self.path} was closed")

    def _open(self) -> None:
        opened = ExitStack()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._checkpoints = Checkpoints(self.path)
            opened.callback(self._checkpoints.close)
            self._writer = connect(self.path, self.synchronous)
            self._forget_all()
            self._memo_of = -1
            opened.callback(self._writer.close)
            found = version_of(self._writer)
            self._writer.execute("PRAGMA busy_timeout=0")  # from now on we wait, not SQLite
            self._prepare(found)
            self._is_open = True
        except (OSError, sqlite3.Error) as error:
            opened.close()
            raise trouble(self.path, error) from error
        except BaseException:
            opened.close()
            raise

    def _prepare(self, found: int) -> None:
        """The file, which has schema number `found`, has our schema when this returns."""
        if found == SCHEMA_VERSION:
            return
        if found == 0:
            # A commit writes whole pages: small ones take a quarter off the cost of a task.
            self._writer.execute(f"PRAGMA page_size={PAGE_SIZE}")
            # What old runs leave free is given back bit by bit (see `retention.give_back`).
            self._patiently("PRAGMA auto_vacuum=INCREMENTAL")
            self._patiently(f"PRAGMA journal_mode={journal_mode(self.path)}")
            self._begin()
            try:
                if version_of(self._writer) == 0:
                    create_schema(self._writer)
                self._patiently("COMMIT")
            finally:
                self._roll_back()
                self._checkpoints.leave_write(self._writer)
            return
        check(self.path, found)

    def _patiently(self, statement: str) -> None:
        """The statement is tried again while others have the file.

        Changing the journal mode needs the file for itself, as does a commit without WAL.
        """
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                self._writer.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if not is_locked(error) or time.monotonic() > deadline:
                    raise
                _wait_a_little()

    def rest(self) -> None:
        """Before a fork: nobody writes or reads, and no connection is open."""
        owned = self._owner.acquire(timeout=FORK_PATIENCE)
        self._rested = (owned, self._readers.rest())
        if owned:
            self._shut()

    def wake(self, *, in_child: bool) -> None:
        """After a fork; the child knows nothing of its parent's threads and their work."""
        owned, rested = self._rested
        self._readers.wake(in_child=in_child, rested=rested)
        if in_child:
            if self._is_open:
                never_close(self._writer)
                self._checkpoints.close()
                self._is_open = False
            self._owner = threading.Lock()
            self._queue.clear()
            self._forget()
        elif owned:
            self._owner.release()

    def _shut(self) -> None:
        if self._is_open:
            self._is_open = False
            self._writer.close()
            self._checkpoints.close()


def _wait_a_little() -> None:
    # SQLite's own wait backs off to 100 ms and is unfair; a short jittered one is not.
    import random

    time.sleep(random.uniform(0.0005, 0.004))
