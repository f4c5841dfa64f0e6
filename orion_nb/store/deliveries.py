"""Deliveries as rows: what is to be told, who is telling it, and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from orion_nb.schemas.notifications import Delivery
from orion_nb.schemas.runs import new_id
from orion_nb.store import sessions
from orion_nb.store.events import Event
from orion_nb.store.statements import DELIVERIES, INSERT_DELIVERY

_SELECT = f"SELECT {', '.join(DELIVERIES)} FROM deliveries "


def add(
    tx: sqlite3.Connection,
    notification: str,
    cause: str,
    condition: str,
    run: str | None,
    n: int | None,
    now: int,
) -> str | None:
    """A delivery is to be made; None if there is one for this cause already."""
    key = new_id()
    row = (
        bytes.fromhex(key), bytes.fromhex(notification), cause, condition,
        bytes.fromhex(run) if run else None, n, "waiting", 0, now, None, None, None, now, None,
    )  # fmt: skip
    return key if tx.execute(INSERT_DELIVERY, row).rowcount == 1 else None


def is_known(connection: sqlite3.Connection, cause: str) -> bool:
    """Somebody was told, or is about to be, of this cause."""
    sql = (
        "SELECT 1 FROM notifications JOIN deliveries ON deliveries.notification = notifications.id "
        "AND deliveries.cause = ? LIMIT 1"
    )
    return connection.execute(sql, (cause,)).fetchone() is not None


def read(connection: sqlite3.Connection, delivery_id: str) -> Delivery | None:
    row = connection.execute(_SELECT + "WHERE id = ?", (bytes.fromhex(delivery_id),)).fetchone()
    return _made(row) if row else None


def page(
    connection: sqlite3.Connection,
    notification: str | None,
    status: str | None,
    before: str | None,
    limit: int,
) -> list[Delivery]:
    """The newest deliveries, or those made before the one with the id `before`."""
    parts, values = ["1"], list[Any]()
    for name, value in (("notification", notification), ("status", status)):
        if value is not None:
            parts.append(f"{name} = ?")
            values.append(bytes.fromhex(value) if name == "notification" else value)
    if before is not None:
        parts.append("id < ?")
        values.append(bytes.fromhex(before))
    sql = f"{_SELECT}WHERE {' AND '.join(parts)} ORDER BY id DESC LIMIT ?"
    return [_made(row) for row in connection.execute(sql, (*values, limit))]


def due(connection: sqlite3.Connection, now: int, limit: int) -> list[Delivery]:
    """Those to be tried now, longest due first."""
    where = "WHERE status = 'waiting' AND due <= ? ORDER BY due LIMIT ?"
    return [_made(row) for row in connection.execute(_SELECT + where, (now, limit))]


def next_due(connection: sqlite3.Connection) -> int | None:
    """When the next try is due (microseconds, UTC)."""
    sql = "SELECT min(due) FROM deliveries WHERE status = 'waiting'"
    found = connection.execute(sql).fetchone()[0]
    return None if found is None else int(found)


def claim(
    tx: sqlite3.Connection, known: Delivery, session: str, payload: str, until: int
) -> Delivery | None:
    """It is ours to tell until then, with the payload of the first try; None if somebody has it."""
    sql = (
        "UPDATE deliveries SET attempts = attempts + 1, due = ?, session = ?, "
        "payload = coalesce(payload, ?) WHERE id = ? AND status = 'waiting' AND due = ?"
    )
    key = bytes.fromhex(known.id)
    values = (until, bytes.fromhex(session), payload, key, known.due)
    return read(tx, known.id) if tx.execute(sql, values).rowcount == 1 else None


def settle(
    tx: sqlite3.Connection, known: Delivery, status: str, due: int | None, error: str | None,
    now: int,
) -> bool:  # fmt: skip
    """What became of a try; False if somebody else has taken it over meanwhile."""
    sql = (
        "UPDATE deliveries SET status = ?, due = ?, error = ?, session = NULL, ended = ? "
        "WHERE id = ? AND status = 'waiting' AND attempts = ?"
    )
    ended = None if status == "waiting" else now
    values = (status, due, error, ended, bytes.fromhex(known.id), known.attempts)
    return tx.execute(sql, values).rowcount == 1


def free(tx: sqlite3.Connection, keys: Sequence[bytes], now: int) -> None:
    """What these sessions were about to tell may be told by others now."""
    sql = "UPDATE deliveries SET due = ?, session = NULL WHERE session = ? AND status = 'waiting'"
    tx.executemany(sql, [(now, key) for key in keys])


def left_behind(connection: sqlite3.Connection) -> list[bytes]:
    """The sessions that died while they were telling."""
    sql = "SELECT DISTINCT session FROM deliveries WHERE status='waiting' AND session IS NOT NULL"
    found = [row[0] for row in connection.execute(sql)]
    known = ((key, sessions.read(connection, key)) for key in found)
    return [key for key, session in known if session is None or session.exists is False]


def retry(tx: sqlite3.Connection, delivery_id: str, now: int) -> bool:
    """A dead delivery is tried again, with all its tries; False if it is not dead."""
    sql = (
        "UPDATE deliveries SET status = 'waiting', attempts = 0, due = ?, ended = NULL "
        "WHERE id = ? AND status = 'dead'"
    )
    return tx.execute(sql, (now, bytes.fromhex(delivery_id))).rowcount == 1


def dead(connection: sqlite3.Connection, notification: str | None) -> list[str]:
    """The ids of all dead deliveries, of one notification if it is given."""
    sql, values = "SELECT id FROM deliveries WHERE status = 'dead'", list[Any]()
    if notification is not None:
        sql, values = f"{sql} AND notification = ?", [bytes.fromhex(notification)]
    return [row[0].hex() for row in connection.execute(f"{sql} ORDER BY id", values)]


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many deliveries there are of each status."""
    return dict(connection.execute("SELECT status, count(*) FROM deliveries GROUP BY status"))


def has_recovered(connection: sqlite3.Connection, event: Event) -> bool:
    """A run has completed, and it, or else the one before it of the same flow, had failed.

    Of the same deployment, if it has one. What was cancelled or skipped says nothing.
    """
    if event.type != "COMPLETED" or event.state_name == "Skipped":
        return False
    row = connection.execute(_OWN_END, (event.n,)).fetchone()
    if row is None:
        where = "deployment = ?" if event.deployment else "deployment IS NULL AND name = ?"
        of = bytes.fromhex(event.deployment) if event.deployment else event.name
        row = connection.execute(_END_BEFORE + where + _NEWEST, (bytes.fromhex(event.run), of))
        row = row.fetchone()
    return row is not None and row[0] in ("FAILED", "CRASHED")


#: How a run ended before it entered the state of this number.
_OWN_END = (
    "WITH RECURSIVE chain(type, prev) AS ("
    "SELECT type, prev FROM states WHERE n = (SELECT prev FROM states WHERE n = ?) "
    "UNION ALL SELECT s.type, s.prev FROM chain JOIN states s ON s.n = chain.prev) "
    "SELECT type FROM chain WHERE type IN ('FAILED', 'CRASHED', 'COMPLETED', 'CANCELLED') LIMIT 1"
)
_END_BEFORE = (
    "SELECT state_type FROM runs WHERE kind = 'flow' AND parent IS NULL AND end_time NOT NULL "
    "AND state_type <> 'CANCELLED' AND state_name <> 'Skipped' AND id < ? AND "
)
_NEWEST = " ORDER BY id DESC LIMIT 1"


def overdue(connection: sqlite3.Connection, before: int) -> list[tuple[str, str | None, str]]:
    """The outermost flow runs that should have begun by then: id, deployment and name of each."""
    sql = (
        "SELECT id, deployment, name FROM runs WHERE state_type = 'SCHEDULED' "
        "AND scheduled_time < ? AND end_time IS NULL AND parent IS NULL AND kind = 'flow'"
    )
    rows = connection.execute(sql, (before,)).fetchall()
    return [(key.hex(), of.hex() if of else None, name) for key, of, name in rows]


def _made(row: tuple[Any, ...]) -> Delivery:
    told = dict(zip(DELIVERIES, row, strict=True))
    told.pop("session")
    for name in ("id", "notification", "run"):
        told[name] = told[name].hex() if told[name] is not None else None
    return Delivery(**told)
