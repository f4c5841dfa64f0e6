"""How an execution ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orion_nb.errors import OrionError, UnknownParameter
from orion_nb.schemas.states import State

#: How a line begins that a runner itself has logged.
LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Ending:
    """The state to propose, and the cell it ended in: its index, and its number as people count.

    `ename` names the error that this cell gets in the kept notebook, if it has none of its own.
    `retriable` is false when trying again can't help.
    """

    state: State
    index: int | None = None
    number: int | None = None
    ename: str | None = None
    retriable: bool = True


def refusal(error: OrionError) -> str:
    """Why a run was not begun, as its state tells it: with what is said elsewhere by the class."""
    return error.named if isinstance(error, UnknownParameter) else str(error)


def fate(code: int | None) -> str:
    """What the exit code of a process says: `killed by signal 9`, `exited with code 3`."""
    if code is None:
        return "stopped answering"
    return f"killed by signal {-code}" if code < 0 else f"exited with code {code}"


def last_words(log: Path) -> str:
    """`: ImportError: no module 'x'`: the last line that a process printed; often nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8_192))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip() and not LOGGED.match(line)]
    return f": {said[-1][:LONGEST]}" if said else ""
