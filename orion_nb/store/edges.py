"""Edges between runs: whose result went into whose argument."""

from __future__ import annotations

import sqlite3
from typing import Any

from orion_nb.schemas.values import frozen

#: The path of an argument that came while the run it comes from was still running begins so.
STREAMED = "~"
#: The path of an argument whose run may fail begins so.
MAY_FAIL = "?"
#: A graph has no more runs than this, and no more edges.
MOST, MOST_EDGES = 20_000, 200_000

_NODES = """
    SELECT json_group_array(json_object(
        'id', lower(hex(id)), 'kind', kind, 'name', name, 'run_name', run_name,
        'parent', nullif(lower(hex(parent)), ''),
        'deployment', nullif(lower(hex(deployment)), ''),
        'state', json_object(
            'type', state_type, 'name', state_name,
            'scheduled_time', iif(state_type = 'SCHEDULED', scheduled_time, NULL)),
        'attempt', attempt, 'run_count', run_count, 'created', created,
        'start_time', start_time, 'end_time', end_time,
        'tags', json(coalesce(tags, '[]')), 'marks', json(coalesce(marks, '[]'))))
    FROM (SELECT * FROM runs WHERE root = ? ORDER BY id LIMIT ?)"""
#: The same as `Edge.as_json`.
_EDGES = f"""
    SELECT json_group_array(json_object(
        'upstream', lower(hex(upstream)), 'run', lower(hex(run)),
        'path', nullif(ltrim(path, '{STREAMED}{MAY_FAIL}'), ''),
        'streamed', json(iif(path LIKE '{STREAMED}%', 'true', 'false')),
        'name', name, 'state', state_name))
    FROM (SELECT edges.upstream, edges.run, edges.path, above.name, above.state_name
        FROM runs JOIN edges ON edges.run = runs.id JOIN runs AS above ON above.id = edges.upstream
        WHERE runs.root = ? ORDER BY edges.run, edges.upstream LIMIT ?)"""


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


def graph(connection: sqlite3.Connection, root: str) -> str:
    """The runs of a tree in brief, in the order of their creation, and the edges that end in it.

    It is JSON, written by SQLite: of ten thousand runs no object is made, and other threads go on.
    Of an endless flow it is the first `MOST` runs; `left_out` says how many there are besides.
    """
    sql = (
        f"SELECT json_object('root', ?, 'runs', json(({_NODES})), 'edges', json(({_EDGES})), "
        "'left_out', max(0, (SELECT count(*) FROM runs WHERE root = ?) - ?))"
    )
    key = bytes.fromhex(root)
    values = (root, key, MOST, key, MOST_EDGES, key, MOST)
    return str(connection.execute(sql, values).fetchone()[0])


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
