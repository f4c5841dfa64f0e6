"""How an execution ended."""

from __future__ import annotations

from dataclasses import dataclass

from orion_nb.schemas.states import State


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


def fate(code: int | None) -> str:
    """What the exit code of a process says: `killed by signal 9`, `exited with code 3`."""
    if code is None:
        return "stopped answering"
    return f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
