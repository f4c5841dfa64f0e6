"""The runs that schedules make: one for each deployment and instant, many written at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orion_nb.schemas.runs import Run
from orion_nb.schemas.values import complete
from orion_nb.store.nulls import execute_many
from orion_nb.store.runs import row_of, row_of_state
from orion_nb.store.statements import INSERT_RUN, INSERT_STATE, RUNS

if TYPE_CHECKING:
    from orion_nb.schemas.due import Due

_STATE = RUNS.index("state_n")
_OWN_SLOT = INSERT_RUN.replace("INSERT", "INSERT OR IGNORE", 1)
_NUMBERED = INSERT_STATE.replace("(run,", "(n, run,", 1).replace("VALUES (", "VALUES (?, ", 1)


def move(tx: sqlite3.Connection, seen: Sequence[tuple[Due, int | None]]) -> set[str]:
    """The next instants of these deployments are as given; the ids of those that were moved.

    One that was changed, paused, deleted or moved since it was read stays as it is.
    """
    marks = ", ".join("?" * len(seen))
    sql = f"SELECT id, revision, next_due FROM deployments WHERE paused = 0 AND id IN ({marks})"
    keys = [bytes.fromhex(known.id) for known, _ in seen]
    now = {key: (revision, at) for key, revision, at in tx.execute(sql, keys)}
    moved = [
        (following, key)
        for key, (known, following) in zip(keys, seen, strict=True)
        if now.get(key) == (known.revision, known.timing.next_due)
    ]
    tx.executemany("UPDATE deployments SET next_due = ? WHERE id = ?", moved)
    return {key.hex() for _, key in moved}


class Rows:
    """Runs in the state they are born in, each for an instant, ready to be written."""

    def __init__(self, runs: Sequence[tuple[Run, int]]) -> None:
        self._made = [
            (
                run,
                list(row_of(run, slot)),
                row_of_state(run.id, run.state, None, None),
            )
            for run, slot in runs
        ]

    def insert(self, tx: sqlite3.Connection, moved: set[str]) -> list[Run]:
        """Those of the deployments that were moved are written, and answered.

        One is left out if its deployment has a run for that time already.
        """
        made = [each for each in self._made if each[0].deployment in moved]
        (last,) = tx.execute("SELECT coalesce(max(n), 0) FROM states").fetchone()
        for n, (run, row, _) in enumerate(made, last + 1):
            row[_STATE] = n
            complete(run.state, "n", n)
        before = tx.total_changes
        execute_many(tx, _OWN_SLOT, (row for _, row, _ in made))
        if tx.total_changes - before < len(made):
            made = [each for each in made if _is_written(tx, each[0])]
        execute_many(tx, _NUMBERED, ((run.state.n, *state) for run, _, state in made))
        return [run for run, _, _ in made]


def _is_written(tx: sqlite3.Connection, run: Run) -> bool:
    sql = "SELECT 1 FROM runs WHERE id = ?"
    return tx.execute(sql, (bytes.fromhex(run.id),)).fetchone() is not None
