"""Cells over the API: how far the execution of a notebook has come, and how long it may take."""

from __future__ import annotations

import json
from typing import Any

from orion_nb import clock
from orion_nb.api.routes import route
from orion_nb.api.runs import RunRoutes
from orion_nb.errors import NotFound
from orion_nb.schemas.runs import Run
from orion_nb.store.listing import RunFilter

#: The file in a run's folder that says what its cells are doing.
CELLS = "cells.json"
#: How many earlier runs are asked how long they took, and among how many they are looked for.
EARLIER = 5
AMONG = 50
MANY = 10_000

Json = dict[str, Any]


class CellRoutes(RunRoutes):
    """What the cells of executed notebooks do."""

    @route("GET", "/runs/{run_id}/cells", action="read")
    def read_cells(self, run_id: str) -> dict[str, Any]:
        """How far a notebook's execution has come: each cell's state, times and size of outputs.

        `done` of `total` cells of code have been executed; `current` is the number of the one at
        work. `left` are the seconds that the rest may take, by the median of earlier runs that
        completed; null where there are none. `attempts` of a cell counts those of its tasks.
        `environment` says what executed it, `peak_memory` is in bytes. `failure` is the cell
        that it failed in: {"index", "source", "error"}.
        """
        run = self.find(run_id)
        told = self._cells_of(run.id)
        if told is None:
            raise NotFound(f"run {run_id} has no cells: it is no notebook's, or did not begin yet")
        cells = told["cells"]
        tries = self._tries(run, cells)
        for cell in cells:
            cell["attempts"] = tries.get(cell["index"], 1 if cell["start"] else 0)
            cell["seconds"] = _seconds(cell)
        current = [cell["number"] for cell in cells if cell["state"] == "Running"]
        return {
            "run": run.id,
            "attempt": told["attempt"],
            "done": sum(bool(cell["start"] and cell["end"]) for cell in cells),
            "total": len(cells),
            "current": current[-1] if current else None,
            "left": None if run.state.is_terminal else self._left(run, cells),
            "cells": cells,
            "environment": None,
            "peak_memory": None,
            "failure": None,
            **told.get("about", {}),
        }

    def _cells_of(self, run_id: str) -> Json | None:
        path = self.settings.notebooks / run_id / CELLS
        try:
            told: Json = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return told

    def _tries(self, run: Run, cells: list[Json]) -> dict[int, int]:
        """How often the tasks in each cell were tried, the most stubborn one of each."""
        found: dict[int, int] = {}
        spans = [cell for cell in cells if cell["start"]]
        for task in self.list_runs(RunFilter(kind="task", parent=run.id), MANY):
            for cell in spans:
                if cell["start"] <= task.created <= (cell["end"] or clock.now()):
                    found[cell["index"]] = max(found.get(cell["index"], 1), task.run_count)
        return found

    def _left(self, run: Run, cells: list[Json]) -> float | None:
        known = self._earlier(run)
        if not known:
            return None
        left = 0.0
        for cell in cells:
            took = known.get(cell["id"], 0.0)
            if cell["state"] == "Running":
                left += max(0.0, took - (clock.now() - cell["start"]) / clock.SECOND)
            elif cell["state"] == "Pending":
                left += took
        return round(left, 3)

    def _earlier(self, run: Run) -> dict[str, float]:
        """How long each cell took, by its id: the median of the last runs that completed."""
        from statistics import median

        alike = RunFilter(kind="flow", states=("COMPLETED",), name=run.name)
        times: dict[str, list[float]] = {}
        found = [each for each in self.list_runs(alike, AMONG) if each.key == run.key]
        for each in found[:EARLIER]:
            for cell in (self._cells_of(each.id) or {"cells": []})["cells"]:
                if (took := _seconds(cell)) is not None:
                    times.setdefault(cell["id"], []).append(took)
        return {cell: median(took) for cell, took in times.items()}


def _seconds(cell: Json) -> float | None:
    """How long it took; while it is at work, how long it has taken."""
    if not cell["start"]:
        return None
    end = cell["end"] or (clock.now() if cell["state"] == "Running" else None)
    return None if end is None else max(0, end - cell["start"]) / float(clock.SECOND)
