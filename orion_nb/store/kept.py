"""What is kept of runs beside their states: inputs for whoever steps back in, and problems."""

from __future__ import annotations

import sqlite3
from typing import Any

from orion_nb.errors import InvalidInput
from orion_nb.schemas.values import as_dict, frozen


@frozen
class Trouble:
    """Something of a run that could not be kept, or is not where it belongs yet."""

    run: str
    what: str
    reason: str
    reference: str | None
    created: int

    def as_json(self) -> dict[str, Any]:
        return as_dict(self)


def put_inputs(
    tx: sqlite3.Connection,
    run_id: str,
    text: str,
    attempt: int,
    now: int,
    problem: str | None = None,
) -> None:
    """The arguments of the run, as a reference; `problem` says why not all are there."""
    row = (bytes.fromhex(run_id), text, attempt, now)
    tx.execute("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, ?)", row)
    if problem is not None:
        # What is there is where it belongs: then no delivery will end the problem.
        put_problem(tx, run_id, "inputs", problem, text if _is_away(text) else None, now)


def _is_away(text: str) -> bool:
    """What a reference points to is not, or not yet, where it belongs."""
    from orion_nb.schemas.results import Reference

    try:
        reference = Reference.from_text(text)
    except InvalidInput:
        return True
    return reference.problem is not None or reference.spooled


def inputs_of(connection: sqlite3.Connection, run_id: str) -> str | None:
    sql = "SELECT reference FROM inputs WHERE run = ?"
    row = connection.execute(sql, (bytes.fromhex(run_id),)).fetchone()
    return row[0] if row else None


def put_problem(
    tx: sqlite3.Connection, run_id: str, what: str, reason: str, text: str | None, now: int
) -> None:
    """`what` ("result" or "inputs") of the run was not kept, or waits to be taken to its place."""
    row = (bytes.fromhex(run_id), what, reason, text, now)
    tx.execute("INSERT OR REPLACE INTO problems VALUES (?, ?, ?, ?, ?)", row)


def note_result(tx: sqlite3.Connection, run_id: str, text: str, now: int) -> None:
    """If the reference to the run's result says that it has no place yet, that is a problem."""
    from orion_nb.schemas.results import Reference

    try:
        reference = Reference.from_text(text)
    except InvalidInput:
        return  # it was proposed over HTTP, by somebody who keeps results in their own way
    if reference.problem is not None or reference.spooled:
        reason = reference.problem or f"waits to be taken to {reference.url}"
        put_problem(tx, run_id, "result", reason, text, now)


def problems(connection: sqlite3.Connection, limit: int) -> list[Trouble]:
    """The newest first."""
    sql = "SELECT * FROM problems ORDER BY created DESC LIMIT ?"
    return [Trouble(row[0].hex(), *row[1:]) for row in connection.execute(sql, (limit,))]


def problems_of(connection: sqlite3.Connection, run_id: str) -> list[Trouble]:
    """Those of one run."""
    rows = connection.execute("SELECT * FROM problems WHERE run = ?", (bytes.fromhex(run_id),))
    return [Trouble(row[0].hex(), *row[1:]) for row in rows]


def forget_problem(tx: sqlite3.Connection, run_id: str, what: str) -> None:
    row = (bytes.fromhex(run_id), what)
    tx.execute("DELETE FROM problems WHERE run = ? AND what = ?", row)
