"""Edges between runs: whose result went into whose argument."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from orion_nb.schemas.values import frozen

#: The path of an argument that came while the run it comes from was still running begins so.
STREAMED = "~"
#: The path of an argument whose run may fail begins so.
MAY_FAIL = "?"


@frozen
class Edge:
    """The result of `upstream` went into the argument at `path` of `run`."""

    upstream: str
    run: str
    path: str
    other: str
    state: str

    def as_json(self) -> dict[str, Any]:
        return {
            "upstream": self.upstream,
            "run": self.run,
            "path": self.path.lstrip(STREAMED + MAY_FAIL) or None,
            "streamed": self.path.startswith(STREAMED),
            "name": self.other,
            "state": self.state,
        }


def into(connection: sqlite3.Connection, run_id: str) -> list[Edge]:
    """The edges that end at a run; `other` is the upstream run's name."""
    return _edges(connection, "upstream", "WHERE edges.run = ?", run_id)


def out_of(connection: sqlite3.Connection, run_id: str) -> list[Edge]:
    """The edges that begin at a run; `other` is the downstream run's name."""
    return _edges(connection, "run", "WHERE edges.upstream = ?", run_id)


def of_tree(connection: sqlite3.Connection, root: str) -> list[Edge]:
    """The edges that end within a tree of runs."""
    joined = "JOIN runs AS below ON below.id = edges.run WHERE below.root = ?"
    return _edges(connection, "upstream", joined, root)


def nodes(connection: sqlite3.Connection, root: str) -> list[dict[str, Any]]:
    """What is to be drawn of each run of a tree, as JSON values, in the order of their creation.

    No run is made of a row: a tree may have ten thousand.
    """
    sql = (
        "SELECT lower(hex(id)), kind, name, run_name, lower(hex(parent)), lower(hex(deployment)), "
        "state_type, state_name, iif(state_type = 'SCHEDULED', scheduled_time, NULL), attempt, "
        "run_count, created, start_time, end_time, tags, marks "
        "FROM runs WHERE root = ? ORDER BY id"
    )
    return [
        {
            "id": row[0],
            "kind": row[1],
            "name": row[2],
            "run_name": row[3],
            "parent": row[4] or None,
            "deployment": row[5] or None,
            "state": {"type": row[6], "name": row[7], "scheduled_time": row[8]},
            "attempt": row[9],
            "run_count": row[10],
            "created": row[11],
            "start_time": row[12],
            "end_time": row[13],
            "tags": json.loads(row[14]) if row[14] else [],
            "marks": json.loads(row[15]) if row[15] else [],
        }
        for row in connection.execute(sql, (bytes.fromhex(root),))
    ]


def within(connection: sqlite3.Connection, parent: str, root: str) -> dict[str, frozenset[str]]:
    """The ids of the runs upstream of each run that `parent` has called, by its id."""
    sql = (
        "SELECT edges.run, edges.upstream FROM runs JOIN edges ON edges.run = runs.id "
        "WHERE runs.root = ? AND runs.parent = ?"
    )
    found: dict[str, set[str]] = {}
    for run, upstream in connection.execute(sql, (bytes.fromhex(root), bytes.fromhex(parent))):
        found.setdefault(run.hex(), set()).add(upstream.hex())
    return {run: frozenset(upstream) for run, upstream in found.items()}


def reached_from(connection: sqlite3.Connection, run_id: str) -> set[str]:
    """All runs that are downstream of a run, through others too."""
    sql = (
        "WITH RECURSIVE reached (id) AS (SELECT run FROM edges WHERE upstream = ? UNION "
        "SELECT edges.run FROM edges JOIN reached ON edges.upstream = reached.id) "
        "SELECT id FROM reached"
    )
    return {row[0].hex() for row in connection.execute(sql, (bytes.fromhex(run_id),))}


def _edges(connection: sqlite3.Connection, end: str, tail: str, value: str) -> list[Edge]:
    sql = (
        "SELECT lower(hex(edges.upstream)), lower(hex(edges.run)), edges.path, runs.name, "
        f"runs.state_name FROM edges JOIN runs ON runs.id = edges.{end} {tail} "
        "ORDER BY edges.run, edges.upstream"
    )
    return [Edge(*row) for row in connection.execute(sql, (bytes.fromhex(value),))]
