"""Logs over the API: lines are written in batches, and read by run, by tree, or wherever they are.

Lines are data: whoever shows them treats them as text, never as markup.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from orion_nb import clock
from orion_nb.api.checks import check_id, check_moment
from orion_nb.api.core import Core
from orion_nb.api.lists import Moment
from orion_nb.api.routes import route
from orion_nb.errors import InvalidInput, RunNotFound, TooLarge
from orion_nb.store import logs
from orion_nb.store.database import Connection
from orion_nb.store.logs import LOST, NOTES, OVER, Line, LogFilter

PAGE = 200
LONGEST_PAGE = 1000
#: So many lines are written at once, and so many characters has the name of a logger.
BATCH = 1000
LOGGER = 255
_FIELDS = frozenset({"run", "timestamp", "level", "logger", "message"})


class LogRoutes(Core):
    """What runs have logged and printed."""

    @route("POST", "/logs", action="write", status=201)
    def write_logs(
        self,
        lines: list[dict[str, Any]],
        *,
        over: dict[str, int] | None = None,
        lost: dict[str, int] | None = None,
    ) -> dict[str, Any]:
        """Lines are added to the logs of their runs, all or none of them, at most 1,000 at once.

        A line is {"run", "message", "level", "logger", "timestamp"}: the run's whole id, and a
        text that is cut at 32 KiB. The level is a number or a name of Python's logging (20, INFO),
        the timestamp is in microseconds; the logger and these two may be left out.

        Of one run the first 10,000 lines and 1 MiB of text are kept; then a last line counts those
        that were not. `over` and `lost` count, by run, lines that whoever writes has left out
        because the run was full or they could not be sent. The answer is
        {"stored": number, "over": {run: number}}, the latter of the runs that are full.
        """
        if len(lines) > BATCH:
            raise TooLarge(f"lines: at most {BATCH} at once, got {len(lines)}", field="lines")
        now = clock.now()
        made = [_line(told, now) for told in lines]
        counts = {OVER: _counts("over", over), LOST: _counts("lost", lost)}
        return self.database.write(lambda tx: _write(tx, made, counts, now))

    @route("GET", "/runs/{run_id}/logs", action="read")
    def read_logs(
        self,
        run_id: str,
        *,
        after: int = 0,
        level: str | None = None,
        limit: int = PAGE,
        tree: bool = False,
    ) -> dict[str, Any]:
        """What a run has logged, oldest first; with `tree` also what the runs in it have.

        `after` is the `n` of a line: those written later follow. `level` is the least to show.
        The answer is {"lines", "cursor"}; the cursor is the next page's `after`, or null.
        """
        return self.filter_logs(run=run_id, tree=tree, level=level, after=after, limit=limit)

    @route("POST", "/logs/filter", action="read")
    def filter_logs(
        self,
        *,
        run: str | None = None,
        tree: bool = False,
        level: int | str | None = None,
        logger: str | None = None,
        text: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        after: int = 0,
        before: int | None = None,
        newest: bool = False,
        limit: int = PAGE,
    ) -> dict[str, Any]:
        """The lines that match, in the order they were written in.

        They are the first after line number `after`, or with `newest` the last before line number
        `before`; the cursor is the next page's `after` or `before`, null on the last. A server
        looks for a fraction of a second: a page may have fewer lines, or none, and a cursor.
        """
        if not 1 <= limit <= LONGEST_PAGE:
            raise InvalidInput(f"limit: {limit} is not between 1 and {LONGEST_PAGE}", field="limit")
        check_moment("since", since)
        check_moment("until", until)
        with self.database.read() as connection:
            chosen = self._chosen(
                connection, run, tree,
                level=None if level is None else level_of(level), logger=logger, text=text,
                since=since, until=until, after=after, before=before,
            )  # fmt: skip
            found, rest = logs.some(connection, chosen, limit + 1, newest, self.patience)
        if len(found) <= limit:
            return {"lines": [line.as_json() for line in found], "cursor": rest}
        shown = found[1:] if newest else found[:limit]
        cursor = shown[0].n if newest else shown[-1].n
        return {"lines": [line.as_json() for line in shown], "cursor": cursor}

    def _chosen(
        self, connection: Connection, ref: str | None, tree: bool, **fields: Any
    ) -> LogFilter:
        if ref is None:
            return LogFilter(**fields)
        run = self.find(ref)
        if not tree:
            return LogFilter(run=run.id, **fields)
        within = None if run.id == run.root else logs.runs_in(connection, run.root, run.id)
        return LogFilter(root=run.root, within=within, **fields)


def level_of(told: int | str) -> int:
    """A level of `logging` as a number, from its number or its name.

    Raises:
        InvalidInput: it is none.
    """
    if isinstance(told, int) and not isinstance(told, bool) and 0 <= told < 2**31:
        return told
    if isinstance(told, str) and told.isdecimal() and len(told) < 9:
        return int(told)
    known = logging.getLevelNamesMapping()
    if isinstance(told, str) and told.upper() in known:
        return known[told.upper()]
    names = ", ".join(sorted(known, key=known.__getitem__)).lower()
    raise InvalidInput(f"level: {told!r:.100} is no level; there are {names}", field="level")


def _write(
    tx: Connection, lines: list[Line], counts: Mapping[str, Counter[str]], now: int
) -> dict[str, Any]:
    runs = dict.fromkeys([line.run for line in lines] + [run for c in counts.values() for run in c])
    if (stranger := logs.unknown(tx, runs)) is not None:
        raise RunNotFound(f"no run {stranger!r}; a line names the whole id of its run")
    more = logs.put(tx, lines)
    logs.note(tx, OVER, more + counts[OVER], now)
    logs.note(tx, LOST, counts[LOST], now)
    return {"stored": len(lines) - more.total(), "over": dict(more)}


def _line(told: Mapping[str, Any], now: int) -> Line:
    if unknown := told.keys() - _FIELDS:
        raise InvalidInput(f"lines: {sorted(unknown)[0]!r} is not known in a line", field="lines")
    message, logger, at = told.get("message"), told.get("logger"), told.get("timestamp", now)
    if not isinstance(message, str):
        raise InvalidInput(f"lines: the message is a text, got {message!r:.100}", field="lines")
    if not isinstance(logger, str | None) or logger in NOTES:
        raise InvalidInput(f"lines: {logger!r:.100} is no name of a logger", field="lines")
    if not isinstance(at, int) or isinstance(at, bool):
        says = f"lines: the timestamp is in whole microseconds, got {at!r:.100}"
        raise InvalidInput(says, field="lines")
    check_moment("lines", at)
    run = _run_id(told.get("run"))
    level = level_of(told.get("level", logging.INFO))
    name = None if logger is None else logs.fitting(logger)[:LOGGER]
    return Line(run, at, level, name, logs.fitting(message))


def _counts(field: str, told: Mapping[str, int] | None) -> Counter[str]:
    for run, count in (told or {}).items():
        _run_id(run)
        if not isinstance(count, int) or not 0 < count < 2**53:
            raise InvalidInput(f"{field}: {count!r:.100} is no number of lines", field=field)
    return Counter(told or {})


def _run_id(told: Any) -> str:
    if not isinstance(told, str):
        raise InvalidInput(f"lines: a line names its run, got {told!r:.100}", field="lines")
    check_id("lines", told)
    return told
