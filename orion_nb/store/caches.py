"""The cache, read off the states that carry a key: what is in it, and who is filling it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from orion_nb.rules import Other
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import RUNNING
from orion_nb.store import runs, sessions
from orion_nb.store.statements import STATES

_COLUMNS = ", ".join(f'states."{name}"' for name in STATES)


def newest(connection: sqlite3.Connection, key: str) -> Other | None:
    """The run that computed what the cache has under the key, as it was when it completed."""
    sql = (
        f"SELECT runs.name, {_COLUMNS} FROM states JOIN runs ON runs.id = states.run "
        "WHERE states.cache_key = ? AND states.name = 'Completed' AND states.result IS NOT NULL "
        "ORDER BY states.n DESC LIMIT 1"
    )
    row = connection.execute(sql, (key,)).fetchone()
    return Other(row[2].hex(), row[0], runs.as_state(row[1:])) if row else None


def filling(connection: sqlite3.Connection, key: str, but: Run) -> Other | None:
    """Another run that is computing the result of this key right now, in a process that lives."""
    for name in ("Running", "Retrying", "Rerunning"):
        sql = (
            f"SELECT runs.name, runs.session, {_COLUMNS} FROM states "
            "JOIN runs ON runs.id = states.run AND runs.state_n = states.n "
            "WHERE states.cache_key = ? AND states.name = ? ORDER BY states.n DESC LIMIT 5"
        )
        for row in connection.execute(sql, (key, name)):
            state = runs.as_state(row[2:])
            if row[3].hex() == but.id or state.type is not RUNNING:
                continue
            session = sessions.read(connection, row[1]) if row[1] else None
            if session is None or session.is_alive:
                return Other(row[3].hex(), row[0], state)
    return None


def keep_parts(
    tx: sqlite3.Connection, key: str, task: str, parts: Mapping[str, str], now: int
) -> None:
    """What the key was made of is remembered, so that the next other key can be explained."""
    row = (key, task, json.dumps(dict(parts)), now)
    tx.execute("INSERT OR IGNORE INTO cache_keys VALUES (?, ?, ?, ?)", row)


def parts_of(
    connection: sqlite3.Connection, task: str, limit: int = 20
) -> list[tuple[str, dict[str, str], int]]:
    """The last keys of a task, newest first: each key, its parts, and when it was first used."""
    sql = (
        "SELECT cache_key, parts, created FROM cache_keys WHERE task = ? "
        "ORDER BY created DESC LIMIT ?"
    )
    rows = connection.execute(sql, (task, limit)).fetchall()
    return [(key, json.loads(parts), created) for key, parts, created in rows]
