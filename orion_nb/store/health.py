"""What a database says about itself: the facts that `orion-nb doctor` weighs."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Any

from orion_nb.store import runs, sessions
from orion_nb.store.database import Database
from orion_nb.store.filesystems import filesystem, journal_mode
from orion_nb.store.sessions import Session

#: The first release without the WAL-reset bug (sqlite.org/wal.html, section 11).
MENDED = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class Health:
    """The facts about one database. `lost` counts unfinished runs by session that died."""

    sqlite: tuple[int, ...]
    filesystem: str
    journal: str
    wanted_journal: str
    schema: int
    intact: str
    living: tuple[Session, ...]
    lost: tuple[tuple[Session, int], ...]

    @property
    def has_wal_reset_bug(self) -> bool:
        return self.sqlite < MENDED


def examine(database: Database) -> Health:
    """The facts, read without writing anything."""
    with database.read() as connection:
        living = [each for each in _open_sessions(connection) if each.is_alive]
        return Health(
            sqlite=sqlite3.sqlite_version_info,
            filesystem=filesystem(database.path),
            journal=str(_pragma(connection, "journal_mode")),
            wanted_journal=journal_mode(database.path),
            schema=int(_pragma(connection, "user_version")),
            intact=str(_pragma(connection, "quick_check(1)")),
            living=tuple(living),
            lost=tuple(_lost(connection)),
        )


def _lost(connection: sqlite3.Connection) -> list[tuple[Session, int]]:
    """The sessions that died with runs left, and how many."""
    left = Counter(run.session for run in runs.unfinished(connection) if run.session)
    read = ((sessions.read(connection, bytes.fromhex(key)), n) for key, n in left.items())
    return [(session, n) for session, n in read if session is not None and not session.is_alive]


def _open_sessions(connection: sqlite3.Connection) -> list[Session]:
    sql = "SELECT id FROM sessions WHERE ended IS NULL ORDER BY started"
    found = [sessions.read(connection, row[0]) for row in connection.execute(sql).fetchall()]
    return [session for session in found if session is not None]


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]
