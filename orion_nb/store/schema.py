"""The tables as they are now: how they are made, their number, and what is said of others."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from orion_nb.errors import StoreUnavailable
from orion_nb.store.statements import SCHEMA

#: The schema this code reads and writes; kept in SQLite's user_version. One step per migration.
SCHEMA_VERSION = 3
REVISION = "0003"
PAGE_SIZE = 2048  # bytes


def create_schema(connection: sqlite3.Connection) -> None:
    """All tables as they are now, stamped with the newest migration."""
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute("INSERT INTO alembic_version VALUES (?)", (REVISION,))
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def version_of(connection: sqlite3.Connection) -> int:
    """The number of the file's schema; 0 if it has none yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(path: Path, found: int) -> None:
    """The file has our schema.

    Raises:
        StoreUnavailable: it has another one; the message says which, and the remedy.
    """
    if found == SCHEMA_VERSION:
        return
    older = "run `orion-nb db upgrade`"
    remedy = "upgrade orion_nb, and restart" if found > SCHEMA_VERSION else older
    says = f"database {path} has schema {found}, this orion_nb has {SCHEMA_VERSION}"
    raise StoreUnavailable(f"{says}; {remedy}")
