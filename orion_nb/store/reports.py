"""Reports as rows: kept once per distinct text, under the hash of that text."""

from __future__ import annotations

import json
import sqlite3
from hashlib import blake2b
from typing import Any

from orion_nb.rules import BUILT_IN, SAYS
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.states import State
from orion_nb.store.statements import INSERT_REPORT


class Reports:
    """Stores reports; remembers those already stored so that most cost no statement."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], int] = {}
        self._usual: dict[tuple[Any, ...], tuple[tuple[Line, ...], int]] = {}

    def forget(self) -> None:
        """A transaction was rolled back: nothing is taken to be stored any more."""
        self._known.clear()
        self._usual.clear()

    def keep(self, tx: sqlite3.Connection, report: Report) -> int:
        """The report is stored when the transaction commits; its digest is answered."""
        usual = self._usual.get((report.proposed, report.state.type))
        if usual is not None and usual[0] is report.rules and _is_plain(report):
            return usual[1]  # the very same lines: no rule has said anything
        key = _plain_key(report)
        if key is not None and (digest := self._known.get(key)) is not None:
            return digest
        body = dump(report)
        digest = int.from_bytes(blake2b(body.encode(), digest_size=8).digest(), "big", signed=True)
        tx.execute(INSERT_REPORT, (digest, body))
        if key is not None and len(self._known) < 10_000:
            self._known[key] = digest
            self._usual[report.proposed, report.state.type] = report.rules, digest
        return digest


def _plain_key(report: Report) -> tuple[Any, ...] | None:
    """What tells one report from another when every rule passed without a word."""
    if not _is_plain(report):
        return None
    if any(line.verdict != "pass" or line.reason or line.facts for line in report.rules):
        return None
    return (report.proposed, report.state.type, *(line.rule for line in report.rules))


def _is_plain(report: Report) -> bool:
    return report.status is Status.ACCEPT and not report.reason


def dump(report: Report) -> str:
    """A report as compact JSON; the state it led to is stored beside it, not in it."""
    rules = [_row(line) for line in report.rules]
    body: dict[str, Any] = {"status": report.status, "proposed": report.proposed, "rules": rules}
    if report.reason:
        body["reason"] = report.reason
    if report.until:
        body |= {"until": report.until, "retry_after": report.retry_after}
    text = json.dumps(body, separators=(",", ":"), default=str, ensure_ascii=False)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _row(line: Line) -> list[Any]:
    row = [line.rule, line.verdict, line.reason, dict(line.facts)]
    # Whoever reads this may not know a rule of the user's own.
    return row if line.rule in BUILT_IN else [*row, line.says]


def load(body: str, state: State) -> Report:
    """The report of a stored body; each line says again what its rule's docstring says today.

    A rule that is not known here says what it said when it was asked.
    """
    told = json.loads(body)
    lines = tuple(
        Line(name, SAYS.get(name) or (said[0] if said else name), verdict, reason, facts)
        for name, verdict, reason, facts, *said in told["rules"]
    )
    return Report(
        status=Status(told["status"]),
        state=state,
        reason=told.get("reason"),
        retry_after=told.get("retry_after"),
        until=told.get("until"),
        rules=lines,
        proposed=told.get("proposed"),
    )
