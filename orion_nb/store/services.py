"""How the loops of servers and workers are, as they have told themselves."""

from __future__ import annotations

import sqlite3
from typing import Any

from orion_nb.store import sessions

#: How the sessions of those are labelled who start what is scheduled.
ATTENDANTS = ("server", "worker")


def put(
    tx: sqlite3.Connection, session: str, name: str, status: str, error: str | None,
    failures: int, now: int,
) -> None:  # fmt: skip
    """From now on a loop of this session is like this."""
    sql = "INSERT OR REPLACE INTO services (session, name, status, error, failures, since)"
    values = (bytes.fromhex(session), name, status, error, failures, now)
    tx.execute(f"{sql} VALUES (?, ?, ?, ?, ?, ?)", values)


def living(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The loops of all processes that live, and how each is; `since` in microseconds, UTC."""
    known = {}
    for session in sessions.unsettled(connection):
        if session.is_alive:
            known[bytes.fromhex(session.id)] = session
    sql = "SELECT session, name, status, error, failures, since FROM services ORDER BY 1, 2"
    found = []
    for key, name, status, error, failures, since in connection.execute(sql).fetchall():
        if (of := known.get(key)) is not None:
            found.append(
                {
                    "name": name, "status": status, "error": error, "failures": failures,
                    "since": since, "process": of.label, "host": of.host, "pid": of.pid,
                }
            )  # fmt: skip
    return found


def attending(connection: sqlite3.Connection) -> list[sessions.Session]:
    """The servers and workers that live: those who start what is scheduled."""
    known = sessions.unsettled(connection)
    return [each for each in known if (each.label or "") in ATTENDANTS and each.is_alive]


def runs_by_state(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """How many runs there are of each kind in each type of state."""
    sql = "SELECT kind, state_type, count(*) FROM runs GROUP BY kind, state_type"
    return {(kind, state): int(number) for kind, state, number in connection.execute(sql)}


def due(connection: sqlite3.Connection, now: int) -> int:
    """How many outermost runs are scheduled for a time that has come."""
    sql = (
        "SELECT count(*) FROM runs WHERE state_type = 'SCHEDULED' AND scheduled_time <= ? "
        "AND end_time IS NULL AND parent IS NULL"
    )
    return int(connection.execute(sql, (now,)).fetchone()[0])
