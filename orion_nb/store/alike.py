"""The rows of a run that begins, or ends, in the very same way as one before it."""

from __future__ import annotations

import sqlite3
from typing import Any

from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State
from orion_nb.schemas.values import complete
from orion_nb.store.nulls import blob, filled
from orion_nb.store.runs import plain, row_of, row_of_state
from orion_nb.store.statements import END_RUN, INSERT_RUN, INSERT_STATE, RUNS, STATES


class Rows:
    """What is written of a plain run when it begins: two states and the run itself."""

    __slots__ = ("_born", "_run", "_started")

    def __init__(self, run: Run, born: State, report: int) -> None:
        self._born = _Row(
            INSERT_STATE, STATES[1:], row_of_state(run.id, born, None, None), "run timestamp"
        )
        self._started = _Row(
            INSERT_STATE, STATES[1:], row_of_state(run.id, run.state, born.n, report),
            "run timestamp prev",
        )  # fmt: skip
        self._run = _Row(INSERT_RUN, RUNS, row_of(run), "id token created start_time state_n")

    def again(self, tx: sqlite3.Connection, run_id: str, token: str, now: int) -> int:
        """The same is written of another run; the number of its last state is answered."""
        key = blob(run_id)
        born, started, run = self._born, self._started, self._run
        row = born.row
        row[born.at[0]], row[born.at[1]] = key, now
        before = tx.execute(born.sql, row).lastrowid
        row = started.row
        row[started.at[0]], row[started.at[1]], row[started.at[2]] = key, now, before
        n = tx.execute(started.sql, row).lastrowid
        row = run.row
        a, b, c, d, e = run.at
        row[a], row[b], row[c], row[d], row[e] = key, token, now, now, n
        tx.execute(run.sql, row)
        assert n is not None
        return n


class _Row:
    """A row of which only some values are others the next time, at the places `at`."""

    __slots__ = ("at", "row", "sql")

    def __init__(self, sql: str, names: tuple[str, ...], row: tuple[Any, ...], others: str) -> None:
        self.sql, self.row = filled(sql, row)
        given = [name for name, value in zip(names, row, strict=True) if value is not None]
        self.at = tuple(given.index(name) for name in others.split())


def _naming(names: str) -> str:
    """The statement that inserts a state of which only these are given."""
    given = names.split()
    return filled(INSERT_STATE, [1 if name in given else None for name in STATES[1:]])[0]


_END = _naming("run seq type name timestamp attempt report prev")
_END_WITH_RESULT = _naming("run seq type name timestamp attempt result report prev")


def end(tx: sqlite3.Connection, run: Run, state: State, total: int, report: int) -> bool:
    """The plain run enters this final state, if it still is where it was; else nothing is written.

    The state is given its number.
    """
    key, kind, result = blob(run.id), state.type._value_, state.result
    row = [key, state.seq, kind, state.name, state.timestamp, state.attempt, report, run.state.n]
    if result is not None:
        row.insert(6, plain(result))
    n = tx.execute(_END if result is None else _END_WITH_RESULT, row).lastrowid
    moved = (kind, state.name, state.seq, state.timestamp, total, n, key, run.state.seq)
    if tx.execute(END_RUN, moved).rowcount == 1:
        complete(state, "n", n)
        return True
    tx.execute("DELETE FROM states WHERE n=?", (n,))
    return False
