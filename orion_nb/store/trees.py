"""Trees of runs: what is left unfinished in one."""

from __future__ import annotations

import sqlite3

from orion_nb.schemas.runs import Run
from orion_nb.store import runs


def left_in(connection: sqlite3.Connection, run: Run) -> list[Run]:
    """The runs inside of this one, at any depth, that have not ended; the innermost first.

    Runs of deployments are not among them: they have an owner of their own, and so has what is
    inside of them.
    """
    root = (bytes.fromhex(run.root),)
    left = "SELECT 1 FROM runs WHERE root=? AND end_time IS NULL AND parent IS NOT NULL LIMIT 1"
    if connection.execute(left, root).fetchone() is None:
        return []
    inside, found = {bytes.fromhex(run.id)}, []
    sql = "SELECT id, parent, end_time, deployment FROM runs WHERE root=? ORDER BY id"
    # Ids sort by the time they were made, and no run is made before the one around it.
    for key, parent, end, deployment in connection.execute(sql, root):
        if parent in inside and deployment is None:
            inside.add(key)
            if end is None:
                found.append(key)
    read = (runs.read(connection, key.hex()) for key in reversed(found))
    return [each for each in read if each is not None]
