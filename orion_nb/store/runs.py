"""Runs and their states as rows, and rows as runs and states."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from orion_nb.schemas.policies import DEFAULT_POLICY, RunPolicy
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State, StateType
from orion_nb.schemas.values import complete
from orion_nb.store import reports
from orion_nb.store.nulls import blob, execute
from orion_nb.store.statements import INSERT_EDGE, INSERT_RUN, INSERT_STATE, MOVE_RUN, RUNS, STATES

_RUN_COLUMNS = ", ".join(f'runs."{name}"' for name in RUNS)
_STATE_COLUMNS = ", ".join(f'states."{name}"' for name in STATES)
SELECT_RUN = (
    f"SELECT {_RUN_COLUMNS}, {_STATE_COLUMNS} FROM runs JOIN states ON states.n = runs.state_n "
)
_PARAMETERS = json.JSONEncoder(ensure_ascii=False, default=repr)
_TYPES = {kind.value: kind for kind in StateType}


def insert(tx: sqlite3.Connection, run: Run, slot: int | None = None) -> None:
    """A new run is written as it is now, behind its states."""
    execute(tx, INSERT_RUN, row_of(run, slot))


def row_of(run: Run, slot: int | None = None) -> tuple[Any, ...]:
    """The run as a row, as `RUNS` names its columns."""
    state = run.state
    return (
        blob(run.id),
        run.kind,
        run.name,
        run.run_name and plain(run.run_name),
        run.key and plain(run.key),
        blob(run.parent) if run.parent else None,
        blob(run.root),
        blob(run.deployment) if run.deployment else None,
        slot,
        state.type.value,
        state.name,
        state.seq,
        run.attempt,
        run.token,
        run.run_count,
        run.created,
        run.scheduled_time,
        run.start_time,
        run.end_time,
        run.total_time,
        None if run.policy is DEFAULT_POLICY else _policy_text(run.policy),
        json.dumps(run.tags) if run.tags else None,
        plain(_parameters(run.parameters)),
        blob(run.session) if run.session else None,
        None,
        state.n,
        _marks_text(run.marks),
    )


def move(tx: sqlite3.Connection, run: Run, before: int) -> bool:
    """The run is as given if it still was in state number `before`; else nothing is written."""
    state = run.state
    row = (
        state.type.value,
        state.name,
        state.seq,
        run.attempt,
        run.token,
        run.run_count,
        run.scheduled_time,
        run.start_time,
        run.end_time,
        run.total_time,
        blob(run.session) if run.session else None,
        None,
        state.n,
        _marks_text(run.marks),
        blob(run.id),
        before,
    )
    return execute(tx, MOVE_RUN, row).rowcount == 1


def regrant(tx: sqlite3.Connection, run_id: str, policy: RunPolicy) -> None:
    """The run is under this policy from now on."""
    sql = "UPDATE runs SET policy=? WHERE id=?"
    tx.execute(sql, (_policy_text(policy), bytes.fromhex(run_id)))


def is_at(connection: sqlite3.Connection, run_id: str, seq: int) -> bool:
    """The run still is in its state number `seq`."""
    sql = "SELECT 1 FROM runs WHERE id=? AND seq=?"
    return connection.execute(sql, (bytes.fromhex(run_id), seq)).fetchone() is not None


def append(
    tx: sqlite3.Connection,
    run_id: str,
    state: State,
    before: int | None,
    report: int | None,
    transition_id: str | None = None,
) -> State:
    """The state, made for this run just now, is written behind the one with the number `before`.

    It is given its own number.
    """
    row = row_of_state(run_id, state, before, report, transition_id)
    complete(state, "n", execute(tx, INSERT_STATE, row).lastrowid)
    return state


def row_of_state(
    run_id: str,
    state: State,
    before: int | None,
    report: int | None,
    transition_id: str | None = None,
) -> tuple[Any, ...]:
    """The state as a row, without its number."""
    return (
        blob(run_id),
        state.seq,
        state.type.value,
        state.name,
        state.timestamp,
        state.attempt,
        state.message and plain(state.message),
        state.reason and plain(state.reason),
        state.scheduled_time,
        state.cache_key and plain(state.cache_key),
        state.result and plain(state.result),
        state.by and plain(state.by),
        transition_id and plain(transition_id),
        report,
        before,
    )


def withdraw(tx: sqlite3.Connection, state: State) -> None:
    """A state that was appended in this transaction is not entered after all."""
    tx.execute("DELETE FROM states WHERE n=?", (state.n,))


def block(tx: sqlite3.Connection, run_id: str, report: Report) -> None:
    """The last refusal is kept with the run, so that `why` can tell what it waits for."""
    row = (reports.dump(report), bytes.fromhex(run_id))
    tx.execute("UPDATE runs SET blocked=? WHERE id=?", row)


def depend(tx: sqlite3.Connection, run_id: str, upstream: Iterable[tuple[str, str]]) -> None:
    """The run takes inputs from these: each a run's id, and the path of the argument or ""."""
    run = bytes.fromhex(run_id)
    tx.executemany(INSERT_EDGE, [(run, bytes.fromhex(id), plain(path)) for id, path in upstream])


def read(connection: sqlite3.Connection, run_id: str) -> Run | None:
    row = connection.execute(SELECT_RUN + "WHERE runs.id=?", (bytes.fromhex(run_id),)).fetchone()
    return as_run(row) if row else None


def read_slot(connection: sqlite3.Connection, deployment: str, slot: int) -> Run | None:
    sql = SELECT_RUN + "WHERE runs.deployment=? AND runs.slot=?"
    row = connection.execute(sql, (bytes.fromhex(deployment), slot)).fetchone()
    return as_run(row) if row else None


def read_many(connection: sqlite3.Connection, where: str, values: Iterable[Any]) -> list[Run]:
    """The runs that match a condition in SQL; for this package's other modules."""
    return [as_run(row) for row in connection.execute(SELECT_RUN + where, tuple(values))]


def first_report(
    connection: sqlite3.Connection, run_id: str, transition_id: str
) -> tuple[State, Report | None] | None:
    """The state that a repeated proposal led to the first time, and its report."""
    sql = (
        f"SELECT {_STATE_COLUMNS}, reports.body FROM states LEFT JOIN reports "
        "ON reports.digest = states.report WHERE states.run=? AND states.transition_id=?"
    )
    row = connection.execute(sql, (bytes.fromhex(run_id), plain(transition_id))).fetchone()
    if row is None:
        return None
    state = as_state(row[: len(STATES)])
    return state, reports.load(row[-1], state) if row[-1] else None


def history(connection: sqlite3.Connection, run_id: str) -> list[tuple[State, Report | None]]:
    """All states of a run, oldest first, each with the report on how it was entered."""
    sql = (
        "WITH RECURSIVE chain (n) AS (SELECT state_n FROM runs WHERE id = ? UNION ALL "
        "SELECT states.prev FROM chain JOIN states ON states.n = chain.n WHERE states.prev > 0) "
        f"SELECT {_STATE_COLUMNS}, reports.body FROM chain JOIN states ON states.n = chain.n "
        "LEFT JOIN reports ON reports.digest = states.report ORDER BY states.n"
    )
    found = []
    for row in connection.execute(sql, (bytes.fromhex(run_id),)):
        state = as_state(row[: len(STATES)])
        found.append((state, reports.load(row[-1], state) if row[-1] else None))
    return found


def as_run(row: tuple[Any, ...]) -> Run:
    """A row of `SELECT_RUN` as a run."""
    state = as_state(row[len(RUNS) :])
    parent, root, deployment, session, blocked = row[5], row[6], row[7], row[23], row[24]
    return Run(
        id=row[0].hex(),
        kind=row[1],
        name=row[2],
        run_name=row[3],
        key=row[4],
        parent=parent.hex() if parent else None,
        root=root.hex(),
        deployment=deployment.hex() if deployment else None,
        state=state,
        attempt=row[12],
        token=row[13],
        run_count=row[14],
        created=row[15],
        scheduled_time=row[16],
        start_time=row[17],
        end_time=row[18],
        total_time=row[19],
        policy=_policy(row[20]) if row[20] else DEFAULT_POLICY,
        tags=tuple(json.loads(row[21])) if row[21] else (),
        parameters=json.loads(row[22]) if row[22] else None,
        session=session.hex() if session else None,
        blocked=reports.load(blocked, state) if blocked else None,
        marks=tuple(json.loads(row[26])) if row[26] else (),
    )


def as_state(row: tuple[Any, ...]) -> State:
    """A row of the states table as a state."""
    return State(
        type=_TYPES[row[3]],
        name=row[4],
        timestamp=row[5],
        seq=row[2],
        attempt=row[6],
        message=row[7],
        reason=row[8],
        scheduled_time=row[9],
        cache_key=row[10],
        result=row[11],
        by=row[12],
        n=row[0],
    )


def plain(text: str | None) -> str | None:
    """The text as UTF-8 can hold it: a lone surrogate, as in a file name read badly, is escaped."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _parameters(values: dict[str, Any] | None) -> str | None:
    return None if values is None else _PARAMETERS.encode(values)


@lru_cache(maxsize=256)
def _marks_text(marks: tuple[str, ...]) -> str | None:
    return json.dumps(marks) if marks else None


@lru_cache(maxsize=256)
def _policy_text(policy: RunPolicy) -> str | None:
    return None if policy == DEFAULT_POLICY else json.dumps(policy.told())


@lru_cache(maxsize=256)
def _policy(text: str) -> RunPolicy:
    return RunPolicy.of(json.loads(text))
