"""What runs have shown: bundles of one thing in several formats, by run and in series by key."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import field
from typing import Any

from orion_nb.schemas.values import frozen
from orion_nb.store.statements import INSERT_ARTIFACT

#: What is kept of one run besides its artifacts' number: bytes of all of them.
MOST = 1000
MOST_BYTES = 64 * 1024 * 1024


@frozen
class Artifact:
    """One thing that a run has shown, in one or more formats.

    `data` holds it by MIME type: as text, as a JSON value, or in base64 for the types in `binary`.
    `notes` say what is not there and why. `size` is in bytes of what was shown, `created` in
    microseconds since the epoch, UTC. `version` counts the artifacts of the same key from 1;
    `types` is what is in `data`, which lists leave out.
    """

    id: str
    run: str
    key: str | None
    description: str | None
    created: int
    size: int
    types: tuple[str, ...] = ()
    version: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    binary: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The artifact without its contents."""
        names = ("id", "run", "key", "version", "description", "created", "size")
        return {**{name: getattr(self, name) for name in names}, "types": list(self.types)}

    def as_json(self) -> dict[str, Any]:
        return {
            **self.summary(),
            "data": self.data,
            "binary": list(self.binary),
            "metadata": self.metadata,
            "notes": list(self.notes),
        }


@frozen
class ArtifactFilter:
    """Which artifacts to list: of this key, of this run; `cursor` is where the last page ended."""

    key: str | None = None
    run: str | None = None
    cursor: str | None = None


_VERSION = (
    "(SELECT count(*) FROM artifacts AS older WHERE older.key = artifacts.key "
    "AND older.id <= artifacts.id)"
)
_COLUMNS = f"id, run, key, description, created, size, {_VERSION}"
_TYPES = "(SELECT json_group_array(each.key) FROM json_each(artifacts.data, '$.data') AS each)"


def insert(tx: sqlite3.Connection, made: Artifact) -> None:
    told = {name: getattr(made, name) for name in ("data", "binary", "metadata", "notes")}
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    ids = bytes.fromhex(made.id), bytes.fromhex(made.run)
    row = (*ids, made.key, made.description, made.created, made.size, text)
    tx.execute(INSERT_ARTIFACT, row)


def is_full(connection: sqlite3.Connection, run: str, size: int) -> bool:
    """The run has as many artifacts, or bytes of them, as are kept; `size` bytes have no room."""
    sql = "SELECT count(*), total(size) FROM artifacts WHERE run=?"
    count, total = connection.execute(sql, (bytes.fromhex(run),)).fetchone()
    return bool(count >= MOST or total + size > MOST_BYTES)


def read(connection: sqlite3.Connection, artifact_id: str) -> Artifact | None:
    """The artifact with its contents."""
    sql = f"SELECT {_COLUMNS}, data FROM artifacts WHERE id=?"
    row = connection.execute(sql, (bytes.fromhex(artifact_id),)).fetchone()
    if row is None:
        return None
    told = json.loads(row[-1])
    kept = {name: tuple(told[name]) for name in ("binary", "notes")}
    types = tuple(told["data"])
    return _artifact(row, types, data=told["data"], metadata=told["metadata"], **kept)


def page(connection: sqlite3.Connection, chosen: ArtifactFilter, limit: int) -> list[Artifact]:
    """The newest that match, newest first, without their contents."""
    told = (
        ("key = ?", chosen.key),
        ("run = ?", chosen.run and bytes.fromhex(chosen.run)),
        ("id < ?", chosen.cursor and bytes.fromhex(chosen.cursor)),
    )
    tests = [(test, value) for test, value in told if value is not None]
    where = " AND ".join(test for test, _ in tests) or "1"
    sql = f"SELECT {_COLUMNS}, {_TYPES} FROM artifacts WHERE {where} ORDER BY id DESC LIMIT ?"
    rows = connection.execute(sql, [*(value for _, value in tests), limit])
    return [_artifact(row, tuple(json.loads(row[-1]))) for row in rows]


def ids_ending_in(connection: sqlite3.Connection, ending: str, limit: int = 10) -> list[str]:
    sql = "SELECT id FROM artifacts WHERE lower(hex(id)) LIKE ? ORDER BY id DESC LIMIT ?"
    return [row[0].hex() for row in connection.execute(sql, (f"%{ending}", limit))]


def newest_of(connection: sqlite3.Connection, key: str) -> str | None:
    """The id of the newest artifact of a key."""
    sql = "SELECT id FROM artifacts WHERE key=? ORDER BY id DESC LIMIT 1"
    row = connection.execute(sql, (key,)).fetchone()
    return row[0].hex() if row else None


def _artifact(row: tuple[Any, ...], types: tuple[str, ...], **contents: Any) -> Artifact:
    artifact_id, run, key, description, created, size, version = row[:7]
    return Artifact(
        artifact_id.hex(), run.hex(), key, description, created, size,
        types, version or None, **contents,
    )  # fmt: skip
