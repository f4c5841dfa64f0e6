"""Sessions of processes that reach the API over HTTP: made known, kept alive, ended."""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.api.checks import check_id, check_text
from orion_nb.api.proposals import Proposals
from orion_nb.api.routes import route
from orion_nb.errors import InvalidInput, NotFound
from orion_nb.store import sessions
from orion_nb.store.database import Connection
from orion_nb.store.sessions import Session

Told = dict[str, Any]


class SessionRoutes(Proposals):
    """What a process says of itself."""

    @route("POST", "/sessions", action="write", status=201)
    def open_session(
        self,
        id: str,
        host: str,
        pid: int,
        *,
        pid_start: str | None = None,
        label: str | None = None,
    ) -> dict[str, Any]:
        """A process is made known, under an id of its own; again, it is known already.

        It says that it lives every two seconds (`/sessions/{id}/beat`). When nothing was heard of
        it for ten, the runs that it executes are Lost. `pid_start` tells a process of the server's
        own host from a later one with the same number.
        """
        told = {"id": id, "host": host, "pid": pid, "pid_start": pid_start, "label": label}
        made = read_session(told)
        self.database.write(lambda tx: heard(tx, made))
        return {"session": id, "beat": sessions.BEAT, "lease": sessions.LEASE}

    @route("POST", "/sessions/{session_id}/beat", action="write")
    def beat(self, session_id: str) -> dict[str, Any]:
        """The process lives. `missed`: it had been taken for dead, and its runs are Lost.

        It then tells of each of them that it goes on (`POST /batch`).
        """
        check_id("session_id", session_id)
        now = clock.now()

        def work(tx: Connection) -> bool:
            if sessions.read(tx, bytes.fromhex(session_id)) is None:
                raise NotFound(f"no session {session_id!r}; open it first")
            return sessions.renew(tx, session_id, now)

        is_known = self.database.write(work)
        if not is_known:
            self._reached.clear()  # whoever took it for dead forgot where its runs are
        return {"session": session_id, "lease": sessions.LEASE, "missed": not is_known}

    @route("POST", "/sessions/{session_id}/end", action="write")
    def end_session(self, session_id: str) -> dict[str, Any]:
        """The process ends; what it leaves unfinished is Crashed."""
        check_id("session_id", session_id)
        now = clock.now()
        self.database.write(lambda tx: sessions.close(tx, session_id, now))
        return {"session": session_id}


def heard(tx: Connection, session: Session) -> bool:
    """Something was heard of a session: it is known from now on, and lives.

    False if somebody took it for dead meanwhile.
    """
    known, now = sessions.read(tx, bytes.fromhex(session.id)), clock.now()
    if known is None:
        sessions.insert(tx, session)
    elif known.ended is None:
        return sessions.renew(tx, session.id, now)
    return True


def read_session(told: Told) -> Session:
    """The session that a process tells of.

    Raises:
        InvalidInput: naming the field.
    """
    known = {"id": str, "host": str, "pid": int, "pid_start": str, "label": str}
    for name, value in told.items():
        if name not in known:
            says = f"session.{name}: not known; there are {', '.join(known)}"
            raise InvalidInput(says, field="session")
        if value is None and name in ("pid_start", "label"):
            continue
        if not isinstance(value, known[name]) or isinstance(value, bool):
            says = f"session.{name}: expected {known[name].__name__}, got {value!r}"
            raise InvalidInput(says, field="session")
        if isinstance(value, str):
            check_text(f"session.{name}", value)
    if missing := [name for name in ("id", "host", "pid") if name not in told]:
        raise InvalidInput(f"session.{missing[0]}: missing", field="session")
    check_id("session.id", told["id"])
    if not 0 < told["pid"] < 2**31:
        raise InvalidInput(f"session.pid: {told['pid']} is no process", field="session")
    now = clock.now()
    return Session(
        told["id"], told["host"], told["pid"], told.get("pid_start"), told.get("label"),
        started=now, beat=now,
    )  # fmt: skip


def as_told(session: Session) -> Told:
    """What a process says of itself, as `read_session` reads it."""
    names = ("id", "host", "pid", "pid_start", "label")
    return {name: getattr(session, name) for name in names}
