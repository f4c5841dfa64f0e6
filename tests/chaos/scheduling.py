"""A scheduler that dies at one SQL step of what it does, or between two of its duties."""

from __future__ import annotations

import os
import signal

from orion_nb.api import scheduling
from orion_nb.api.orion import Orion
from orion_nb.settings import Settings
from tests.chaos.dying import Counting, _count_all

#: Of the deployments that are due, so many are written in one transaction.
AT_ONCE = 2


def schedule(home: str, step: int = 0, side: str = "", point: str = "", claims: int = 3) -> None:
    """What is due gets its runs, and some of them are taken; on the way the process dies.

    `point` is "scheduled" or "claimed": after the one and before what comes next.
    """
    _count_all()
    scheduling.AT_ONCE = AT_ONCE
    orion = Orion(Settings.load(home=home))
    orion.reap()
    _ = orion.session
    Counting.fatal = (step, side) if side else None
    Counting.steps = []
    orion.schedule_due()
    if point == "scheduled":
        os.kill(os.getpid(), signal.SIGKILL)
    orion.claim(claims)
    if point == "claimed":
        os.kill(os.getpid(), signal.SIGKILL)
    Counting.steps = None
