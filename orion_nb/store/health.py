"""What a database says about itself: the facts that `orion-nb doctor` and `db info` tell."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.schemas.values import frozen
from orion_nb.store import listing, sessions
from orion_nb.store.database import Database
from orion_nb.store.filesystems import filesystem, journal_mode
from orion_nb.store.sessions import Session

#: The first release without the WAL-reset bug (sqlite.org/wal.html, section 11).
MENDED = (3, 51, 3)
#: So many of the newest states are looked at for times that have not come yet.
NEWEST = 1000
BLOCK = b"\0" * 4096


@frozen
class Health:
    """The facts about one database.

    `lost` counts unfinished runs by session that died; `silent` are sessions that can't be seen
    from here and have not been heard of. `ahead` is by how much the latest time in it is later
    than now, `sync` how long the disk takes to keep something (seconds).
    """

    sqlite: tuple[int, ...]
    filesystem: str
    journal: str
    wanted_journal: str
    schema: int
    intact: str
    living: tuple[Session, ...]
    lost: tuple[tuple[Session, int], ...]
    silent: tuple[Session, ...]
    ahead: float
    sync: float
    problems: int

    @property
    def has_wal_reset_bug(self) -> bool:
        return self.sqlite < MENDED


def examine(database: Database) -> Health:
    """The facts, read without writing anything to the database."""
    with database.read() as connection:
        known = sessions.unsettled(connection)
        return Health(
            sqlite=sqlite3.sqlite_version_info,
            filesystem=filesystem(database.path),
            journal=str(_pragma(connection, "journal_mode")),
            wanted_journal=journal_mode(database.path),
            schema=int(_pragma(connection, "user_version")),
            intact=str(_pragma(connection, "quick_check(1)")),
            living=tuple(each for each in known if each.is_alive),
            lost=tuple(_lost(connection, known)),
            silent=tuple(each for each in known if each.exists is None and each.is_silent),
            ahead=_ahead(connection),
            sync=time_to_sync(database.path.parent),
            problems=int(connection.execute("SELECT count(*) FROM problems").fetchone()[0]),
        )


def contents(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """What the database is: its file, schema, bytes, free bytes, and when its oldest run was made.

    Ids sort by the time they were made: an oldest run that is no outermost one is passed over.
    """
    first = "SELECT created FROM runs WHERE parent IS NULL ORDER BY id LIMIT 1"
    oldest = connection.execute(first).fetchone()
    page = int(_pragma(connection, "page_size"))
    return {
        "path": str(path),
        "schema": int(_pragma(connection, "user_version")),
        "journal": str(_pragma(connection, "journal_mode")),
        "size": size(path),
        "free": int(_pragma(connection, "freelist_count")) * page,
        "oldest_run": oldest[0] if oldest else None,
    }


def size(path: Path) -> int:
    """The bytes of the database, with its log."""
    found = 0
    for each in (path, Path(f"{path}-wal")):
        with suppress(OSError):
            found += each.stat().st_size
    return found


def time_to_sync(folder: Path) -> float:
    """How long the disk takes to keep a page for good: the median of some tries, in seconds."""
    probe = folder / f".sync-{os.getpid()}"
    try:
        handle = os.open(probe, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return 0.0
    try:
        took = sorted(_write(handle) for _ in range(5))
    finally:
        os.close(handle)
        probe.unlink(missing_ok=True)
    return took[2]


def _write(handle: int) -> float:
    began = time.perf_counter()
    os.write(handle, BLOCK)
    os.fsync(handle)
    return time.perf_counter() - began


def _ahead(connection: sqlite3.Connection) -> float:
    """By how many seconds the latest of the newest times is later than now; 0.0 if it is not."""
    sql = (
        "SELECT max(timestamp) FROM (SELECT timestamp FROM states ORDER BY n DESC LIMIT ?) "
        "UNION ALL SELECT max(beat) FROM sessions WHERE reaped IS NULL"
    )
    times = [row[0] for row in connection.execute(sql, (NEWEST,)) if row[0] is not None]
    return max(0.0, (max(times, default=0) - clock.now()) / clock.SECOND)


def _lost(connection: sqlite3.Connection, known: list[Session]) -> list[tuple[Session, int]]:
    """The sessions that died with runs left, and how many."""
    gone = [each for each in known if each.exists is False]
    left = ((each, len(listing.unfinished(connection, bytes.fromhex(each.id)))) for each in gone)
    return [(session, count) for session, count in left if count]


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]
