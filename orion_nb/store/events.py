"""The states table read as the log of events: what was entered after a given row."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from orion_nb.schemas.values import as_dict, frozen

#: So many events are looked at before the clock is.
STRETCH = 1000


@frozen
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
    deployment: str | None = None

    def as_json(self) -> dict[str, Any]:
        return as_dict(self)


_SELECT = (
    "SELECT states.n, runs.id, runs.root, runs.kind, runs.name, states.seq, states.type, "
    "states.name, states.timestamp, states.attempt, states.message, runs.parent, runs.deployment "
    "FROM states JOIN runs ON runs.id = states.run WHERE states.n > ? "
)


@frozen
class EventFilter:
    """Which events are asked for: those for which all that is given holds.

    `types` are types of states; `top_level`: only of outermost runs.
    """

    root: str | None = None
    run: str | None = None
    deployment: str | None = None
    kind: str | None = None
    name: str | None = None
    types: tuple[str, ...] = ()
    top_level: bool = False

    def fits(self, event: Event) -> bool:
        """The event is one of them."""
        for name in ("root", "run", "deployment", "kind", "name"):
            wanted = getattr(self, name)
            if wanted is not None and wanted != getattr(event, name):
                return False
        return (not self.types or event.type in self.types) and not (
            self.top_level and event.parent is not None
        )

    def as_query(self) -> dict[str, str]:
        """The same as the query of a URL."""
        names = ("root", "run", "deployment", "kind", "name")
        told = {name: value for name in names if (value := getattr(self, name)) is not None}
        told |= {"types": ",".join(self.types)} if self.types else {}
        return {**told, **({"top_level": "true"} if self.top_level else {})}

    def where(self) -> tuple[str, list[Any]]:
        """The same as SQL, to be put behind a WHERE."""
        parts, values = [], list[Any]()
        for name in ("root", "run", "deployment"):
            if (wanted := getattr(self, name)) is not None:
                parts.append(f"AND runs.{'id' if name == 'run' else name} = ?")
                values.append(bytes.fromhex(wanted))
        for name in ("kind", "name"):
            if (wanted := getattr(self, name)) is not None:
                parts.append(f"AND runs.{name} = ?")
                values.append(wanted)
        if self.types:
            parts.append(f"AND states.type IN ({', '.join('?' * len(self.types))})")
            values += self.types
        if self.top_level:
            parts.append("AND runs.parent IS NULL")
        return " ".join(parts), values


ALL = EventFilter()


def after(
    connection: sqlite3.Connection,
    n: int,
    chosen: EventFilter = ALL,
    limit: int = 1000,
    until: int | None = None,
) -> list[Event]:
    """The events that are asked for after number `n`, up to number `until`, oldest first."""
    where, values = chosen.where()
    if until is not None:
        where, values = f"{where} AND states.n <= ?", [*values, until]
    sql = f"{_SELECT}{where} ORDER BY states.n LIMIT ?"
    rows = connection.execute(sql, [n, *values, limit]).fetchall()
    return [_event(row) for row in rows]


def some(
    connection: sqlite3.Connection,
    n: int,
    chosen: EventFilter = ALL,
    limit: int = 1000,
    patience: float | None = None,
) -> tuple[list[Event], int]:
    """The events after number `n` that are found within so many seconds, oldest first.

    Also the number of the event up to which was looked: the newest one, or where to look on from.
    """
    newest = last(connection)
    at, end = _span(connection, chosen, n, newest)
    deadline = None if patience is None else time.monotonic() + patience
    found: list[Event] = []
    width = STRETCH
    while at < end:
        began = time.monotonic()
        upto = end if deadline is None else min(end, at + width)
        found += after(connection, at, chosen, limit - len(found), upto)
        if len(found) >= limit:
            return found, found[-1].n
        at, now = upto, time.monotonic()
        if deadline is not None and now > deadline and at < end:
            return found, at
        if patience is not None and now - began < patience / 8:
            width *= 4
    return found, max(n, newest)


def _span(
    connection: sqlite3.Connection, chosen: EventFilter, n: int, newest: int
) -> tuple[int, int]:
    """The event behind which those of a run, or of a tree, begin, and the last that can be one."""
    key = chosen.run or chosen.root
    if key is None:
        return n, newest
    column = "id" if chosen.run else "root"
    sql = f"SELECT max(state_n) FROM runs WHERE {column} = ?"
    (end,) = connection.execute(sql, (bytes.fromhex(key),)).fetchone()
    if end is None:
        return n, n
    first = (
        "WITH RECURSIVE chain (n) AS (SELECT state_n FROM runs WHERE id = ? UNION ALL "
        "SELECT states.prev FROM chain JOIN states ON states.n = chain.n WHERE states.prev > 0) "
        "SELECT coalesce(min(n), 1) FROM chain"
    )
    (begin,) = connection.execute(first, (bytes.fromhex(key),)).fetchone()
    return max(n, begin - 1), end


def _event(row: tuple[Any, ...]) -> Event:
    n, run, root, *told, parent, deployment = row
    parent, deployment = (each.hex() if each else None for each in (parent, deployment))
    return Event(*(n, run.hex(), root.hex(), parent, *told, deployment))


def last(connection: sqlite3.Connection) -> int:
    """The number of the newest event, 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(n), 0) FROM states").fetchone()[0])


def stopping(connection: sqlite3.Connection, n: int) -> tuple[list[str], int]:
    """The runs that were asked to stop after event number `n`, and the number of the last event."""
    newest = last(connection)
    sql = "SELECT run FROM states WHERE n > ? AND n <= ? AND type = 'CANCELLING'"
    return [row[0].hex() for row in connection.execute(sql, (n, newest))], newest
