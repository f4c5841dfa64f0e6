"""A database as it is seen from inside one write: all that is done there is committed at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar, cast

from orion_nb.errors import Conflict
from orion_nb.store.connections import unstorable
from orion_nb.store.database import Connection, Database

T = TypeVar("T")


class Inside(Database):
    """Stands for its database while a transaction of it is open; reads see what was written."""

    def __init__(self, outer: Database, tx: Connection) -> None:
        self.__dict__.update(vars(outer))
        self._outer, self._tx = outer, tx

    def write(self, work: Callable[[Connection], T], *, remembers: bool = False) -> T:
        """The work becomes part of the open transaction.

        Raises:
            Conflict: it was written already.
        """
        if not remembers:
            self._outer._forget_all()
        try:
            return work(self._tx)
        except sqlite3.IntegrityError as error:
            raise Conflict(f"it was written already: {error}") from error
        except (UnicodeEncodeError, OverflowError) as error:
            raise unstorable(error) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The connection that writes."""
        yield cast(Connection, Steady(self._tx))  # it has all that readers use

    @property
    def changes(self) -> int:
        """Another number after any row was written."""
        return self._tx.total_changes

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is written in the block is undone if it raises; what came before it stays."""
        self._tx.execute("SAVEPOINT inside")
        try:
            yield
        except BaseException:
            self._tx.execute("ROLLBACK TO inside")
            self._tx.execute("RELEASE inside")
            self._outer._forget_all()
            for forget in self.on_rollback:
                forget()
            raise
        self._tx.execute("RELEASE inside")

    def close(self) -> None:
        """Nothing: the database belongs to others."""


class Before(Database):
    """Stands for its database until something is to be written: then it stops whoever asks."""

    def __init__(self, outer: Database) -> None:
        self.__dict__.update(vars(outer))

    def write_all(self, *_: Any, **__: Any) -> NoReturn:
        """Nothing is written.

        Raises:
            ToBeWritten: always.
        """
        raise ToBeWritten

    def close(self) -> None:
        """Nothing: the database belongs to others."""


class ToBeWritten(BaseException):
    """All that comes before a write is done. It is no error: nobody but who asked catches it."""


class Steady:
    """A connection within a transaction: what it reads holds still without another `BEGIN`."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._tx.execute("SELECT 1" if sql == "BEGIN" else sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)
