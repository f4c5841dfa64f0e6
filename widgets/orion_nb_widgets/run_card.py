"""The card that follows one flow run live in a notebook: its traits, and what it sends."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from orion_nb_widgets.frames import Codebook, encode_cells, encode_frame

STATIC = Path(__file__).parent / "static"

#: [index, name, type, state name, attempt, started ms | None, ended ms | None, message]
Row = Sequence[Any]

ROWS_AS_JSON = 64
ROWS_IN_SNAPSHOT = 2_000
WORDS_IN_FRAME = 32
LONGEST_TEXT = 400
SNAPSHOT_EVERY = 1.0
EARLY_SNAPSHOT_EVERY = 0.25
EARLY = 2.0

#: The front end of a card that is closed.
NOTHING = "export default {}"

if not (STATIC / "orion-card.js").exists():
    raise ImportError(
        "the run card's front end is not built; run `npm ci && node build.mjs` in widgets/, "
        "or install the package again with node on the PATH"
    )


class RunCard(anywidget.AnyWidget):
    """A live view of one flow run and its tasks; driven from one thread, with plain rows.

    Args:
        run: `{id, short, name, state: {type, name, message}, started, ended, now}`; times are
            milliseconds since the epoch, `started` and `ended` may be None.
        url: the run's page on the dashboard, or "".
        looks: `{state name or type: {glyph, light, dark}}`; the card has its own for what is
            missing here.

    `push` tells it what changed; `settle` is the last word. Messages reach only views that exist,
    so a `snapshot` of everything is kept beside them, renewed about once a second.
    """

    _esm = STATIC / "orion-card.js"
    _css = STATIC / "orion-card.css"

    run = traitlets.Dict().tag(sync=True)
    url = traitlets.Unicode("").tag(sync=True)
    snapshot = traitlets.Unicode("").tag(sync=True)
    looks = traitlets.Dict().tag(sync=True)

    #: Called when a view missed something, on whichever thread heard of it; the next `push` or
    #: `catch_up` renews the snapshot in any case.
    on_resync: Callable[[], None] | None = None

    def __init__(self, run: Mapping[str, Any], url: str = "", **traits: Any) -> None:
        super().__init__(run=_clean_run(run), url=url, **traits)
        self._rows: dict[int, list[Any]] = {}
        self._counts: Counter[str] = Counter()
        self._seq = 0
        self._now = dict(run)
        self._made = time.monotonic()
        self._last_snapshot = float("-inf")
        self._behind = True
        self._wanted = False
        self.on_msg(self._heard)

    def push(self, seq: int, rows: Iterable[Row], run: Mapping[str, Any] | None = None) -> None:
        """Shows rows that changed; few travel as JSON, many as a binary frame, in one message.

        `seq` grows by one with every call; a view that sees a gap asks to be brought up to date.
        """
        changed = {row[0]: _clean_row(row) for row in rows}
        fresh = [row for index, row in changed.items() if index not in self._rows]
        self._remember(seq, changed, run)
        shown = {"run": self._now} if run is not None else {}
        if len(changed) <= ROWS_AS_JSON:
            delta = {"kind": "delta", "seq": seq, "tasks": list(changed.values())}
            self.send({**delta, **shown})
        else:
            self._send_frame(seq, changed, fresh, shown)
        self.catch_up()

    def catch_up(self) -> None:
        """Renews the snapshot if something is missing from it and its time has come.

        Worth a call now and then while nothing changes, from the thread that pushes.
        """
        now = time.monotonic()
        early = now - self._made < EARLY
        every = EARLY_SNAPSHOT_EVERY if early else SNAPSHOT_EVERY
        if self._wanted or (self._behind and now - self._last_snapshot >= every):
            self._snap()

    def settle(self, run: Mapping[str, Any], rows: Iterable[Row] = ()) -> None:
        """Shows the run's last state; `rows` are those that changed since the last `push`."""
        self._remember(self._seq + 1, {row[0]: _clean_row(row) for row in rows}, run)
        self.run = self._now
        self._snap()

    def close(self) -> None:
        """The card is gone, with the layout that every widget brings along.

        Tools that execute notebooks keep the last state of closed widgets in the file, too: so
        its code, which is most of it, is taken back first.
        """
        layout = self.layout
        with self.hold_sync():
            self.set_trait("_esm", NOTHING)
            self.set_trait("_css", "")
            self.snapshot, self.looks = "", {}
        super().close()
        layout.close()

    def _remember(
        self, seq: int, changed: dict[int, list[Any]], run: Mapping[str, Any] | None
    ) -> None:
        for index, row in changed.items():
            before = self._rows.pop(index, None)
            if before is not None:
                self._counts[before[3]] -= 1
            self._counts[row[3]] += 1
            self._rows[index] = row
        if run is not None:
            self._now = _clean_run(run)
        self._seq = seq
        self._behind = True

    def _send_frame(
        self,
        seq: int,
        changed: dict[int, list[Any]],
        fresh: list[list[Any]],
        shown: dict[str, Any],
    ) -> None:
        book = Codebook()
        codes = [book.code((row[2], row[3])) for row in changed.values()]
        frame = encode_frame(seq, float(self._now.get("now") or 0), list(changed), codes)
        bad = [row for row in changed.values() if row[2] in ("FAILED", "CRASHED")]
        note = {
            "kind": "frame",
            "seq": seq,
            "n": len(changed),
            "states": book.states,
            "new": [[row[0], row[1]] for row in fresh],
            "rows": bad[-WORDS_IN_FRAME:],
        }
        self.send({**note, **shown}, buffers=[frame])

    def _snap(self) -> None:
        self._behind = self._wanted = False
        self._last_snapshot = time.monotonic()
        self.snapshot = json.dumps(self._summary(), separators=(",", ":"))

    def _summary(self) -> dict[str, Any]:
        rows = list(self._rows.values())[-ROWS_IN_SNAPSHOT:]
        summary: dict[str, Any] = {
            "seq": self._seq,
            "run": self._now,
            "tasks": rows,
            "total": len(self._rows),
            "counts": {name: n for name, n in self._counts.items() if n},
        }
        if len(rows) < len(self._rows):
            book = Codebook()
            cells = bytearray(b"\xff" * (max(self._rows) + 1))
            for index, row in self._rows.items():
                cells[index] = book.code((row[2], row[3]))
            summary |= {"states": book.states, "cells": encode_cells(cells)}
        return summary

    def _heard(self, _card: RunCard, content: dict[str, Any], _buffers: list[bytes]) -> None:
        if content.get("kind") != "resync":
            return
        self._wanted = True
        if self.on_resync is not None:
            self.on_resync()


def _clean_run(run: Mapping[str, Any]) -> dict[str, Any]:
    state = {key: _text(value) for key, value in run["state"].items()}
    return {**run, "name": _text(run["name"]), "state": state}


def _clean_row(row: Row) -> list[Any]:
    index, name, kind, state, attempt, started, ended, message = row
    return [index, _text(name), kind, state, attempt, started, ended, _text(message)]


def _text(value: str | None) -> str:
    """The text, cut to a length fit for one line, without what JSON encoders choke on."""
    text = (value or "")[:LONGEST_TEXT]
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
