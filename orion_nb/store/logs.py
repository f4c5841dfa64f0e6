"""The lines that runs have logged: kept up to a bound, then counted; and found again."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from orion_nb.schemas.values import as_dict, frozen
from orion_nb.store.statements import INSERT_LOG

#: What is kept of one run: so many lines, and so many bytes of text. One line is cut at `LINE`.
LINES = 10_000
TEXT = 1024 * 1024
LINE = 32 * 1024
#: Who has only so long looks through so many lines first; then through more, if that was quick.
STRETCH = 2_000
_CUT = 64  # bytes for the note that a line was cut

#: Who wrote the line that says how many were not kept: beyond the bound, or never written.
OVER, LOST = "orion_nb.over", "orion_nb.lost"
NOTES = frozenset({OVER, LOST})
_WARNING = 30
_SAYS = {
    OVER: f"lines more were logged: of one run, the first {LINES} and 1 MiB are kept",
    LOST: "lines are missing: they came too fast, or the database could not be written",
}


@frozen
class Line:
    """One logged line; `timestamp` in microseconds since the epoch, UTC, `level` as in `logging`.

    `n` numbers all lines of the database, `name` is what the run is called: both are told by
    `page`. A line may have several lines of text.
    """

    run: str
    timestamp: int
    level: int
    logger: str | None
    message: str
    n: int = 0
    name: str = ""

    def as_json(self) -> dict[str, Any]:
        return as_dict(self)


@frozen
class LogFilter:
    """Which lines to find: of one run, of all runs in it with `tree`, or of all there are.

    `within` are the runs of a tree when it is a part of another one. `after` and `before` are
    numbers of lines.
    """

    run: str | None = None
    root: str | None = None
    within: frozenset[str] | None = None
    level: int | None = None
    logger: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None
    after: int = 0
    before: int | None = None


def put(tx: sqlite3.Connection, lines: Sequence[Line]) -> Counter[str]:
    """The lines are kept, in this order, as long as their runs have room.

    Returns how many of each run were not kept.
    """
    rooms = {run: _Room(tx, run) for run in {line.run for line in lines}}
    over: Counter[str] = Counter()
    rows = []
    for line in lines:
        if rooms[line.run].takes(line.message):
            key = bytes.fromhex(line.run)
            rows.append((key, line.timestamp, line.level, line.logger, line.message))
        else:
            over[line.run] += 1
    tx.executemany(INSERT_LOG, rows)
    return over


def note(tx: sqlite3.Connection, logger: str, missing: Mapping[str, int], now: int) -> None:
    """The last line of these runs says how many of their lines are not there, and why."""
    for run, count in missing.items():
        key = bytes.fromhex(run)
        found = tx.execute(
            "SELECT n, message FROM logs WHERE run=? AND logger=?", (key, logger)
        ).fetchone()
        total = count + (int(found[1].partition(" ")[0]) if found else 0)
        tx.execute(INSERT_LOG, (key, now, _WARNING, logger, f"{total} {_SAYS[logger]}"))
        if found:  # only now: its number must not be given to the new one
            tx.execute("DELETE FROM logs WHERE n=?", (found[0],))


def unknown(connection: sqlite3.Connection, runs: Iterable[str]) -> str | None:
    """The first of these runs that does not exist."""
    for run in runs:
        key = bytes.fromhex(run)
        if connection.execute("SELECT 1 FROM runs WHERE id=?", (key,)).fetchone() is None:
            return run
    return None


def page(
    connection: sqlite3.Connection, chosen: LogFilter, limit: int, newest: bool = False
) -> list[Line]:
    """The lines that match, in the order they were written in; the first of them, or the last."""
    condition, values = _where(chosen)
    # A tree is looked through run by run, all else line by line: both have an index to follow.
    tables = "runs CROSS JOIN logs" if chosen.root else "logs CROSS JOIN runs"
    sql = (
        "SELECT logs.run, logs.timestamp, logs.level, logs.logger, logs.message, logs.n, "
        f"coalesce(runs.run_name, runs.name) FROM {tables} ON runs.id = logs.run "
        f"WHERE {condition} ORDER BY logs.n {'DESC' if newest else ''}"
    )
    found = (Line(row[0].hex(), *row[1:]) for row in connection.execute(sql, values))
    lines = list(islice(_inside(found, chosen.within), limit))
    return lines[::-1] if newest else lines


def some(
    connection: sqlite3.Connection,
    chosen: LogFilter,
    limit: int,
    newest: bool = False,
    patience: float | None = None,
) -> tuple[list[Line], int | None]:
    """`page`, as far as it is found within so many seconds.

    Also the number of the line to look on from, if not all were looked at: the next `after`, or
    with `newest` the next `before`.
    """
    if patience is None or chosen.run is not None or chosen.root is not None:
        return page(connection, chosen, limit, newest), None
    (last,) = connection.execute("SELECT coalesce(max(n), 0) FROM logs").fetchone()
    after, before = chosen.after, min(last + 1, chosen.before or last + 1)
    found: list[Line] = []
    width, deadline = STRETCH, time.monotonic() + patience
    while after + 1 < before:
        began = time.monotonic()
        low = max(after, before - 1 - width) if newest else after
        high = before if newest else min(before, after + 1 + width)
        part = replace(chosen, after=low, before=high)
        lines = page(connection, part, limit - len(found), newest)
        found = [*lines, *found] if newest else [*found, *lines]
        if len(found) >= limit:
            return found, None
        after, before = (after, low + 1) if newest else (high - 1, before)
        now = time.monotonic()
        if now > deadline and after + 1 < before:
            return found, before if newest else after
        if now - began < patience / 8:
            width *= 4
    return found, None


def runs_in(connection: sqlite3.Connection, root: str, top: str) -> frozenset[str]:
    """A run of a tree, and all that run in it."""
    sql = "SELECT id, parent FROM runs WHERE root=? ORDER BY id"
    found = {bytes.fromhex(top)}
    # Ids sort by time, and nothing begins before what it runs in.
    for run, parent in connection.execute(sql, (bytes.fromhex(root),)):
        if parent in found:
            found.add(run)
    return frozenset(run.hex() for run in found)


def fitting(text: str) -> str:
    """The text as it is kept: in UTF-8, and cut with a note if it is longer than 32 KiB."""
    if text.isascii() and len(text) <= LINE:
        return text
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= LINE:
        return data.decode()
    kept = data[: LINE - _CUT].decode("utf-8", "ignore")
    return f"{kept}… (cut; it has {len(text)} characters)"


class _Room:
    """How much more of one run can be kept. Once it is full it stays full, so there are no gaps."""

    def __init__(self, tx: sqlite3.Connection, run: str) -> None:
        sql = (
            "SELECT count(*), total(length(CAST(message AS BLOB))), max(logger IS ?) "
            "FROM logs WHERE run=?"
        )
        count, size, is_full = tx.execute(sql, (OVER, bytes.fromhex(run))).fetchone()
        self._lines = 0 if is_full else LINES - count
        self._bytes = TEXT - int(size)

    def takes(self, message: str) -> bool:
        size = len(message) if message.isascii() else len(message.encode())
        if self._lines < 1 or size > self._bytes:
            self._lines = 0
            return False
        self._lines -= 1
        self._bytes -= size
        return True


def _where(chosen: LogFilter) -> tuple[str, list[Any]]:
    tests: list[tuple[str, Any]] = [("logs.n > ?", chosen.after)]
    if chosen.root is not None:
        tests.append(("runs.root = ?", bytes.fromhex(chosen.root)))
    if chosen.run is not None:
        tests.append(("logs.run = ?", bytes.fromhex(chosen.run)))
    told = (
        ("logs.n < ?", chosen.before),
        ("logs.level >= ?", chosen.level),
        ("logs.logger = ?", chosen.logger),
        ("instr(lower(logs.message), lower(?))", chosen.text),
        ("logs.timestamp >= ?", chosen.since),
        ("logs.timestamp < ?", chosen.until),
    )
    tests += [(test, value) for test, value in told if value is not None]
    return " AND ".join(test for test, _ in tests), [value for _, value in tests]


def _inside(lines: Iterator[Line], within: frozenset[str] | None) -> Iterator[Line]:
    return lines if within is None else (line for line in lines if line.run in within)
