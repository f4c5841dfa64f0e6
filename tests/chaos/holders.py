"""Processes whose tasks share a limit, and tell when their code runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from orion_nb.engine.flows import flow
from orion_nb.engine.tasks import task
from tests.chaos.checker import read_history
from tests.chaos.recording import History

#: The limit, and its slots.
LIMIT = {"db": 10}


def holders(
    home: str, history: str, processes: int, tasks: int, seconds: float, kills: int = 0
) -> None:
    """So many processes have so many tasks each, that hold a slot for so many seconds.

    The first `kills` of them are killed while they hold one, when as many tasks are done as each
    has.
    """
    os.environ["ORION_NB_HOME"] = home
    written = History(Path(history))
    children = [_forked(lambda: _hold(written, tasks, seconds)) for _ in range(processes)]
    while kills and Path(history).read_text(encoding="utf-8").count('"end"') < tasks:
        time.sleep(seconds / 10)
    for child in children[:kills]:
        while not _holds(history, child):
            time.sleep(seconds / 10)
        written.note("killed", child=child)
        os.kill(child, signal.SIGKILL)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert statuses == [-signal.SIGKILL] * kills + [0] * (processes - kills), statuses


def _holds(history: str, child: int) -> bool:
    """A task of this process is under way."""
    told = [line for line in read_history(Path(history)) if line.get("pid") == child]
    ended = {line["n"] for line in told if line["what"] == "end"}
    return any(line["what"] == "begin" and line["n"] not in ended for line in told)


def _hold(written: History, tasks: int, seconds: float) -> None:
    @task(concurrency=LIMIT)
    def hold(n: int) -> None:
        written.note("begin", n=n)
        time.sleep(seconds)
        written.note("end", n=n)

    @flow
    def many() -> None:
        hold.map(range(tasks))

    many()


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child
