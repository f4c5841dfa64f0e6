"""Each kind of transition, and a process that is killed at one SQL step of it.

A kind is prepared, and then done once. While it is done, each statement that any connection is
given counts as a step; before or after the chosen one the process is killed. A new kind of
transition is one line in `KINDS`.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.schemas.runs import Run, RunPolicy
from orion_nb.schemas.states import (
    Completed,
    Crashed,
    Failed,
    NotReady,
    Pending,
    Running,
    Scheduled,
    Skipped,
    TimedOut,
    state,
)
from tests.chaos.recording import History
from tests.chaos.workload import open_orion

Prepare = Callable[[Orion], Run]
Act = Callable[[Orion, Run], object]


@dataclass(frozen=True)
class Kind:
    """How a run is brought to where the transition begins, and how it is made.

    `commits` is how many transactions it takes. `alone`: each time in a new file, since what it
    does depends on what others have left.
    """

    prepare: Prepare
    act: Act
    commits: int = 1
    alone: bool = False


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


def _new(orion: Orion, **more: Any) -> Run:
    return orion.new_run("task", "one", **more)


def _running(orion: Orion, retries: int = 0) -> Run:
    return orion.begin(_new(orion, policy=RunPolicy(retries)), Running())[0]


def _awaiting_retry(orion: Orion) -> Run:
    return orion.advance(_running(orion, retries=1), Failed("oh"))[0]


def _cancelling(orion: Orion) -> Run:
    run = _running(orion)
    orion.cancel(run.id)
    return orion.find(run.id)


def _waiting(orion: Orion) -> Run:
    above = _running(orion)
    return orion.begin(_new(orion), NotReady(message="above"), [(above.id, "x")])[0]


def _completed(orion: Orion) -> Run:
    return orion.advance(_running(orion), Completed())[0]


def _in_a_tree(orion: Orion) -> Run:
    return _new(orion, parent=_running(orion).id)


def _moved(orion: Orion) -> Run:
    """As its owner knows it: somebody else has asked it to stop meanwhile."""
    run = _running(orion)
    orion.cancel(run.id)
    return run


def _begin_waiting(orion: Orion, run: Run) -> None:
    orion.begin(run, NotReady(message="above"), [(str(run.parent), "x")])


def _begin_twice(orion: Orion, run: Run) -> None:
    with suppress(Exception):
        orion.begin(replace(run, state=Pending()), TimedOut())


def _left(orion: Orion) -> Run:
    """A run whose process is gone: that of another session, which has ended."""
    other = Orion(orion.settings)
    run = _running(other)
    other.close()
    return run


def _together(orion: Orion, run: Run) -> None:
    """Four proposals that wait for the same lock are committed in one transaction."""
    others = [_running(orion) for _ in range(2)]
    lives = [
        threading.Thread(target=orion.advance, args=(run, Completed())),
        threading.Thread(target=_begin_twice, args=(orion, others[0])),
        threading.Thread(target=orion.advance, args=(others[1], Failed("oh"))),
        threading.Thread(target=orion.begin, args=(_new(orion), Running())),
    ]
    with orion.database._owner:
        for life in lives:
            life.start()
        while len(orion.database._queue) < len(lives):
            time.sleep(0.001)
        Counting.steps = []
    for life in lives:
        life.join()


KINDS: dict[str, Kind] = {
    "open a new file": Kind(_new, lambda orion, run: None, alone=True),
    "begin Pending": Kind(_new, lambda orion, run: orion.begin(run)),
    "begin Running": Kind(_new, lambda orion, run: orion.begin(run, Running())),
    "begin Running in a tree": Kind(_in_a_tree, lambda orion, run: orion.begin(run, Running())),
    "begin Scheduled": Kind(
        lambda orion: _new(orion, scheduled_time=clock.now()),
        lambda orion, run: orion.begin(run),
    ),
    "begin NotReady": Kind(_in_a_tree, _begin_waiting),
    "begin twice": Kind(_running, _begin_twice, commits=0),
    "Running, refused until its upstream has finished": Kind(
        _waiting, lambda orion, run: orion.advance(run, Running())
    ),
    "Running after a wait": Kind(
        lambda orion: orion.begin(_new(orion), NotReady())[0],
        lambda orion, run: orion.advance(run, Running()),
    ),
    "Completed": Kind(_running, lambda orion, run: orion.advance(run, Completed())),
    "Failed": Kind(_running, lambda orion, run: orion.advance(run, Failed("oh"))),
    "TimedOut": Kind(_running, lambda orion, run: orion.advance(run, TimedOut("oh"))),
    "Skipped": Kind(
        lambda orion: orion.begin(_new(orion))[0],
        lambda orion, run: orion.judge(run.id, Skipped()),
    ),
    "Failed, to be retried": Kind(
        lambda orion: _running(orion, retries=1),
        lambda orion, run: orion.advance(run, Failed("oh")),
    ),
    "Retrying": Kind(_awaiting_retry, lambda orion, run: orion.advance(run, Running())),
    "Scheduled again": Kind(
        _awaiting_retry,
        lambda orion, run: orion.judge(run.id, Scheduled(clock.now()), expected_seq=run.state.seq),
    ),
    "Cancelling": Kind(_running, lambda orion, run: orion.cancel(run.id)),
    "Cancelled at once": Kind(_waiting, lambda orion, run: orion.cancel(run.id)),
    "Cancelled": Kind(
        _cancelling, lambda orion, run: orion.advance(run, Completed(), retriable=False)
    ),
    "Completed, and somebody has moved it": Kind(
        _moved, lambda orion, run: orion.advance(run, Completed())
    ),
    "refused, since it has finished": Kind(
        _completed, lambda orion, run: orion.advance(run, Failed("late"))
    ),
    "a proposal with an id": Kind(
        lambda orion: orion.begin(_new(orion))[0],
        lambda orion, run: orion.judge(run.id, state("RUNNING"), transition_id="once"),
    ),
    "set by hand": Kind(
        _completed,
        lambda orion, run: orion.force(run.id, Pending(), by="me", why="to see"),
    ),
    "Crashed, as its process is gone": Kind(_left, lambda orion, run: orion.reap(), 2, alone=True),
    "Crashed, as somebody says": Kind(
        lambda orion: orion.judge(orion.begin(_new(orion))[0].id, state("RUNNING"))[0],
        lambda orion, run: orion.judge(run.id, Crashed("gone")),
    ),
    "four in one transaction": Kind(_running, _together),
}
