"""Sessions: the processes that execute runs, and whether they still live."""

from __future__ import annotations

import os
import socket
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from orion_nb.schemas.states import CANCELLING, PAUSED, RUNNING
from orion_nb.store.statements import INSERT_SESSION, INSERT_SESSION_ROOT

#: In these states a run is executed by its session, or waits in it.
HELD_IN = frozenset({RUNNING, PAUSED, CANCELLING})

_COLUMNS = "id, host, pid, pid_start, label, started, ended, beat"


@dataclass(frozen=True, slots=True)
class Session:
    """One process of one host; `pid_start` tells it from a later process with the same pid."""

    id: str
    host: str
    pid: int
    pid_start: str | None
    label: str | None
    started: int
    ended: int | None = None
    beat: int | None = None

    @property
    def is_alive(self) -> bool:
        """The process lives. One on another host is taken to live: it can't be seen from here."""
        if self.ended is not None:
            return False
        if self.host != this_host():
            return True
        return pid_start(self.pid) == self.pid_start if self.pid_start else _exists(self.pid)


def this_session(session_id: str, label: str | None, started: int) -> Session:
    pid = os.getpid()
    return Session(session_id, this_host(), pid, pid_start(pid), label, started)


def insert(tx: sqlite3.Connection, session: Session) -> None:
    s = session
    row = (
        bytes.fromhex(s.id),
        s.host,
        s.pid,
        s.pid_start,
        s.label,
        s.started,
        s.ended,
        None,
        s.beat,
    )
    tx.execute(INSERT_SESSION, row)


def reach(tx: sqlite3.Connection, session_id: str, root: str) -> None:
    """The session executes a run somewhere in this tree: a reaper will look there."""
    tx.execute(INSERT_SESSION_ROOT, (bytes.fromhex(session_id), bytes.fromhex(root)))


def close(tx: sqlite3.Connection, session_id: str, now: int) -> None:
    """The process says that it has ended."""
    tx.execute("UPDATE sessions SET ended=? WHERE id=?", (now, bytes.fromhex(session_id)))


def settle(tx: sqlite3.Connection, session_id: str, now: int) -> None:
    """Nothing of the session is left to be ended; nobody looks at it again."""
    key = bytes.fromhex(session_id)
    tx.execute("UPDATE sessions SET reaped=? WHERE id=?", (now, key))
    tx.execute("DELETE FROM session_roots WHERE session=?", (key,))


def unsettled(connection: sqlite3.Connection) -> list[Session]:
    """The sessions that live, and those that have ended since a reaper last looked."""
    sql = f"SELECT {_COLUMNS} FROM sessions WHERE reaped IS NULL"
    return [Session(row[0].hex(), *row[1:]) for row in connection.execute(sql)]


def read(connection: sqlite3.Connection, session_id: bytes) -> Session | None:
    sql = f"SELECT {_COLUMNS} FROM sessions WHERE id=?"
    row = connection.execute(sql, (session_id,)).fetchone()
    return Session(row[0].hex(), *row[1:]) if row else None


@lru_cache(maxsize=1)
def this_host() -> str:
    return socket.gethostname()


def pid_start(pid: int) -> str | None:
    """When a process began, as boot id and clock ticks since boot; None where it can't be told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    return f"{_boot_id()}-{fields[19]}"


@lru_cache(maxsize=1)
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")[:8]
    except OSError:
        return ""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
