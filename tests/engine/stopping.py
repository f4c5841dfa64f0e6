"""Runs are cancelled while they are running."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from orion_nb import connect
from orion_nb.schemas.states import CANCELLED

LONG = 30  # seconds; no test waits for it
SOON = 10.0  # seconds; the machine may be busy. It takes about 0.1 s


class Cancels:
    """Cancels a run as soon as it is Running, and notes when."""

    def __init__(self, until: Any) -> None:
        self.until, self.at, self.threads = until, 0.0, []  # type: ignore[var-annotated]

    def __call__(self, name: str, ready: Callable[[], object] = lambda: True) -> None:
        def cancel() -> None:
            running = {"name": name, "states": ["RUNNING"]}
            self.until(lambda: connect().filter_runs(**running)["runs"] and ready())
            self.at = time.monotonic()
            connect().cancel(connect().filter_runs(**running)["runs"][0]["id"], why="enough")

        self.threads.append(threading.Thread(target=cancel))
        self.threads[-1].start()

    @property
    def took(self) -> float:
        return time.monotonic() - self.at


def ended(told: Any, *names: str) -> None:
    for name in names:
        assert {run.state.type for run in told.runs(name)} == {CANCELLED}, name
