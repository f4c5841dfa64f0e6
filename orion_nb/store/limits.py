"""Concurrency limits: how many runs each lets execute at once, and which runs it counts.

Nothing is taken or given back. A run that is subject to a limit has a row in `uses` until it has
finished; whether it takes a slot, or waits for one, is read off the state it is in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orion_nb.rules import Other, Place
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, PAUSED, RUNNING, State, StateType
from orion_nb.store import runs, sessions
from orion_nb.store.statements import INSERT_USE

AWAITING = "AwaitingSlot"
#: A paused run keeps its slot: when it is resumed, its code goes on at once.
_TAKES_A_SLOT = (RUNNING.value, CANCELLING.value, PAUSED.value)


@dataclass(frozen=True, slots=True)
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


def read_all(connection: sqlite3.Connection) -> list[Limit]:
    """All limits with their use, by name."""
    found = []
    for name, slots in sorted(known(connection).items()):
        users = [_User(*row) for row in connection.execute(_USERS, (name,))]
        used = sum(user.takes_a_slot for user in users)
        found.append(Limit(name, slots, used, sum(user.waits for user in users)))
    return found


def holders(connection: sqlite3.Connection, name: str) -> list[Other]:
    """The runs that have a slot of a limit, oldest first, as far as their processes live."""
    sql = (
        "SELECT runs.id, runs.name, runs.state_type, runs.state_name, runs.session FROM uses "
        "JOIN runs ON runs.id = uses.run WHERE uses.limit_name = ? ORDER BY runs.state_n"
    )
    found, alive = [], dict[bytes, bool]()
    for key, run_name, kind, state, session in connection.execute(sql, (name,)).fetchall():
        user = _User(key, kind, state, 0, session)
        if user.takes_a_slot and _lives(connection, user, alive):
            found.append(Other(key.hex(), run_name, State(StateType(kind), state)))
    return found


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


_USERS = (
    "SELECT runs.id, runs.state_type, runs.state_name, runs.state_n, runs.session FROM uses "
    "JOIN runs ON runs.id = uses.run WHERE uses.limit_name = ?"
)


@dataclass(frozen=True, slots=True)
class _User:
    run: bytes
    state_type: str
    state_name: str
    state_n: int
    session: bytes | None

    @property
    def takes_a_slot(self) -> bool:
        return self.state_type in _TAKES_A_SLOT or self.state_name == "Submitting"

    @property
    def waits(self) -> bool:
        return self.state_name == AWAITING


def _place(connection: sqlite3.Connection, run: Run, name: str, slots: int) -> Place:
    mine = bytes.fromhex(run.id)
    users = [_User(*row) for row in connection.execute(_USERS, (name,)) if row[0] != mine]
    place = _count(run, name, slots, users)
    if place.is_full:
        alive: dict[bytes, bool] = {}
        users = [user for user in users if _lives(connection, user, alive)]
        place = _count(run, name, slots, users)
    return place


def _count(run: Run, name: str, slots: int, users: list[_User]) -> Place:
    queued = run.state.n if run.state.name == AWAITING else None
    used = sum(user.takes_a_slot for user in users)
    ahead = sum(user.waits and (queued is None or user.state_n < queued) for user in users)
    return Place(name, slots, used, ahead)


def _lives(connection: sqlite3.Connection, user: _User, alive: dict[bytes, bool]) -> bool:
    if user.session is None:
        return True
    if user.session not in alive:
        found = sessions.read(connection, user.session)
        alive[user.session] = found is None or found.is_alive
    return alive[user.session]
