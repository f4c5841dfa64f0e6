"""What a Transition needs to know, read in the transaction that will write its outcome."""

from __future__ import annotations

import sqlite3

from orion_nb.rules import Transition, Upstream
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, PAUSED, RUNNING, State, StateType
from orion_nb.store import sessions


def gather(
    connection: sqlite3.Connection,
    run: Run,
    proposed: State,
    now: int,
    *,
    claims: int | None = None,
    token: str | None = None,
    retriable: bool = True,
    waits: bool = True,
) -> Transition:
    """All facts about a proposal; those that no rule can ask for in this case are not read.

    `waits` is False when the caller knows that the run has no upstream.
    """
    starting = not proposed.is_terminal
    return Transition(
        run=run,
        proposed=proposed,
        now=now,
        claims=claims,
        token_matches=token is None or run.token is None or token == run.token,
        held=not _is_owner(run, claims, token) and _is_held(connection, run),
        retriable=retriable,
        parent=_parent(connection, run) if starting and run.parent else None,
        upstream=upstream(connection, run.id) if starting and waits and run.kind == "task" else (),
    )


def upstream(connection: sqlite3.Connection, run_id: str) -> tuple[Upstream, ...]:
    """The runs that this one waits for, as they are now."""
    sql = (
        "SELECT runs.id, runs.name, runs.state_type, runs.state_name FROM edges "
        "JOIN runs ON runs.id = edges.upstream WHERE edges.run = ?"
    )
    rows = connection.execute(sql, (bytes.fromhex(run_id),)).fetchall()
    return tuple(
        Upstream(key.hex(), name, State(StateType(kind), state_name))
        for key, name, kind, state_name in rows
    )


def _parent(connection: sqlite3.Connection, run: Run) -> State | None:
    sql = "SELECT state_type, state_name FROM runs WHERE id = ?"
    row = connection.execute(sql, (bytes.fromhex(run.parent or ""),)).fetchone()
    return State(StateType(row[0]), row[1]) if row else None


def _is_owner(run: Run, claims: int | None, token: str | None) -> bool:
    """The proposal shows the token of the attempt that it speaks for: its number alone is known."""
    return claims == run.attempt and token is not None and token == run.token


def _is_held(connection: sqlite3.Connection, run: Run) -> bool:
    if run.state.type not in (RUNNING, PAUSED, CANCELLING) or run.session is None:
        return False
    session = sessions.read(connection, bytes.fromhex(run.session))
    return session is not None and session.is_alive
