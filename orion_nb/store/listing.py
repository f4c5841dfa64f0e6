"""Runs that fit: pages, counts, and what schedulers, workers and reapers look for."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Collection
from typing import Any, Literal

from orion_nb.schemas.filters import Term
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import late_before
from orion_nb.schemas.values import frozen
from orion_nb.store.filtering import SKEW, by_index, conditions, first_id, span
from orion_nb.store.runs import plain, read_many
from orion_nb.store.stretches import Look, look_through


@frozen
class RunFilter:
    """Which runs to list. `states` are types or names; `since` is in microseconds, UTC.

    `text` is looked for in names and at the end of ids. `terms` are what a person typed. `cursor`
    is where the last page ended: the id of its last run.
    """

    kind: str | None = None
    states: tuple[str, ...] = ()
    text: str | None = None
    name: str | None = None
    deployment: str | None = None
    parent: str | None = None
    root: str | None = None
    top_level: bool = False
    since: int | None = None
    terms: tuple[Term, ...] = ()
    cursor: str | None = None


def where(chosen: RunFilter, now: int) -> tuple[str, list[Any]]:
    """The condition of a filter in SQL, and its values."""
    parts: list[str] = []
    values: list[Any] = []

    def add(part: str, *given: Any) -> None:
        parts.append(part)
        values.extend(given)

    if chosen.kind:
        # Written out, not bound: SQLite uses the partial index of flow runs only for a literal.
        parts.append("runs.kind = 'flow'" if chosen.kind == "flow" else "runs.kind = 'task'")
    if chosen.states:
        names = [name for name in chosen.states if name != "Late"]
        marks = ", ".join("?" * len(names))
        wanted = [f"runs.state_type IN ({marks}) OR runs.state_name IN ({marks})"] if names else []
        if len(names) < len(chosen.states):
            wanted.append("(runs.state_type = 'SCHEDULED' AND runs.scheduled_time < ?)")
        given = [*names, *names, *([late_before(now)] if len(names) < len(chosen.states) else [])]
        add(f"({' OR '.join(wanted)})", *given)
        for part, types in by_index(chosen.states):
            add(part, *types)
    if chosen.text:
        text = re.sub(r"([%_\\])", r"\\\1", plain(chosen.text) or "")
        tests = (
            f"{what} LIKE ? ESCAPE '\\'" for what in ("runs.name", "runs.run_name", "hex(runs.id)")
        )
        add(f"({' OR '.join(tests)})", f"%{text}%", f"%{text}%", f"%{text}")
    if chosen.name:
        add("runs.name = ?", chosen.name)
    for column in ("deployment", "parent", "root"):
        if value := getattr(chosen, column):
            add(f"runs.{column} = ?", bytes.fromhex(value))
    if chosen.top_level:
        parts.append("runs.parent IS NULL")
    if chosen.since is not None:
        add("runs.created >= ?", chosen.since)
    for part, given in conditions(chosen.terms, now):
        add(part, *given)
    return " AND ".join(parts) or "1", values


def page(connection: sqlite3.Connection, chosen: RunFilter, limit: int, now: int) -> list[Run]:
    """The newest runs that match, newest first."""
    return some(connection, chosen, limit, now)[0]


def some(
    connection: sqlite3.Connection,
    chosen: RunFilter,
    limit: int,
    now: int,
    patience: float | None = None,
) -> tuple[list[Run], str | None]:
    """The newest runs that match, as many as are found within so many seconds.

    Also the cursor from which to look on, if not all runs were looked at.
    """
    condition, values = where(chosen, now)
    # The ids first: an index may have all that the condition asks for.
    ids = (
        f"SELECT runs.id FROM runs WHERE {condition} AND runs.id >= ? AND runs.id < ? "
        "ORDER BY runs.id DESC LIMIT ?"
    )
    tail = f"WHERE runs.id IN ({ids}) ORDER BY runs.id DESC"
    found: list[Run] = []

    def look(low: bytes, high: bytes) -> bool:
        found.extend(read_many(connection, tail, [*values, low, high, limit - len(found)]))
        return len(found) >= limit

    return found, _look_through(connection, look, chosen, patience)


def _look_through(
    connection: sqlite3.Connection, look: Look, chosen: RunFilter, patience: float | None
) -> str | None:
    low, high = span(chosen.terms, chosen.since)
    before = min(high, bytes.fromhex(chosen.cursor)) if chosen.cursor else high
    rest = look_through(connection, look, before, low, patience)
    return rest.hex() if rest else None


#: What runs can be counted by.
By = Literal["state", "name", "kind", "flow", "deployment", "tag"]
MOST_COUNTS = 1000
_LATE = "runs.state_type = 'SCHEDULED' AND runs.scheduled_time < ?"
_BY: dict[str, tuple[str, str]] = {
    "state": (f"CASE WHEN {_LATE} THEN 'Late' ELSE runs.state_type END", "runs"),
    "name": ("runs.name", "runs"),
    "kind": ("runs.kind", "runs"),
    "flow": ("tops.name", "runs JOIN runs AS tops ON tops.id = runs.root"),
    "deployment": ("coalesce(lower(hex(runs.deployment)), '')", "runs"),
    "tag": ("item.value", "runs, json_each(runs.tags) AS item"),
}


def counts(
    connection: sqlite3.Connection, chosen: RunFilter, now: int, by: By = "state"
) -> dict[str, int]:
    """How many runs match, by state type, those that are late apart; or by something else."""
    return counted(connection, chosen, now, by)[0]


def counted(
    connection: sqlite3.Connection,
    chosen: RunFilter,
    now: int,
    by: By = "state",
    patience: float | None = None,
) -> tuple[dict[str, int], str | None]:
    """`counts`, and the id of the oldest run counted if not all were within so many seconds."""
    condition, values = where(chosen, now)
    group, tables = _BY[by]
    late = [late_before(now)] if by == "state" else []
    sql = (
        f"SELECT {group}, count(*) FROM {tables} "
        f"WHERE {condition} AND runs.id >= ? AND runs.id < ? GROUP BY 1"
    )
    found: Counter[str] = Counter()

    def look(low: bytes, high: bytes) -> bool:
        found.update(dict(connection.execute(sql, [*late, *values, low, high]).fetchall()))
        return False

    rest = _look_through(connection, look, chosen, patience)
    return dict(found.most_common(MOST_COUNTS)), rest


def history(
    connection: sqlite3.Connection,
    chosen: RunFilter,
    now: int,
    since: int,
    until: int,
    step: int,
    patience: float | None = None,
) -> tuple[list[dict[str, Any]], str | None]:
    """The runs that match and were made from `since` to before `until`, in stretches of `step`.

    Also the id of the oldest run that was looked at, if not all were within so many seconds.
    """
    condition, values = where(chosen, now)
    sql = (
        f"SELECT (runs.created - ?) / ?, {_BY['state'][0]}, count(*), total(runs.total_time) "
        f"FROM runs WHERE {condition} AND runs.created >= ? AND runs.created < ? "
        "AND runs.id >= ? AND runs.id < ? GROUP BY 1, 2"
    )
    told: list[dict[str, Any]] = [
        {"start": at, "end": min(at + step, until), "counts": {}, "total_time": 0}
        for at in range(since, until, step)
    ]
    shift = [since, step, late_before(now), *values, since, until]

    def look(low: bytes, high: bytes) -> bool:
        for place, state, count, took in connection.execute(sql, [*shift, low, high]).fetchall():
            known = told[place]["counts"]
            known[state] = known.get(state, 0) + count
            told[place]["total_time"] += int(took)
        return False

    low, high = span(chosen.terms, since)
    before = min(high, first_id(until + SKEW))
    rest = look_through(connection, look, before, low, patience)
    return told, rest.hex() if rest else None


def claimable(
    connection: sqlite3.Connection, now: int, limit: int, but: Collection[str] = ()
) -> list[Run]:
    """The flow runs of deployments whose time has come, most overdue first; not of those in `but`.

    These are ids of deployments.
    """
    tail = (
        "WHERE runs.state_type = 'SCHEDULED' AND runs.scheduled_time <= ? "
        "AND runs.end_time IS NULL AND runs.parent IS NULL AND runs.deployment IS NOT NULL "
        "AND lower(hex(runs.deployment)) NOT IN (SELECT value FROM json_each(?)) "
        "ORDER BY runs.scheduled_time LIMIT ?"
    )
    return read_many(connection, tail, (now, json.dumps(list(but)), limit))


def next_scheduled(connection: sqlite3.Connection, after: int = -1) -> int | None:
    """The earliest time behind `after` at which a scheduled run of a deployment may start."""
    sql = (
        "SELECT min(scheduled_time) FROM runs WHERE state_type = 'SCHEDULED' AND scheduled_time > ?"
        " AND end_time IS NULL AND parent IS NULL AND deployment IS NOT NULL"
    )
    found = connection.execute(sql, (after,)).fetchone()[0]
    return None if found is None else int(found)


def unfinished(connection: sqlite3.Connection, session: bytes) -> list[Run]:
    """The runs of a session that have not ended; those within others before those at the top."""
    roots = connection.execute("SELECT root FROM session_roots WHERE session=?", (session,))
    inner = "WHERE runs.root=? AND runs.parent IS NOT NULL AND runs.end_time IS NULL"
    found = []
    for (root,) in roots.fetchall():
        found += read_many(connection, f"{inner} AND runs.session=?", (root, session))
    top = "WHERE runs.end_time IS NULL AND runs.parent IS NULL AND runs.session=?"
    return found + read_many(connection, top, (session,))


def deployment_named(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT id FROM deployments WHERE name = ?", (name,)).fetchone()
    return row[0].hex() if row else None


def deployment_names(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM deployments ORDER BY name")]


def ids_ending_in(connection: sqlite3.Connection, ending: str, limit: int = 10) -> list[str]:
    """The newest ids that end in these digits: all are looked at, in the smallest index of them."""
    half, odd = divmod(len(ending), 2)
    sql = "SELECT id FROM runs INDEXED BY runs_by_root WHERE substr(id, ?) = ?"
    found = connection.execute(sql, (17 - half, bytes.fromhex(ending[odd:]))).fetchall()
    fitting = sorted((key.hex() for (key,) in found), reverse=True)
    return [key for key in fitting if key.endswith(ending)][:limit]


def ids_named(
    connection: sqlite3.Connection, name: str, limit: int, patience: float | None = None
) -> tuple[list[str], str | None]:
    """The newest flow runs of this run name or name, or else the newest task runs.

    Also the id of the oldest run that was looked at, if not all were within so many seconds.
    """
    rest: str | None = None
    for kind in ("flow", "task"):
        sql = (
            f"SELECT id FROM runs WHERE kind = '{kind}' AND (run_name = ? OR name = ?) "
            "AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?"
        )
        found: list[str] = []

        def look(low: bytes, high: bytes, sql: str = sql, found: list[str] = found) -> bool:
            rows = connection.execute(sql, (name, name, low, high, limit - len(found))).fetchall()
            found += [key.hex() for (key,) in rows]
            return len(found) >= limit

        # Flow runs have an index: an existing one is never missed because a server is busy.
        left = look_through(connection, look, patience=None if kind == "flow" else patience)
        if found:
            return found, None
        if left is not None:
            rest = max(rest or "", left.hex())
    return [], rest


def unfinished_below(
    connection: sqlite3.Connection, run: Run, state_name: str | None = None
) -> list[str]:
    """The ids of the runs within a run that have not ended, outer ones first; of one state."""
    sql = "SELECT id, parent, state_name FROM runs WHERE root = ? AND end_time IS NULL ORDER BY id"
    inside, found = {bytes.fromhex(run.id)}, []
    for key, parent, name in connection.execute(sql, (bytes.fromhex(run.root),)):
        if parent in inside:
            inside.add(key)
            if state_name in (None, name):
                found.append(key.hex())
    return found
