"""A piece of work that is to be written, and what comes of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from orion_nb.errors import Conflict
from orion_nb.store.connections import unstorable


class Job:
    """Work that waits to be committed; then its value or its error."""

    __slots__ = ("done", "error", "remembers", "value", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any], remembers: bool = False) -> None:
        self.work = work
        self.remembers = remembers
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """The work is done within the transaction that is open.

        Raises:
            sqlite3.Error: the file can't be used; other errors are kept as the job's own.
        """
        self.error = None  # it may have failed in a transaction that was interrupted
        try:
            self.value = self.work(connection)
        except sqlite3.IntegrityError as error:
            self.error = Conflict(f"it was written already: {error}")
        except (UnicodeEncodeError, OverflowError) as error:
            self.error = unstorable(error)
        except sqlite3.Error:
            raise
        except Exception as error:
            self.error = error
