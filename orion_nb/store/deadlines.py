"""Unfinished runs that something is promised about: a timeout, a time to start or to end by."""

from __future__ import annotations

import json
import sqlite3

from orion_nb.schemas.runs import Run
from orion_nb.store import events, runs

#: Plain tasks have no policy of their own, and no row of theirs is read.
_PROMISED = "(runs.policy IS NOT NULL OR runs.state_type = 'PAUSED')"


def moved(connection: sqlite3.Connection, after: int | None) -> tuple[list[Run], int]:
    """The runs with promises that have moved since event number `after`, and the newest event.

    With None: those in all trees that are unfinished.
    """
    newest = events.last(connection)
    if after is None:
        tail = (
            "WHERE runs.end_time IS NULL AND runs.root IN (SELECT id FROM runs "
            f"WHERE end_time IS NULL AND parent IS NULL) AND {_PROMISED}"
        )
        return runs.read_many(connection, tail, ()), newest
    tail = (
        "WHERE runs.id IN (SELECT run FROM states WHERE n > ? AND n <= ?) "
        f"AND runs.end_time IS NULL AND {_PROMISED}"
    )
    return runs.read_many(connection, tail, (after, newest)), newest


def mark(tx: sqlite3.Connection, run: Run, what: str) -> bool:
    """The mark is set on the run; False if it has it, or has ended meanwhile."""
    key = bytes.fromhex(run.id)
    row = tx.execute("SELECT marks, end_time FROM runs WHERE id=?", (key,)).fetchone()
    known = json.loads(row[0]) if row and row[0] else []
    if row is None or row[1] is not None or what in known:
        return False
    tx.execute("UPDATE runs SET marks=? WHERE id=?", (json.dumps([*known, what]), key))
    return True
