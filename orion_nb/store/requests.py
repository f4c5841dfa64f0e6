"""Requests with an Idempotency-Key, and what they were answered: written with what they did."""

from __future__ import annotations

import sqlite3

from orion_nb.clock import SECOND
from orion_nb.schemas.values import frozen

#: An answer is kept for so many seconds.
KEPT = 7 * 24 * 3600


@frozen
class Answered:
    """A request that was answered: which one it was, and what it was told (`body` is JSON).

    Of one that is being done the status is 0, and the body the id of the session that does it.
    """

    route: str
    digest: str
    status: int
    body: str


def recall(connection: sqlite3.Connection, key: str) -> Answered | None:
    """What the request with this key was answered, if there was one."""
    sql = "SELECT route, digest, status, body FROM requests WHERE key = ?"
    row = connection.execute(sql, (key,)).fetchone()
    return Answered(*row) if row else None


def keep(tx: sqlite3.Connection, key: str, answered: Answered, now: int) -> None:
    """The answer is kept with its key; those that are too old are forgotten."""
    tx.execute("DELETE FROM requests WHERE created < ?", (now - KEPT * SECOND,))
    a = answered
    row = (key, a.route, a.digest, a.status, a.body, now)
    tx.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)", row)


def forget(tx: sqlite3.Connection, key: str) -> None:
    """The request with this key may be done again."""
    tx.execute("DELETE FROM requests WHERE key = ?", (key,))
