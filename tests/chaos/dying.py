"""A process that dies at one SQL step of what it does.

While it is doing it, each statement that any connection is given counts as a step; before or after
the chosen one the process is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.kinds import KINDS
from tests.chaos.recording import History
from tests.chaos.workload import open_orion


class Counting(sqlite3.Connection):
    """A connection whose statements are steps, while somebody counts them."""

    steps: list[str] | None = None
    fatal: tuple[int, str] | None = None

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return _step(sql, lambda: super(Counting, self).execute(sql, *values))

    def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
        return _step(sql, lambda: super(Counting, self).executemany(sql, values))


def _step(sql: str, do: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
    if Counting.steps is None:
        return do()
    Counting.steps.append(sql)
    number = len(Counting.steps)
    if Counting.fatal == (number, "before"):
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        return do()
    finally:
        if Counting.fatal == (number, "after"):
            os.kill(os.getpid(), signal.SIGKILL)


def act(home: str, history: str, kind: str, told: str, step: int = 0, side: str = "") -> None:
    """The kind is done; at the step, if there is one, the process dies.

    `told` is a file for the id of the run, and then for the steps.
    """
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **more: connect(*args, factory=Counting, **more)
    if kind == "open a new file":
        _count(told, step, side, "", lambda: open_orion(home, History(Path(history))))
        return
    orion = open_orion(home, History(Path(history)))
    chosen = KINDS[kind]
    orion.reap()  # of those who were killed before
    _ = orion.session
    run = chosen.prepare(orion)
    _count(told, step, side, run.id, lambda: chosen.act(orion, run))


def _count(told: str, step: int, side: str, run: str, do: Callable[[], object]) -> None:
    Path(told).write_text(json.dumps({"run": run}), encoding="utf-8")
    Counting.fatal = (step, side) if side else None
    Counting.steps = []
    do()
    steps, Counting.steps = Counting.steps, None
    Path(told).write_text(json.dumps({"run": run, "steps": steps}), encoding="utf-8")
