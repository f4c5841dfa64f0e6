"""Sessions: the processes that execute runs, and whether they still live.

A process of this system is looked up by its number and the time it began: while it is there it
lives, however long it has been silent. One that can't be seen from here (on another host, or in
another container) renews its `beat` as long as it lives.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from orion_nb import clock
from orion_nb.schemas.states import CANCELLING, PAUSED, RUNNING
from orion_nb.schemas.values import frozen
from orion_nb.store.statements import INSERT_SESSION, INSERT_SESSION_ROOT

#: In these states a run is executed by its session, or waits in it.
HELD_IN = frozenset({RUNNING, PAUSED, CANCELLING})

#: Seconds between two beats, and for how long after one its session is taken to live.
BEAT = 2.0
LEASE = 10.0
#: Whoever looks once, and compares the clocks of two hosts by that, waits for so many leases.
PATIENCE = 3
#: The number that Linux gives to the process namespace of the system itself, not of a container.
OUTERMOST = "4026531836"

#: How the label of a runner's session begins.
RUNNER = "runner of "
#: How the label of a kernel's session begins; the path of its notebook follows.
NOTEBOOK = "notebook "

_COLUMNS = "id, host, pid, pid_start, label, started, ended, beat"


@frozen
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
        """It lives, as far as one look can tell: by its process, or else by its last beat."""
        exists = self.exists
        return not self.is_silent if exists is None else exists

    @property
    def exists(self) -> bool | None:
        """Its process exists; None where that can't be seen."""
        if self.ended is not None:
            return False
        if not self.is_here:
            return False if self._was_before_a_reboot and self.is_silent else None
        if not self.pid_start:
            return _exists(self.pid)
        found = pid_start(self.pid)
        return None if found is None and _is_hidden(self.pid) else found == self.pid_start

    @property
    def is_here(self) -> bool:
        """Its number means a process of this system: same start, same container, same name."""
        if not self.pid_start:
            return self.host == this_host()
        place = self.pid_start.rpartition("-")[0]
        return place == _place() and (self.host == this_host() or not place.startswith("."))

    @property
    def is_silent(self) -> bool:
        """By this host's clock nothing was heard of it for several leases."""
        heard = self.started if self.beat is None else self.beat
        return clock.now() - heard >= PATIENCE * LEASE * clock.SECOND

    @property
    def is_runner(self) -> bool:
        """It executes one run of a notebook; whoever ends that run has to clear up after it."""
        return (self.label or "").startswith(RUNNER)

    @property
    def _was_before_a_reboot(self) -> bool:
        place = (self.pid_start or "").rpartition("-")[0]
        inside = place.rpartition(".")[2] == _place().rpartition(".")[2] == OUTERMOST
        return inside and self.host == this_host()


def this_session(session_id: str, label: str | None, started: int) -> Session:
    pid = os.getpid()
    return Session(session_id, this_host(), pid, pid_start(pid), label, started, beat=started)


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
    """The process says that it has ended; or somebody who has not heard of it for a lease."""
    tx.execute("UPDATE sessions SET ended=? WHERE id=?", (now, bytes.fromhex(session_id)))


def renew(tx: sqlite3.Connection, session_id: str, now: int) -> bool:
    """The session lives; False if somebody took it for dead since its last beat."""
    key = bytes.fromhex(session_id)
    known = tx.execute("SELECT ended, reaped FROM sessions WHERE id=?", (key,)).fetchone()
    tx.execute("UPDATE sessions SET beat=?, ended=NULL, reaped=NULL WHERE id=?", (now, key))
    return tuple(known or ()) == (None, None)


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
    import socket

    return socket.gethostname()


def pid_start(pid: int) -> str | None:
    """When a process began: its place, and ticks since boot; None where that can't be told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    return f"{_place()}-{fields[19]}"


@lru_cache(maxsize=1)
def _place() -> str:
    """Where a process number is the same process: the start of the system, and the container."""
    boot = namespace = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")[:8]
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").stat().st_ino)
    return f"{boot}.{namespace}"


def _is_hidden(pid: int) -> bool:
    """The process is another user's, and the system does not show these."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not Path(f"/proc/{pid}").exists()
    except OSError:
        return False
    return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
