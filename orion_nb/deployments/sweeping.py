"""Processes are found by what their environment says, and killed: nothing outlives its run.

A kernel's ordinary children are in its process group; one that made a session of its own is not,
but it carries the attempt's mark in its environment.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orion_nb.deployments.standby import ATTEMPT_VARIABLE, MARK_LENGTH

__all__ = ["ATTEMPT_VARIABLE", "marked", "new_mark", "sweep"]

#: A process may fork while it is looked at: look again until nothing is found, so often at most.
ROUNDS = 100
PAUSE = 0.005


def new_mark(run_id: str, attempt: int) -> str:
    """What everything that an attempt's kernel starts inherits: `RUN.ATTEMPT.RANDOM`."""
    begin = f"{run_id}.{attempt}."
    return begin + os.urandom(MARK_LENGTH).hex()[: MARK_LENGTH - len(begin)]


def sweep(mark: str) -> int:
    """Every process whose mark begins with `mark` is killed; answers how many there were.

    Linux only; elsewhere nothing is found.
    """
    killed: set[int] = set()
    for _ in range(ROUNDS):
        found = set(marked(ATTEMPT_VARIABLE, mark))
        if not found:
            break
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= found
        time.sleep(PAUSE)
    return len(killed)


def marked(variable: str, mark: str) -> Iterator[int]:
    """The other processes in whose environment this variable begins with the mark; Linux only."""
    own, text = os.getpid(), f"{variable}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        # The environment of a dead process that nobody has waited for yet is empty.
        with suppress(OSError):
            told = (entry / "environ").read_bytes()
            if int(entry.name) != own and (told.startswith(text) or b"\0" + text in told):
                yield int(entry.name)
