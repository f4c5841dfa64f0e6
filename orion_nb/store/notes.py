"""Notes on a run: what happened to it that is no state, such as a message that came too late."""

from __future__ import annotations

import logging
import sqlite3

from orion_nb.store.runs import plain
from orion_nb.store.statements import INSERT_LOG

#: Notes are log lines under this name; users' loggers have others.
LOGGER = "orion_nb.notes"
#: No run gets more notes than this: a message that is sent again and again fills no disk.
MOST = 20


def add(tx: sqlite3.Connection, run_id: str, text: str, now: int) -> None:
    """The note is kept with the run, unless it says what the last one said or there are many."""
    known = _of(tx, run_id)
    if len(known) >= MOST or (known and known[-1][1] == text):
        return
    row = (bytes.fromhex(run_id), now, logging.WARNING, LOGGER, plain(text))
    tx.execute(INSERT_LOG, row)


def read(connection: sqlite3.Connection, run_id: str) -> list[tuple[int, str]]:
    """The notes on a run, oldest first: when (microseconds, UTC), and what."""
    return _of(connection, run_id)


def _of(connection: sqlite3.Connection, run_id: str) -> list[tuple[int, str]]:
    sql = "SELECT timestamp, message FROM logs WHERE run=? AND logger=? ORDER BY n LIMIT ?"
    return connection.execute(sql, (bytes.fromhex(run_id), LOGGER, MOST)).fetchall()
