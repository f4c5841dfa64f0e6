"""Notifications as rows, and which states each of them has yet to look at."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from orion_nb.schemas.notifications import Notification
from orion_nb.store.statements import INSERT_NOTIFICATION, NOTIFICATIONS

_SELECT = f"SELECT {', '.join(NOTIFICATIONS)} FROM notifications "


def insert(tx: sqlite3.Connection, made: Notification) -> None:
    tx.execute(INSERT_NOTIFICATION, _row(made))


def update(tx: sqlite3.Connection, made: Notification) -> None:
    row = _row(made)
    sets = ", ".join(f"{name} = ?" for name in NOTIFICATIONS[1:])
    tx.execute(f"UPDATE notifications SET {sets} WHERE id = ?", (*row[1:], row[0]))


def delete(tx: sqlite3.Connection, notification_id: str) -> None:
    """The notification is gone, and what it has told or was about to."""
    key = bytes.fromhex(notification_id)
    tx.execute("DELETE FROM deliveries WHERE notification = ?", (key,))
    tx.execute("DELETE FROM notifications WHERE id = ?", (key,))


def delete_of(tx: sqlite3.Connection, deployment_id: str) -> None:
    """The notifications of a deployment are gone."""
    sql = "SELECT id FROM notifications WHERE deployment = ?"
    for (key,) in tx.execute(sql, (bytes.fromhex(deployment_id),)).fetchall():
        delete(tx, key.hex())


def read(connection: sqlite3.Connection, notification_id: str) -> Notification | None:
    return _one(connection, "WHERE id = ?", (bytes.fromhex(notification_id),))


def read_named(connection: sqlite3.Connection, name: str) -> Notification | None:
    return _one(connection, "WHERE name = ?", (name,))


def read_all(connection: sqlite3.Connection, *, active: bool = False) -> list[Notification]:
    """All notifications by name; with `active` those that are not paused."""
    where = "WHERE paused = 0 " if active else ""
    return [_made(row) for row in connection.execute(f"{_SELECT}{where}ORDER BY name")]


def is_active(connection: sqlite3.Connection, notification_id: str) -> bool:
    """It is there, and not paused."""
    sql = "SELECT 1 FROM notifications WHERE id = ? AND paused = 0"
    return connection.execute(sql, (bytes.fromhex(notification_id),)).fetchone() is not None


def saw(tx: sqlite3.Connection, ids: Iterable[str], n: int) -> None:
    """These notifications have been looked at up to event number `n`."""
    sql = "UPDATE notifications SET seen = max(seen, ?) WHERE id = ?"
    tx.executemany(sql, [(n, bytes.fromhex(each)) for each in ids])


def _one(connection: sqlite3.Connection, where: str, values: Iterable[Any]) -> Notification | None:
    row = connection.execute(_SELECT + where, tuple(values)).fetchone()
    return _made(row) if row else None


def _row(made: Notification) -> tuple[Any, ...]:
    deployment = bytes.fromhex(made.deployment) if made.deployment else None
    told = (json.dumps(made.spec(), ensure_ascii=False), int(made.paused), made.seen)
    return (bytes.fromhex(made.id), made.name, deployment, *told, made.created, made.updated)


def _made(row: tuple[Any, ...]) -> Notification:
    key, name, deployment, spec, paused, seen, created, updated = row
    return Notification(
        **json.loads(spec),
        id=key.hex(),
        name=name,
        deployment=deployment.hex() if deployment else None,
        paused=bool(paused),
        seen=seen,
        created=created,
        updated=updated,
    )
