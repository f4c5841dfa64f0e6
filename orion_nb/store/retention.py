"""What is forgotten: whole trees of finished runs, with every row that belongs to them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from orion_nb.schemas.values import frozen
from orion_nb.store.checkpoints import Checkpoints
from orion_nb.store.connections import connect, trouble

#: So many runs are deleted in one transaction: writers wait 50 ms for it at most.
BATCH = 500
#: And so many pages given back to the disk: that takes some milliseconds.
GIVEN = 256
#: Why a tree that is old enough stays.
UNFINISHED, PINNED, IN_CACHE, NEWEST = "unfinished", "pinned", "in the cache", "newest event"

_OF_RUN = (
    "artifacts",
    "deliveries",
    "edges",
    "inputs",
    "logs",
    "pauses",
    "pins",
    "problems",
    "run_sources",
    "uses",
)
_CHAIN = (
    "WITH RECURSIVE chain (n) AS (SELECT state_n FROM runs WHERE id IN ({}) UNION ALL "
    "SELECT states.prev FROM chain JOIN states ON states.n = chain.n WHERE states.prev > 0) "
)
_HEX = re.compile("[0-9a-f]{64}")
_KEY = re.compile(r'"key":"([0-9a-f]{64})"')


@frozen
class Choice:
    """Which trees go: those whose outermost run ended before `before` (microseconds, UTC).

    The newest `keep_last` of each flow stay. With `states` only those that ended in one of these
    types or names go; with `deployment`, only runs of that; never those of a deployment in `spared`
    (ids).
    """

    before: int
    keep_last: int = 0
    states: tuple[str, ...] = ()
    deployment: str | None = None
    spared: frozenset[str] = frozenset()


@frozen
class Kept:
    """How long the finished runs of a deployment are kept (seconds), and how many in any case."""

    deployment: str
    keep: float | None
    keep_last: int | None


@frozen
class Deleted:
    """What one transaction deleted: runs, and the stored values they referred to.

    A value is named by its key, and the address of its storage: None is that of the data folder.
    """

    runs: tuple[str, ...]
    values: frozenset[tuple[str, str | None]]


def old(connection: sqlite3.Connection, choice: Choice) -> list[str]:
    """The outermost runs of the trees that may go, oldest first; not all of them will."""
    marks = ", ".join("?" * len(choice.states))
    states = f"AND (state_type IN ({marks}) OR state_name IN ({marks}))" if marks else ""
    of = "deployment" if choice.deployment else "kind, name"
    place = f"row_number() OVER (PARTITION BY {of} ORDER BY id DESC)"
    only = "AND deployment = ? " if choice.deployment else ""
    sql = (
        f"SELECT id, deployment FROM (SELECT id, deployment, end_time, state_type, state_name, "
        f"{place if choice.keep_last else 1} AS place "
        f"FROM runs WHERE parent IS NULL AND end_time IS NOT NULL {only}) "
        f"WHERE end_time < ? AND place > ? {states} ORDER BY id"
    )
    values: list[Any] = [bytes.fromhex(choice.deployment)] if choice.deployment else []
    values += [choice.before, choice.keep_last, *choice.states, *choice.states]
    spared = {bytes.fromhex(each) for each in choice.spared}
    return [row[0].hex() for row in connection.execute(sql, values) if row[1] not in spared]


def kept_by_deployments(connection: sqlite3.Connection) -> list[Kept]:
    """The deployments that say for how long, or how many of, their runs are kept."""
    sql = (
        "SELECT id, json_extract(spec, '$.keep') AS keep, "
        "json_extract(spec, '$.keep_last') AS last FROM deployments "
        "WHERE keep IS NOT NULL OR last IS NOT NULL"
    )
    return [Kept(row[0].hex(), row[1], row[2]) for row in connection.execute(sql)]


def why_it_stays(connection: sqlite3.Connection, root: str, before: int) -> str | None:
    """The reason why a tree must not go now; None if it may."""
    if (why := why_it_stopped(connection, root)) is not None:
        return why
    key = bytes.fromhex(root)
    left = "SELECT 1 FROM runs WHERE root = ? AND end_time IS NULL LIMIT 1"
    if connection.execute(left, (key,)).fetchone():
        return UNFINISHED
    return IN_CACHE if _is_in_use(connection, key, before) else None


def why_it_stopped(connection: sqlite3.Connection, root: str) -> str | None:
    """The same for a tree that is going already; it reads a few rows, however large the tree is."""
    key = (bytes.fromhex(root),)
    run = connection.execute("SELECT end_time FROM runs WHERE id = ?", key).fetchone()
    if run is None or run[0] is None:
        return UNFINISHED
    pinned = "SELECT 1 FROM pins JOIN runs ON runs.id = pins.run WHERE runs.root = ? LIMIT 1"
    if connection.execute(pinned, key).fetchone():
        return PINNED
    return NEWEST if key[0] == _newest(connection) else None


def size_of(connection: sqlite3.Connection, root: str) -> int:
    """How many runs a tree has."""
    sql = "SELECT count(*) FROM runs WHERE root = ?"
    return int(connection.execute(sql, (bytes.fromhex(root),)).fetchone()[0])


def delete_some(tx: sqlite3.Connection, root: str, most: int = BATCH) -> Deleted:
    """Up to so many runs of a tree are gone, inner ones first; none are left when it is empty."""
    sql = "SELECT id FROM runs WHERE root = ? ORDER BY id = root, id DESC LIMIT ?"
    ids = [row[0] for row in tx.execute(sql, (bytes.fromhex(root), most))]
    if not ids:
        return Deleted((), frozenset())
    marks = ", ".join("?" * len(ids))
    chain = _CHAIN.format(marks)
    values = frozenset(_values_of(tx, chain, marks, ids))
    tx.execute(f"{chain}DELETE FROM states WHERE n IN (SELECT n FROM chain)", ids)
    for table in _OF_RUN:
        tx.execute(f"DELETE FROM {table} WHERE run IN ({marks})", ids)
    tx.execute(f"DELETE FROM edges WHERE upstream IN ({marks})", ids)
    tx.execute(f"DELETE FROM session_roots WHERE root IN ({marks})", ids)
    tx.execute(f"DELETE FROM runs WHERE id IN ({marks})", ids)
    return Deleted(tuple(key.hex() for key in ids), values)


def pin(tx: sqlite3.Connection, run_id: str, why: str | None, now: int) -> None:
    tx.execute("INSERT OR REPLACE INTO pins VALUES (?, ?, ?)", (bytes.fromhex(run_id), why, now))


def pinned(connection: sqlite3.Connection, run_id: str) -> dict[str, Any] | None:
    """Why and when the run was pinned: {"why", "created"}; None if it is not."""
    sql = "SELECT why, created FROM pins WHERE run = ?"
    row = connection.execute(sql, (bytes.fromhex(run_id),)).fetchone()
    return None if row is None else {"why": row[0], "created": row[1]}


def unpin(tx: sqlite3.Connection, run_id: str) -> bool:
    """True if it was pinned."""
    return tx.execute("DELETE FROM pins WHERE run = ?", (bytes.fromhex(run_id),)).rowcount == 1


def still_referred_to(connection: sqlite3.Connection, keys: Iterable[str]) -> set[str]:
    """Those of the keys of stored values that some row refers to; it reads every reference."""
    asked, found = set(keys), set[str]()
    for sql in (
        'SELECT result FROM states WHERE result LIKE \'%"key":"%\'',
        "SELECT reference FROM inputs",
        "SELECT reference FROM problems WHERE reference IS NOT NULL",
    ):
        for (text,) in connection.execute(sql):
            found.update(asked.intersection(_KEY.findall(text)))
    return found


def unused_reports(connection: sqlite3.Connection) -> tuple[list[int], int]:
    """The reports that no state refers to, and the number of the newest state.

    The plain ones are not among them: processes remember which of those are stored.
    """
    newest = connection.execute("SELECT coalesce(max(n), 0) FROM states").fetchone()[0]
    sql = (
        "SELECT digest, body FROM reports WHERE digest NOT IN "
        "(SELECT report FROM states WHERE report IS NOT NULL)"
    )
    return [digest for digest, body in connection.execute(sql) if not _is_plain(body)], newest


def delete_reports(tx: sqlite3.Connection, digests: Sequence[int], newest: int) -> int:
    """These reports are gone, but for those that states after number `newest` refer to."""
    sql = (
        "DELETE FROM reports WHERE digest = ? AND NOT EXISTS "
        "(SELECT 1 FROM states WHERE n > ? AND report = reports.digest)"
    )
    return tx.executemany(sql, [(digest, newest) for digest in digests]).rowcount


def delete_remains(tx: sqlite3.Connection, before: int, requests_before: int) -> int:
    """What belonged to runs that are gone, or is too old to be asked for, is gone; how many."""
    answers = "DELETE FROM requests WHERE created < ?"
    keys = (
        "DELETE FROM cache_keys WHERE created < ? AND NOT EXISTS "
        "(SELECT 1 FROM states WHERE states.cache_key = cache_keys.cache_key)"
    )
    sessions = (
        "DELETE FROM sessions WHERE reaped IS NOT NULL AND coalesce(ended, beat, started) < ? "
        "AND id NOT IN (SELECT session FROM runs WHERE session IS NOT NULL)"
    )
    services = "DELETE FROM services WHERE session NOT IN (SELECT id FROM sessions)"
    tx.execute(services)
    told = (
        (answers, requests_before),
        (keys, before),
        (sessions, requests_before),
        ("DELETE FROM deliveries WHERE ended < ?", before),
    )
    return sum(tx.execute(sql, (moment,)).rowcount for sql, moment in told)


def known(connection: sqlite3.Connection, run_ids: Iterable[str]) -> Iterator[str]:
    """Those of the runs that are in the database."""
    for run_id in run_ids:
        sql = "SELECT 1 FROM runs WHERE id = ?"
        if connection.execute(sql, (bytes.fromhex(run_id),)).fetchone():
            yield run_id


def _newest(connection: sqlite3.Connection) -> bytes | None:
    """The tree of the newest event: their numbers never begin anew, as watchers count on."""
    sql = (
        "SELECT runs.root FROM states JOIN runs ON runs.id = states.run "
        "WHERE states.n = (SELECT max(n) FROM states)"
    )
    row = connection.execute(sql).fetchone()
    return row[0] if row else None


def _is_in_use(connection: sqlite3.Connection, root: bytes, before: int) -> bool:
    """The cache gave a result of the tree to another run, within the time that is kept."""
    sql = (
        "SELECT states.cache_key, states.n FROM runs JOIN states ON states.n = runs.state_n "
        "WHERE runs.root = ? AND states.cache_key IS NOT NULL AND states.name = 'Completed'"
    )
    newest = "SELECT max(n) FROM states WHERE cache_key = ? AND name = 'Completed'"
    used = "SELECT 1 FROM states WHERE cache_key = ? AND name = 'Cached' AND timestamp >= ? LIMIT 1"
    return any(
        connection.execute(newest, (key,)).fetchone()[0] == n
        and connection.execute(used, (key, before)).fetchone() is not None
        for key, n in connection.execute(sql, (root,)).fetchall()
    )


def _values_of(
    connection: sqlite3.Connection, chain: str, marks: str, ids: Sequence[bytes]
) -> Iterator[tuple[str, str | None]]:
    results = f"{chain}SELECT result FROM states WHERE n IN (SELECT n FROM chain) AND result LIKE ?"
    texts = [row[0] for row in connection.execute(results, (*ids, '%"key":"%'))]
    for table in ("inputs", "problems"):
        sql = f"SELECT reference FROM {table} WHERE reference IS NOT NULL AND run IN ({marks})"
        texts += [row[0] for row in connection.execute(sql, ids)]
    for text in texts:
        with suppress(ValueError, RecursionError):
            yield from _named_in(json.loads(text))


def _named_in(told: Any) -> Iterator[tuple[str, str | None]]:
    """The keys in a reference, however deep it is, with the address that stands beside each."""
    if isinstance(told, dict):
        key = told.get("key")
        if isinstance(key, str) and _HEX.fullmatch(key):
            yield key, told.get("url")
    for each in told.values() if isinstance(told, dict) else told:
        if isinstance(each, dict | list):
            yield from _named_in(each)


def _is_plain(body: str) -> bool:
    """A report as `Reports` remembers it: accepted, and no rule had a word to say."""
    told = json.loads(body)
    quiet = all(line[1:] == ["pass", None, {}] for line in told["rules"])
    return bool(quiet and told["status"] == "ACCEPT" and "reason" not in told)


def sources_in_use(connection: sqlite3.Connection) -> set[str]:
    """The SHA-256s of pinned copies that a deployment runs, or a kept run has executed."""
    specs = connection.execute("SELECT spec FROM deployments WHERE spec LIKE '%\"pinned\"%'")
    found = {each for (spec,) in specs for each in _HEX.findall(spec)}
    ran = connection.execute("SELECT DISTINCT sha256 FROM run_sources WHERE track = 'pinned'")
    return found | {row[0] for row in ran}


def unfinished(connection: sqlite3.Connection) -> list[str]:
    """The runs of deployments that have not ended."""
    sql = "SELECT id FROM runs WHERE end_time IS NULL AND deployment IS NOT NULL"
    return [row[0].hex() for row in connection.execute(sql)]


def give_back(tx: sqlite3.Connection, pages: int = GIVEN) -> bool:
    """So much of the file's free room is the disk's again; False if there is none left.

    Nothing happens in a file that was made before this could be done: a vacuum makes it one.
    """
    free = _free(tx)
    if free:
        tx.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return 0 < _free(tx) < free


def _free(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def tidy(path: Path, *, vacuum: bool = False) -> None:
    """The log is moved into the file; with `vacuum` the file has no room of deleted rows after it.

    For a vacuum others wait meanwhile.

    Raises:
        StoreUnavailable: the file can't be had, or the disk is full: it needs as much room again.
    """
    try:
        checkpoints = Checkpoints(path)
        try:
            with closing(connect(path, "full")) as connection:
                if vacuum:
                    checkpoints.enter_write()
                    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                    connection.execute("VACUUM")
                    checkpoints.leave_wait()
                checkpoints.shorten(connection)
        finally:
            checkpoints.close()
    except (OSError, sqlite3.Error) as error:
        raise trouble(path, error) from error
