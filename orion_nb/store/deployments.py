"""Deployments as rows, and rows as deployments."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from orion_nb.errors import DeploymentUnreadable, OrionError
from orion_nb.schemas import due
from orion_nb.schemas.deployments import Deployment
from orion_nb.schemas.due import Due
from orion_nb.schemas.values import frozen
from orion_nb.store import notifications
from orion_nb.store.statements import DEPLOYMENTS, INSERT_DEPLOYMENT


@frozen
class Unreadable:
    """A deployment that can't be read any more, its time zone is gone say: what is left of it.

    `spec` is what was kept, `problem` says what is wrong with it. Times are microseconds, UTC.
    """

    id: str
    name: str
    spec: dict[str, Any]
    problem: str
    paused: bool
    next_due: int | None
    revision: int
    created: int
    updated: int


_SELECT = f"SELECT {', '.join(DEPLOYMENTS)} FROM deployments "


def insert(tx: sqlite3.Connection, deployment: Deployment) -> None:
    tx.execute(INSERT_DEPLOYMENT, _row(deployment))


def update(tx: sqlite3.Connection, deployment: Deployment) -> None:
    row = _row(deployment)
    sets = ", ".join(f"{name} = ?" for name in DEPLOYMENTS[1:])
    tx.execute(f"UPDATE deployments SET {sets} WHERE id = ?", (*row[1:], row[0]))


def delete(tx: sqlite3.Connection, deployment_id: str) -> None:
    notifications.delete_of(tx, deployment_id)
    tx.execute("DELETE FROM deployments WHERE id = ?", (bytes.fromhex(deployment_id),))


def read(connection: sqlite3.Connection, deployment_id: str) -> Deployment | None:
    return _one(connection, "WHERE id = ?", (bytes.fromhex(deployment_id),))


def read_named(connection: sqlite3.Connection, name: str) -> Deployment | None:
    return _one(connection, "WHERE name = ?", (name,))


def read_page(
    connection: sqlite3.Connection, after: str, limit: int
) -> list[Deployment | Unreadable]:
    """The deployments whose names come behind `after`, by name; also those that can't be read."""
    where = "WHERE name > ? ORDER BY name LIMIT ?"
    return [_if_readable(row) for row in connection.execute(_SELECT + where, (after, limit))]


def read_unreadable(connection: sqlite3.Connection, ref: str) -> Unreadable | None:
    """The deployment of this name or id, if there is one and it can't be read any more."""
    where = "WHERE name = ? OR hex(id) = upper(?)"
    found = connection.execute(_SELECT + where, (ref, ref)).fetchall()
    told = [each for row in found if isinstance(each := _if_readable(row), Unreadable)]
    return told[0] if told else None


def read_due(
    connection: sqlite3.Connection, now: int, limit: int
) -> list[Due | tuple[str, str, ValueError]]:
    """Up to `limit` deployments with an instant due at or before `now`, most overdue first.

    Of one that can't be read any more, its time zone is gone say: id, name and what is wrong.
    """
    sql = (
        "SELECT id, name, spec, revision, next_due FROM deployments "
        "WHERE paused = 0 AND next_due <= ? ORDER BY next_due LIMIT ?"
    )
    found: list[Due | tuple[str, str, ValueError]] = []
    for key, name, *told in connection.execute(sql, (now, limit)).fetchall():
        try:
            found.append(due.read_due(key.hex(), name, *told))
        except (OrionError, ValueError, TypeError, LookupError) as error:
            found.append((key.hex(), name, ValueError(f"{type(error).__name__}: {error}")))
    return found


def stop(tx: sqlite3.Connection, deployment_id: str) -> None:
    """It is due no more until it is changed."""
    sql = "UPDATE deployments SET next_due = NULL WHERE id = ?"
    tx.execute(sql, (bytes.fromhex(deployment_id),))


def next_due(connection: sqlite3.Connection) -> int | None:
    """The earliest instant at which a deployment is due."""
    row = connection.execute("SELECT min(next_due) FROM deployments WHERE paused = 0").fetchone()
    return row[0] if row[0] is None else int(row[0])


def read_next(connection: sqlite3.Connection) -> Deployment | None:
    """The deployment that is due first; None if none will be."""
    where = " WHERE paused = 0 AND next_due IS NOT NULL ORDER BY next_due LIMIT 1"
    return _one(connection, where, ())


def is_any_active(connection: sqlite3.Connection) -> bool:
    """There is a deployment that is not paused."""
    sql = "SELECT 1 FROM deployments WHERE paused = 0 LIMIT 1"
    return connection.execute(sql).fetchone() is not None


def _one(connection: sqlite3.Connection, where: str, values: Iterable[Any]) -> Deployment | None:
    row = connection.execute(_SELECT + where, tuple(values)).fetchone()
    if row is None:
        return None
    found = _if_readable(row)
    if isinstance(found, Unreadable):
        raise DeploymentUnreadable(f"deployment {found.name!r} can't be read: {found.problem}")
    return found


def _if_readable(row: tuple[Any, ...]) -> Deployment | Unreadable:
    try:
        return _deployment(row)
    except (OrionError, ValueError) as error:
        return _unreadable(row, error)


def _unreadable(row: tuple[Any, ...], error: Exception) -> Unreadable:
    from pydantic import ValidationError

    key, name, spec, paused, due, revision, created, updated = row
    try:
        told = json.loads(spec)
    except ValueError:
        told = {}
    problem = str(error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        problem = f"{field}: {first['msg'].removeprefix('Value error, ')}"
    known = told if isinstance(told, dict) else {}
    return Unreadable(
        key.hex(), name, known, problem, bool(paused), due, revision, created, updated
    )


def _row(deployment: Deployment) -> tuple[Any, ...]:
    d = deployment
    told = d.kept()
    if d.pause is not None:
        told["pause"] = d.pause.model_dump()
    spec = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
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
