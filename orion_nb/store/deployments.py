"""Deployments as rows, and rows as deployments."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from orion_nb.errors import OrionError
from orion_nb.schemas.deployments import Deployment
from orion_nb.store import notifications
from orion_nb.store.statements import DEPLOYMENTS, INSERT_DEPLOYMENT

_SELECT = f"SELECT {', '.join(DEPLOYMENTS)} FROM deployments "


def insert(tx: sqlite3.Connection, deployment: Deployment) -> None:
    tx.execute(INSERT_DEPLOYMENT, _row(deployment))


def update(tx: sqlite3.Connection, deployment: Deployment) -> None:
    row = _row(deployment)
    sets = ", ".join(f"{name} = ?" for name in DEPLOYMENTS[1:])
    tx.execute(f"UPDATE deployments SET {sets} WHERE id = ?", (*row[1:], row[0]))


def move(tx: sqlite3.Connection, known: Deployment, following: int | None) -> bool:
    """Its next instant is `following`; False if it was changed or moved since it was read."""
    sql = (
        "UPDATE deployments SET next_due = ? "
        "WHERE id = ? AND revision = ? AND next_due = ? AND paused = 0"
    )
    values = (following, bytes.fromhex(known.id), known.revision, known.next_due)
    return tx.execute(sql, values).rowcount == 1


def delete(tx: sqlite3.Connection, deployment_id: str) -> None:
    notifications.delete_of(tx, deployment_id)
    tx.execute("DELETE FROM deployments WHERE id = ?", (bytes.fromhex(deployment_id),))


def read(connection: sqlite3.Connection, deployment_id: str) -> Deployment | None:
    return _one(connection, "WHERE id = ?", (bytes.fromhex(deployment_id),))


def read_named(connection: sqlite3.Connection, name: str) -> Deployment | None:
    return _one(connection, "WHERE name = ?", (name,))


def read_all(connection: sqlite3.Connection) -> list[Deployment]:
    return [_deployment(row) for row in connection.execute(_SELECT + "ORDER BY name")]


def read_page(connection: sqlite3.Connection, after: str, limit: int) -> list[Deployment]:
    """The deployments whose names come behind `after`, by name."""
    where = "WHERE name > ? ORDER BY name LIMIT ?"
    return [_deployment(row) for row in connection.execute(_SELECT + where, (after, limit))]


def read_due(
    connection: sqlite3.Connection, now: int, limit: int
) -> list[Deployment | tuple[str, str, ValueError]]:
    """Up to `limit` deployments with an instant due at or before `now`, most overdue first.

    Of one that can't be read any more, its time zone is gone say: id, name and what is wrong.
    """
    where = "WHERE paused = 0 AND next_due <= ? ORDER BY next_due LIMIT ?"
    found: list[Deployment | tuple[str, str, ValueError]] = []
    for row in connection.execute(_SELECT + where, (now, limit)).fetchall():
        try:
            found.append(_deployment(row))
        except (OrionError, ValueError) as error:
            found.append((row[0].hex(), row[1], ValueError(str(error))))
    return found


def stop(tx: sqlite3.Connection, deployment_id: str) -> None:
    """It is due no more until it is changed."""
    sql = "UPDATE deployments SET next_due = NULL WHERE id = ?"
    tx.execute(sql, (bytes.fromhex(deployment_id),))


def next_due(connection: sqlite3.Connection) -> int | None:
    """The earliest instant at which a deployment is due."""
    row = connection.execute("SELECT min(next_due) FROM deployments WHERE paused = 0").fetchone()
    return row[0] if row[0] is None else int(row[0])


def is_any_active(connection: sqlite3.Connection) -> bool:
    """There is a deployment that is not paused."""
    sql = "SELECT 1 FROM deployments WHERE paused = 0 LIMIT 1"
    return connection.execute(sql).fetchone() is not None


def _one(connection: sqlite3.Connection, where: str, values: Iterable[Any]) -> Deployment | None:
    row = connection.execute(_SELECT + where, tuple(values)).fetchone()
    return _deployment(row) if row else None


def _row(deployment: Deployment) -> tuple[Any, ...]:
    d = deployment
    told = d.spec()
    if d.pause is not None:
        told["pause"] = d.pause.model_dump()
    spec = json.dumps(told, ensure_ascii=False)
    key = bytes.fromhex(d.id)
    return (key, d.name, spec, int(d.paused), d.next_due, d.revision, d.created, d.updated)


def _deployment(row: tuple[Any, ...]) -> Deployment:
    key, name, spec, paused, due, revision, created, updated = row
    return Deployment(
        **json.loads(spec),
        id=key.hex(),
        name=name,
        paused=bool(paused),
        next_due=due,
        revision=revision,
        created=created,
        updated=updated,
    )
