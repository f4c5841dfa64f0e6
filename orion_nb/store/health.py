"""What a database says about itself: the facts that `orion-nb doctor` weighs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from orion_nb.store import listing, sessions
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
        living = [each for each in sessions.unsettled(connection) if each.is_alive]
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
    gone = [each for each in sessions.unsettled(connection) if not each.is_alive]
    left = ((each, len(listing.unfinished(connection, bytes.fromhex(each.id)))) for each in gone)
    return [(session, count) for session, count in left if count]


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]
