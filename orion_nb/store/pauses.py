"""Pauses as rows: what a run asked for, and what it was answered."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from orion_nb.schemas.pauses import Pause


def ask(tx: sqlite3.Connection, pause: Pause) -> None:
    """The pause is written; one that was answered before keeps its answer."""
    schema = None if pause.schema is None else json.dumps(pause.schema)
    row = (bytes.fromhex(pause.run), pause.key, pause.message, schema, pause.until, pause.asked)
    tx.execute(
        "INSERT INTO pauses (run, key, message, schema, until, asked) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (run, key) DO UPDATE SET message=excluded.message, schema=excluded.schema, "
        "until=excluded.until, asked=excluded.asked WHERE resumed IS NULL",
        row,
    )


def answer(
    tx: sqlite3.Connection, run_id: str, key: str, value: Any, by: str | None, now: int
) -> None:
    """The pause has ended with this input."""
    row = (json.dumps(value), now, by, bytes.fromhex(run_id), key)
    tx.execute(
        "UPDATE pauses SET input=?, resumed=?, by=? WHERE run=? AND key=? AND resumed IS NULL", row
    )


def read_all(connection: sqlite3.Connection, run_id: str) -> list[Pause]:
    """All pauses of a run, in the order in which they were asked for."""
    sql = (
        "SELECT key, message, schema, until, asked, input, resumed, by FROM pauses "
        "WHERE run = ? ORDER BY asked, key"
    )
    return [_pause(run_id, row) for row in connection.execute(sql, (bytes.fromhex(run_id),))]


def _pause(run_id: str, row: tuple[Any, ...]) -> Pause:
    key, message, schema, until, asked, given, resumed, by = row
    return Pause(
        run_id, key, message, json.loads(schema) if schema else None, until, asked,
        json.loads(given) if given is not None else None, resumed, by,
    )  # fmt: skip
