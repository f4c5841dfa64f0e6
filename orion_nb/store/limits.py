"""Concurrency limits: how many runs each lets execute at once, and which runs it counts.

Nothing is taken or given back. A run that is subject to a limit has a row in `uses` until it has
finished; whether it takes a slot, or waits for one, is read off the state it is in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from orion_nb.rules import Other, Place
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, PAUSED, RUNNING, State, StateType
from orion_nb.schemas.values import frozen
from orion_nb.store import runs, sessions
from orion_nb.store.statements import INSERT_USE

AWAITING = "AwaitingSlot"
#: A paused run keeps its slot: when it is resumed, its code goes on at once.
_TAKES_A_SLOT = (
    f"(runs.state_type IN ('{RUNNING.value}', '{CANCELLING.value}', '{PAUSED.value}') "
    "OR runs.state_name = 'Submitting')"
)
_USERS = "FROM uses JOIN runs ON runs.id = uses.run WHERE uses.limit_name = ?"
_HOLDERS = (
    "SELECT runs.id, runs.name, runs.state_type, runs.state_name, runs.session "
    f"{_USERS} AND {_TAKES_A_SLOT} ORDER BY runs.state_n"
)
#: How many runs of each process take a slot, and how many wait in front of state number ?.
_BY_SESSION = (
    f"SELECT runs.session, SUM({_TAKES_A_SLOT}), "
    f"SUM(runs.state_name = '{AWAITING}' AND (? IS NULL OR runs.state_n < ?)) "
    f"{_USERS} AND runs.id <> ? GROUP BY runs.session"
)


@frozen
class Limit:
    """A named limit: its slots, how many are in use, how many runs wait for one."""

    name: str
    slots: int
    used: int = 0
    waiting: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "slots": self.slots, "used": self.used, "waiting": self.waiting}


def known(connection: sqlite3.Connection) -> dict[str, int]:
    """The slots of all limits that were set, by name."""
    return dict(connection.execute("SELECT name, slots FROM limits").fetchall())


def put(tx: sqlite3.Connection, name: str, slots: int, now: int) -> None:
    """The limit has so many slots; it counts what executes already, too."""
    known_before = tx.execute("SELECT 1 FROM limits WHERE name = ?", (name,)).fetchone()
    tx.execute("INSERT OR REPLACE INTO limits VALUES (?, ?, ?)", (name, slots, now))
    if known_before is None:
        for run in runs.read_many(tx, "WHERE runs.end_time IS NULL", ()):
            if run.attempt and name in of(run, {name: slots}):
                use(tx, run.id, (name,))


def remove(tx: sqlite3.Connection, name: str) -> bool:
    return tx.execute("DELETE FROM limits WHERE name=?", (name,)).rowcount == 1


def read_page(connection: sqlite3.Connection, after: str, limit: int) -> list[Limit]:
    """The limits whose names come behind `after`, by name, with their use."""
    sql = "SELECT name, slots FROM limits WHERE name > ? ORDER BY name LIMIT ?"
    return [_used(connection, *row) for row in connection.execute(sql, (after, limit)).fetchall()]


def read(connection: sqlite3.Connection, name: str) -> Limit | None:
    """The limit of this name, with its use."""
    row = connection.execute("SELECT slots FROM limits WHERE name = ?", (name,)).fetchone()
    return None if row is None else _used(connection, name, row[0])


def holders(connection: sqlite3.Connection, name: str) -> list[Other]:
    """The runs that have a slot of a limit, oldest first, as far as their processes live."""
    rows = connection.execute(_HOLDERS, (name,)).fetchall()
    alive = {session: _lives(connection, session) for session in {row[-1] for row in rows}}
    return [
        Other(key.hex(), run_name, State(StateType(kind), state))
        for key, run_name, kind, state, session in rows
        if alive[session]
    ]


def of(run: Run, slots: Mapping[str, int]) -> dict[str, int]:
    """The limits that the run is subject to: those it names, of its tags, and of its name."""
    found = {}
    for name, default in run.policy.concurrency:
        if (count := slots.get(name, default)) is not None:
            found[name] = count
    if slots:
        for name in (*(f"tag:{tag}" for tag in run.tags), f"{run.kind}:{run.name}"):
            if name in slots:
                found[name] = slots[name]
    return found


def places(
    connection: sqlite3.Connection, run: Run, wanted: Mapping[str, int]
) -> tuple[Place, ...]:
    """How it stands with each limit for this run; a dead process takes no slot and no place."""
    return tuple(_place(connection, run, name, slots) for name, slots in wanted.items())


def use(tx: sqlite3.Connection, run_id: str, names: Iterable[str]) -> None:
    """The run is counted by these limits from now on."""
    tx.executemany(INSERT_USE, [(name, bytes.fromhex(run_id)) for name in names])


def leave(tx: sqlite3.Connection, run_id: str) -> None:
    """No limit counts the run any more."""
    tx.execute("DELETE FROM uses WHERE run=?", (bytes.fromhex(run_id),))


def _place(connection: sqlite3.Connection, run: Run, name: str, slots: int) -> Place:
    # Whose state is later than his own is behind him; before he waits, all who do are ahead.
    queued = run.state.n if run.state.name == AWAITING else None
    mine = bytes.fromhex(run.id)
    groups = connection.execute(_BY_SESSION, (queued, queued, name, mine)).fetchall()
    place = _sum(name, slots, groups)
    if place.is_full:
        place = _sum(name, slots, [each for each in groups if _lives(connection, each[0])])
    return place


def _sum(name: str, slots: int, groups: list[tuple[bytes | None, int, int]]) -> Place:
    return Place(name, slots, sum(each[1] for each in groups), sum(each[2] for each in groups))


def _used(connection: sqlite3.Connection, name: str, slots: int) -> Limit:
    groups = connection.execute(_BY_SESSION, (None, None, name, b"")).fetchall()
    place = _sum(name, slots, groups)
    return Limit(name, slots, place.used, place.ahead)


def _lives(connection: sqlite3.Connection, session: bytes | None) -> bool:
    if session is None:
        return True
    found = sessions.read(connection, session)
    return found is None or found.is_alive
