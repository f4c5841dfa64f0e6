"""Runs that fit: pages, counts, and what schedulers, workers and reapers look for."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import late_before
from orion_nb.store.runs import plain, read_many


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list. `states` are types or names; `since` is in microseconds, UTC.

    `text` is looked for in names and at the end of ids. `cursor` is where the last page ended.
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
    if chosen.text:
        text = re.sub(r"([%_\\])", r"\\\1", plain(chosen.text) or "")
        tests = (
            f"{what} LIKE ? ESCAPE '\\'" for what in ("runs.name", "runs.run_name", "hex(runs.id)")
        )
        add(f"({' OR '.join(tests)})", f"%{text}%", f"%{text}%", f"%{text}")
    if chosen.name:
        add("runs.name = ?", chosen.name)
    for column in ("deployment", "parent", "root", "cursor"):
        if value := getattr(chosen, column):
            test = "runs.id < ?" if column == "cursor" else f"runs.{column} = ?"
            add(test, bytes.fromhex(value))
    if chosen.top_level:
        parts.append("runs.parent IS NULL")
    if chosen.since is not None:
        add("runs.created >= ?", chosen.since)
    return " AND ".join(parts) or "1", values


def page(connection: sqlite3.Connection, chosen: RunFilter, limit: int, now: int) -> list[Run]:
    """The newest runs that match, newest first."""
    condition, values = where(chosen, now)
    tail = f"WHERE {condition} ORDER BY runs.id DESC LIMIT ?"
    return read_many(connection, tail, [*values, limit])


def counts(connection: sqlite3.Connection, chosen: RunFilter, now: int) -> dict[str, int]:
    """How many runs match, by state type; those that are late apart."""
    condition, values = where(chosen, now)
    late = "state_type = 'SCHEDULED' AND scheduled_time < ?"
    sql = (
        f"SELECT CASE WHEN {late} THEN 'Late' ELSE state_type END, count(*) "
        f"FROM runs WHERE {condition} GROUP BY 1"
    )
    return dict(connection.execute(sql, [late_before(now), *values]).fetchall())


def claimable(connection: sqlite3.Connection, now: int, limit: int) -> list[Run]:
    """The flow runs of deployments whose time has come, most overdue first."""
    tail = (
        "WHERE runs.state_type = 'SCHEDULED' AND runs.scheduled_time <= ? "
        "AND runs.end_time IS NULL AND runs.parent IS NULL AND runs.deployment IS NOT NULL "
        "ORDER BY runs.scheduled_time LIMIT ?"
    )
    return read_many(connection, tail, (now, limit))


def next_scheduled(connection: sqlite3.Connection) -> int | None:
    """The earliest time at which a scheduled run of a deployment may start."""
    sql = (
        "SELECT min(scheduled_time) FROM runs WHERE state_type = 'SCHEDULED' "
        "AND end_time IS NULL AND parent IS NULL AND deployment IS NOT NULL"
    )
    found = connection.execute(sql).fetchone()[0]
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


def ids_ending_in(connection: sqlite3.Connection, ending: str, limit: int = 10) -> list[str]:
    sql = "SELECT id FROM runs WHERE lower(hex(id)) LIKE ? ORDER BY id DESC LIMIT ?"
    return [row[0].hex() for row in connection.execute(sql, (f"%{ending}", limit))]


def ids_named(connection: sqlite3.Connection, name: str, limit: int) -> list[str]:
    """The newest flow runs of this run name or name, or else the newest task runs."""
    for kind in ("flow", "task"):
        sql = (
            f"SELECT id FROM runs WHERE kind = '{kind}' AND (run_name = ? OR name = ?) "
            "ORDER BY id DESC LIMIT ?"
        )
        if rows := connection.execute(sql, (name, name, limit)).fetchall():
            return [row[0].hex() for row in rows]
    return []


def tree(connection: sqlite3.Connection, root: str, limit: int = 10_000) -> list[Run]:
    """The runs of a tree, in the order of their creation."""
    return read_many(
        connection, "WHERE runs.root = ? ORDER BY runs.id LIMIT ?", (bytes.fromhex(root), limit)
    )


def unfinished_below(connection: sqlite3.Connection, run: Run) -> list[str]:
    """The ids of the runs within a run that have not ended, outer ones first."""
    sql = "SELECT id, parent FROM runs WHERE root = ? AND end_time IS NULL ORDER BY id"
    inside, found = {bytes.fromhex(run.id)}, []
    for key, parent in connection.execute(sql, (bytes.fromhex(run.root),)):
        if parent in inside:
            inside.add(key)
            found.append(key.hex())
    return found
