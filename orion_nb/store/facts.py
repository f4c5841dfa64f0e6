"""What a Transition needs to know, read in the transaction that will write its outcome."""

from __future__ import annotations

import sqlite3
from typing import Any

from orion_nb.rules import Other, Place, Transition
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import RUNNING, State, StateType
from orion_nb.store import caches, limits, sessions


def gather(
    connection: sqlite3.Connection,
    run: Run,
    proposed: State,
    now: int,
    *,
    claims: int | None = None,
    token: str | None = None,
    retriable: bool = True,
    rerun: bool = False,
    pulled: bool | None = None,
    waits: bool = True,
    memo: dict[Any, Any] | None = None,
) -> Transition:
    """All facts about a proposal; those that no rule can ask for in this case are not read.

    `waits` is False when the caller knows that the run has no upstream; `memo` holds what was read
    in earlier writes and is still so.
    """
    starting = not proposed.is_terminal
    key = proposed.cache_key if proposed.type is RUNNING else None
    return Transition(
        run=run,
        proposed=proposed,
        now=now,
        claims=claims,
        token_matches=token is None or run.token is None or token == run.token,
        held=not _is_owner(run, claims, token) and _is_held(connection, run),
        retriable=retriable,
        parent=_parent(connection, run.parent, memo) if starting and run.parent else None,
        upstream=upstream(connection, run.id) if starting and waits and run.kind == "task" else (),
        rerun=rerun,
        pulled=pulled,
        cached=caches.newest(connection, key) if key else None,
        filling=caches.filling(connection, key, run) if key else None,
        places=_places(connection, run, memo) if starting else (),
        siblings=_siblings(connection, run) if run.policy.overlap != "allow" and starting else (),
    )


def upstream(connection: sqlite3.Connection, run_id: str) -> tuple[Other, ...]:
    """The runs that this one waits for, as they are now."""
    # What is streamed is taken while its run goes on; where it may fail, each edge says so.
    sql = (
        "SELECT runs.id, runs.name, runs.state_type, runs.state_name, min(edges.path LIKE '?%') "
        "FROM edges JOIN runs ON runs.id = edges.upstream "
        "WHERE edges.run = ? AND edges.path NOT LIKE '~%' GROUP BY runs.id"
    )
    return _others(connection, sql, (bytes.fromhex(run_id),))


def limits_known(connection: sqlite3.Connection, memo: dict[Any, Any] | None) -> dict[str, int]:
    """The slots of all limits that were set, by name."""
    if memo is None:
        return limits.known(connection)
    if (known := memo.get("limits")) is None:
        known = memo["limits"] = limits.known(connection)
    found: dict[str, int] = known
    return found


def _places(
    connection: sqlite3.Connection, run: Run, memo: dict[Any, Any] | None
) -> tuple[Place, ...]:
    slots = limits_known(connection, memo)
    if not slots and not run.policy.concurrency:
        return ()
    wanted = limits.of(run, slots)
    return limits.places(connection, run, wanted) if wanted else ()


def _siblings(connection: sqlite3.Connection, run: Run) -> tuple[Other, ...]:
    """The other runs of its deployment that are handed over, running, paused or stopping."""
    if run.deployment is None:
        return ()
    sql = (
        "SELECT id, name, state_type, state_name, 0 FROM runs WHERE deployment = ? AND id <> ? "
        "AND end_time IS NULL AND (state_type IN ('RUNNING', 'PAUSED', 'CANCELLING') "
        "OR state_name = 'Submitting') ORDER BY id"
    )
    return _others(connection, sql, (bytes.fromhex(run.deployment), bytes.fromhex(run.id)))


def _others(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> tuple[Other, ...]:
    rows = connection.execute(sql, values).fetchall()
    return tuple(
        Other(key.hex(), name, State(StateType(kind), state_name), bool(may_fail))
        for key, name, kind, state_name, may_fail in rows
    )


def _parent(
    connection: sqlite3.Connection, parent: str, memo: dict[Any, Any] | None
) -> State | None:
    known: State | None = memo.get(parent) if memo is not None else None
    if known is not None:
        return known
    sql = "SELECT state_type, state_name FROM runs WHERE id = ?"
    row = connection.execute(sql, (bytes.fromhex(parent),)).fetchone()
    known = State(StateType(row[0]), row[1]) if row else None
    if memo is not None:
        memo[parent] = known
    return known


def _is_owner(run: Run, claims: int | None, token: str | None) -> bool:
    """The proposal shows the token of the attempt that it speaks for: its number alone is known."""
    return claims == run.attempt and token is not None and token == run.token


def _is_held(connection: sqlite3.Connection, run: Run) -> bool:
    if run.state.type not in sessions.HELD_IN or run.session is None:
        return False
    session = sessions.read(connection, bytes.fromhex(run.session))
    return session is not None and session.is_alive
