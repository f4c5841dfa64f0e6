"""Connections to the SQLite file: how each is opened, and what their errors mean to people."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from orion_nb.errors import InvalidInput, StoreUnavailable
from orion_nb.store import checkpoints

Connection = sqlite3.Connection

#: How long a locked file is waited for (seconds).
LOCK_PATIENCE = 60.0

WRITABLE = "set ORION_NB_HOME to a folder on a local disk that you may write"
DAMAGED = "it is damaged, or no database: move it away, or put a backup in its place"
REMEDIES = {
    sqlite3.SQLITE_CANTOPEN: WRITABLE,
    sqlite3.SQLITE_READONLY: WRITABLE,
    sqlite3.SQLITE_PERM: WRITABLE,
    sqlite3.SQLITE_FULL: "free some space and try again",
    sqlite3.SQLITE_BUSY: f"another program has held it for {LOCK_PATIENCE:.0f} s",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}


def connect(path: Path, synchronous: str) -> Connection:
    """A connection that begins no transaction by itself and does not move the log by itself."""
    connection = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        timeout=LOCK_PATIENCE,
        cached_statements=256,
    )
    pragmas = (
        f"synchronous={synchronous}",
        f"wal_autocheckpoint={0 if checkpoints.owned_by_us else 1000}",
        "cache_size=-16000",
        "temp_store=memory",
        "mmap_size=0",
    )
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def trouble(path: Path, error: Exception) -> StoreUnavailable:
    """An error of the file as users are told it, with what to do about it."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CANTOPEN) & 0xFF
    remedy = REMEDIES.get(code, "`orion-nb doctor` may say more")
    told = StoreUnavailable(f"database {path}: {error}; {remedy}")
    told.__cause__ = error
    return told


def unstorable(error: UnicodeEncodeError | OverflowError) -> InvalidInput:
    """A value that the file can't hold, nor be asked for."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput(f"{error.object!r} is no text: it has half of a character pair")
    return InvalidInput("a number is too large: a whole number has at most 63 bits")


def is_locked(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def never_close(connection: Connection) -> None:
    """The connection of a parent process stays open in its child, even at the very end."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
