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
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command

from orion_nb.api import heartbeat
from orion_nb.store import migrate
from tests.chaos.kinds import KINDS
from tests.chaos.recording import History
from tests.chaos.workload import open_orion

heartbeat.BEAT = 3600.0  # the steps are those of what is done, and nothing else's


class CountingCursor(sqlite3.Cursor):
    """A cursor whose statements are steps."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return _step(sql, lambda: super(CountingCursor, self).execute(sql, *values))


class Counting(sqlite3.Connection):
    """A connection whose statements are steps, while somebody counts them."""

    steps: list[str] | None = None
    fatal: tuple[int, str] | None = None

    def commit(self) -> None:
        _step("COMMIT", super().commit)

    def cursor(self, *_: Any) -> sqlite3.Cursor:
        return super().cursor(CountingCursor)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return _step(sql, lambda: super(Counting, self).execute(sql, *values))

    def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
        return _step(sql, lambda: super(Counting, self).executemany(sql, values))


def _step(sql: str, do: Callable[[], Any]) -> Any:
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
    _count_all()
    if kind == "open a new file":
        _count(told, step, side, "", lambda: open_orion(home, History(Path(history))))
        return
    orion = open_orion(home, History(Path(history)))
    chosen = KINDS[kind]
    orion.reap()  # of those who were killed before
    _ = orion.session
    run = chosen.prepare(orion)
    _count(told, step, side, run.id, lambda: chosen.act(orion, run))


def upgrade(home: str, told: str, step: int = 0, side: str = "") -> None:
    """The file of an older schema is brought to the newest; at the step the process dies."""
    _count_all()
    _count(told, step, side, "", lambda: migrate.upgrade(Path(home, "orion.db")))


def make_older(home: str) -> None:
    """The file has the schema of the first release, and what of its rows that can hold."""
    new, old = Path(home, "orion.db"), Path(home, "older.db")
    config = migrate._config(migrate.MIGRATIONS)
    with migrate.engine_of(old).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("PRAGMA user_version=1")
    with closing(sqlite3.connect(old)) as both:
        both.execute("ATTACH ? AS new", (str(new),))
        for (table,) in both.execute(
            "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name <> 'alembic_version'"
        ).fetchall():
            columns = [row[1] for row in both.execute(f"PRAGMA main.table_info({table})")]
            listed = ", ".join(f'"{column}"' for column in columns)
            both.execute(
                f"INSERT OR IGNORE INTO main.{table} ({listed}) SELECT {listed} FROM new.{table}"
            )
        both.commit()
    for ending in ("", "-wal", "-shm"):
        Path(f"{new}{ending}").unlink(missing_ok=True)
    old.rename(new)


def _count_all() -> None:
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **more: connect(*args, factory=Counting, **more)


def _count(told: str, step: int, side: str, run: str, do: Callable[[], object]) -> None:
    Path(told).write_text(json.dumps({"run": run}), encoding="utf-8")
    Counting.fatal = (step, side) if side else None
    Counting.steps = []
    do()
    steps, Counting.steps = Counting.steps, None
    Path(told).write_text(json.dumps({"run": run, "steps": steps}), encoding="utf-8")
