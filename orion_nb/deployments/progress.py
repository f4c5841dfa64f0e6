"""How far a notebook's execution has come, cell by cell; kept in a small file of its own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api.cells import CELLS
from orion_nb.deployments.files import write_whole
from orion_nb.deployments.verdicts import is_code
from orion_nb.schemas.states import COMPLETED, State

Json = dict[str, Any]


@dataclass(slots=True)
class CellProgress:
    """One cell of code. Times are microseconds since the epoch, UTC.

    `number` counts executed cells as people do, from 1; `index` counts all cells from 0.
    """

    index: int
    id: str
    source: str
    state: str = "Pending"
    number: int | None = None
    start: int | None = None
    end: int | None = None
    output_bytes: int = 0


@dataclass(slots=True)
class Progress:
    """The cells of code of one attempt, in order, and what is known of the attempt itself."""

    run: str
    attempt: int
    cells: list[CellProgress]
    about: Json = field(default_factory=dict)

    @classmethod
    def of(cls, nb: Json, run: str, attempt: int) -> Progress:
        found = [
            CellProgress(index, cell.get("id", ""), _first_line(cell["source"]))
            for index, cell in enumerate(nb["cells"])
            if is_code(cell)
        ]
        return cls(run, attempt, found)

    def at(self, index: int) -> CellProgress:
        """The cell with this index among all cells."""
        return next(cell for cell in self.cells if cell.index == index)

    def begin(self, index: int, number: int) -> int:
        """The cell is executed from now on; answers when that is."""
        cell = self.at(index)
        cell.state, cell.number, cell.start = "Running", number, clock.now()
        return cell.start

    def end(self, index: int, state: str) -> int:
        cell = self.at(index)
        cell.state, cell.end = state, clock.now()
        return cell.end

    def finish(self, index: int | None, state: State, at: int) -> None:
        """The run is over: what is at work ended with it, what has not begun never will."""
        for cell in self.cells:
            if cell.state == "Running" or (cell.index == index and state.type is not COMPLETED):
                cell.state, cell.end = state.name, cell.end or at
            elif cell.state == "Pending":
                cell.state = "Skipped"

    def write(self, folder: Path) -> None:
        """The file is as this is now.

        Raises:
            OSError: it can't be written.
        """
        text = json.dumps(asdict(self), separators=(",", ":"))
        write_whole(folder / CELLS, text, durable=False)

    @classmethod
    def read(cls, folder: Path) -> Progress | None:
        """What the file in this folder says; None if there is none that can be read."""
        try:
            told = json.loads((folder / CELLS).read_text(encoding="utf-8"))
            cells = [CellProgress(**each) for each in told.pop("cells")]
            return cls(**told, cells=cells)
        except (OSError, ValueError, TypeError, KeyError):
            return None


def _first_line(source: str) -> str:
    return next((line.strip()[:100] for line in source.splitlines() if line.strip()), "")
