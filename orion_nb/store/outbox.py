"""One process's outbox: a SQLite file of what a server is to be told, in order, once it is back."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from orion_nb.errors import StoreUnavailable
from orion_nb.schemas.values import frozen
from orion_nb.store.connections import never_close, trouble

try:
    import fcntl
except ImportError:  # Windows: nothing tells that an owner lives; what it left, people deliver
    fcntl = None  # type: ignore[assignment]

SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    n INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT, told TEXT NOT NULL, written INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS refused (
    n INTEGER PRIMARY KEY, run TEXT, told TEXT NOT NULL, why TEXT NOT NULL, noted INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS sender (url TEXT NOT NULL, session TEXT NOT NULL);
"""
ENDING = ".outbox"


@frozen
class Letter:
    """What the server is to be told; those of one run stay in order. `n` counts all of them."""

    n: int
    run: str | None
    told: dict[str, Any]
    written: int
    why: str | None = None


class Box:
    """One outbox file, owned by this process; power loss does not take what was put into it."""

    def __init__(self, path: Path, lock: int, connection: sqlite3.Connection) -> None:
        self.path = path
        self._lock_file = lock
        self._connection = connection
        self._lock = threading.Lock()
        row = connection.execute("SELECT url, session FROM sender").fetchone()
        self.url: str = row[0] if row else ""
        self.session: dict[str, Any] = json.loads(row[1]) if row else {}

    @classmethod
    def make(cls, folder: Path, name: str, url: str, session: dict[str, Any]) -> Self:
        """A new outbox of this process, for a server.

        Raises:
            StoreUnavailable: the folder can't be written.
        """
        path = folder / f"{name}{ENDING}"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = _open(path)
            assert found is not None
            lock, connection = found
            connection.execute("INSERT INTO sender VALUES (?, ?)", (url, json.dumps(session)))
        except (OSError, sqlite3.Error) as error:
            raise trouble(path, error) from error
        return cls(path, lock, connection)

    @classmethod
    def in_memory(cls, url: str, session: dict[str, Any]) -> Self:
        """An outbox for when no file can be written: it ends with the process."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO sender VALUES (?, ?)", (url, json.dumps(session)))
        return cls(Path(), -1, connection)

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """The outbox of a process that is gone; None if it lives, or another has adopted it."""
        try:
            found = _open(path)
            return cls(path, *found) if found else None
        except (OSError, sqlite3.Error):
            return None  # it is being deleted, or damaged

    def put(self, run: str | None, told: str, now: int) -> None:
        """What is told (JSON) is on the disk when this returns.

        Raises:
            StoreUnavailable: it can't be written.
        """
        self.put_all([(run, told, now)])

    def put_all(self, letters: Sequence[tuple[str | None, str, int]]) -> None:
        """The same for several, in order, at the price of one."""
        sql = "INSERT INTO letters (run, told, written) VALUES (?, ?, ?)"
        with self._lock, self._at_once():
            for letter in letters:
                self._try(sql, letter)

    def first(self, most: int) -> list[Letter]:
        """The letters that were put first, oldest first."""
        sql = "SELECT n, run, told, written FROM letters ORDER BY n LIMIT ?"
        return [Letter(n, run, json.loads(t), at) for n, run, t, at in self._do(sql, (most,))]

    def take_out(self, n: int) -> None:
        """All letters up to number `n` have been delivered."""
        self._do("DELETE FROM letters WHERE n <= ?", (n,))

    def refuse(self, run: str | None, n: int, why: str, now: int) -> None:
        """The server refused letter `n`: it and those of the same run behind it are put aside."""
        which = "n >= ? AND run = ?" if run else "n = ?"
        given = (n, run) if run else (n,)
        columns = "n, run, told, ?, ?"
        with self._lock, self._at_once():
            self._try(
                f"INSERT OR IGNORE INTO refused SELECT {columns} FROM letters WHERE {which}",
                (why, now, *given),
            )
            self._try(f"DELETE FROM letters WHERE {which}", given)

    def refused(self) -> list[Letter]:
        """What the server has refused, oldest first, each with the reason."""
        rows = self._do("SELECT n, run, told, noted, why FROM refused ORDER BY n")
        return [Letter(n, run, json.loads(told), at, why) for n, run, told, at, why in rows]

    def runs(self) -> set[str]:
        """The runs that letters are about."""
        return {row[0] for row in self._do("SELECT DISTINCT run FROM letters")}

    def count(self) -> int:
        return int(self._do("SELECT count(*) FROM letters")[0][0])

    def forget_refused(self) -> None:
        self._do("DELETE FROM refused")

    def close(self) -> None:
        """The file is closed; it is deleted if nothing is in it. Safe to call twice."""
        with self._lock:
            if self._lock_file < 0:
                return
            with suppress(sqlite3.Error, OSError):
                empty = not any(
                    self._connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
                    for table in ("letters", "refused")
                )
                self._connection.close()
                if empty:
                    for ending in ("", "-wal", "-shm", ".lock"):
                        self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
            os.close(self._lock_file)
            self._lock_file = -1

    def leave(self) -> None:
        """In a child after a fork: the file is the parent's, and so is the lock on it."""
        never_close(self._connection)
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        self._try("BEGIN IMMEDIATE")
        try:
            yield
            self._try("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _do(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            return self._try(sql, values)

    def _try(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise trouble(self.path, error) from error


def outboxes(folder: Path) -> list[Path]:
    """The outbox files in a folder, oldest first."""
    try:
        return sorted(folder.glob(f"*{ENDING}"))
    except OSError:
        return []


def peek(path: Path) -> tuple[str, dict[str, Any], list[Letter], list[Letter]]:
    """What is in an outbox, whoever owns it: URL, session, letters, and what was refused.

    Raises:
        StoreUnavailable: it can't be read.
    """
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            url, session = connection.execute("SELECT url, session FROM sender").fetchone()
            letters = connection.execute("SELECT n, run, told, written FROM letters ORDER BY n")
            waiting = [Letter(n, run, json.loads(t), at) for n, run, t, at in letters]
            rows = connection.execute("SELECT n, run, told, noted, why FROM refused ORDER BY n")
            refused = [Letter(n, run, json.loads(t), at, why) for n, run, t, at, why in rows]
        finally:
            connection.close()
    except (sqlite3.Error, OSError, TypeError) as error:
        raise StoreUnavailable(f"outbox {path}: {error}") from error
    return url, json.loads(session), waiting, refused


def _open(path: Path) -> tuple[int, sqlite3.Connection] | None:
    """The lock and a connection; None if somebody else has it."""
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
    lock = os.open(path.with_name(path.name + ".lock"), flags, 0o600)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return None
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(SCHEMA)
    except BaseException:
        with suppress(OSError):
            os.close(lock)
        raise
    return lock, connection
