"""The states table read as the log of events: what was entered after a given row."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One state that a run entered; `n` numbers all events of the database in order."""

    n: int
    run: str
    root: str
    parent: str | None
    kind: str
    name: str
    seq: int
    type: str
    state_name: str
    timestamp: int
    attempt: int
    message: str | None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def after(
    connection: sqlite3.Connection, n: int, root: str | None = None, limit: int = 1000
) -> list[Event]:
    """The events after number `n`, oldest first; of one tree of runs if `root` is given."""
    sql = (
        "SELECT states.n, runs.id, runs.root, runs.kind, runs.name, states.seq, states.type, "
        "states.name, states.timestamp, states.attempt, states.message, runs.parent FROM states "
        "JOIN runs ON runs.id = states.run WHERE states.n > ? "
        f"{'AND runs.root = ? ' if root else ''}ORDER BY states.n LIMIT ?"
    )
    values: list[Any] = [n, *([bytes.fromhex(root)] if root else []), limit]
    rows = connection.execute(sql, values).fetchall()
    return [_event(row) for row in rows]


def _event(row: tuple[Any, ...]) -> Event:
    n, run, root, *told, parent = row
    ids: tuple[Any, ...] = run.hex(), root.hex(), parent.hex() if parent else None
    return Event(n, *ids, *told)


def last(connection: sqlite3.Connection) -> int:
    """The number of the newest event, 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(n), 0) FROM states").fetchone()[0])


def stopping(connection: sqlite3.Connection, n: int) -> tuple[list[str], int]:
    """The runs that were asked to stop after event number `n`, and the number of the last event."""
    newest = last(connection)
    sql = "SELECT run FROM states WHERE n > ? AND n <= ? AND type = 'CANCELLING'"
    return [row[0].hex() for row in connection.execute(sql, (n, newest))], newest
