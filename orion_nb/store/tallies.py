"""How many rows each table has: counted on a thread of its own, for it reads the whole file."""

from __future__ import annotations

import sqlite3
import threading

from orion_nb import clock
from orion_nb.errors import StoreUnavailable
from orion_nb.schemas.values import frozen
from orion_nb.store.database import Database


@frozen
class Tally:
    """Rows by table, as they were at `at` (microseconds, UTC)."""

    rows: dict[str, int]
    at: int


class Tallies:
    """The last tally of a database, and the one that is under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Tally | None = None
        self._thread: threading.Thread | None = None

    def take(self, database: Database, patience: float | None) -> Tally | None:
        """The tally if it is ready within so many seconds; else the last one, None without one."""
        if patience is None:
            with database.read() as connection:
                return Tally(count(connection), clock.now())
        with self._lock:
            thread = self._thread
            if thread is None or not thread.is_alive():
                thread = threading.Thread(
                    target=self._count, args=(database,), name="orion-tally", daemon=True
                )
                self._thread = thread
                thread.start()
        thread.join(patience)
        return self._last

    def _count(self, database: Database) -> None:
        at = clock.now()
        try:
            with database.read() as connection:
                connection.set_progress_handler(lambda: database.is_closed, 100_000)
                try:
                    self._last = Tally(count(connection), at)
                finally:
                    connection.set_progress_handler(None, 0)
        except StoreUnavailable:
            return  # it was closed, or can't be read: whoever asks is told by others


def count(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has."""
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "AND name <> 'alembic_version' ORDER BY name"
    ).fetchall()
    sql = 'SELECT count(*) FROM "{}"'
    return {name: int(connection.execute(sql.format(name)).fetchone()[0]) for (name,) in tables}
