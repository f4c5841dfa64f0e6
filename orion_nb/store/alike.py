"""The rows of a run that begins in the very same way as one before it."""

from __future__ import annotations

import sqlite3

from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State
from orion_nb.store.runs import row_of, row_of_state
from orion_nb.store.statements import INSERT_RUN, INSERT_STATE, RUNS, STATES

_ID, _TOKEN, _CREATED, _STARTED, _STATE = map(
    RUNS.index, ("id", "token", "created", "start_time", "state_n")
)
_RUN, _AT, _BEFORE = (STATES.index(name) - 1 for name in ("run", "timestamp", "prev"))


class Rows:
    """What is written of a plain run when it begins: two states and the run itself."""

    __slots__ = ("_born", "_run", "_started")

    def __init__(self, run: Run, born: State, report: int) -> None:
        self._born = list(row_of_state(run.id, born, None, None))
        self._started = list(row_of_state(run.id, run.state, born.n, report))
        self._run = list(row_of(run))

    def again(self, tx: sqlite3.Connection, run_id: str, token: str, now: int) -> int:
        """The same is written of another run; the number of its last state is answered."""
        key = bytes.fromhex(run_id)
        born, started, run = self._born, self._started, self._run
        born[_RUN] = started[_RUN] = run[_ID] = key
        born[_AT] = started[_AT] = run[_CREATED] = run[_STARTED] = now
        run[_TOKEN] = token
        started[_BEFORE] = tx.execute(INSERT_STATE, born).lastrowid
        n = tx.execute(INSERT_STATE, started).lastrowid
        run[_STATE] = n
        tx.execute(INSERT_RUN, run)
        assert n is not None
        return n
