"""A notebook in which a failure is replayed, for whoever opens it beside the code that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orion_nb.api.cells import CellRoutes
from orion_nb.api.replays import ReplayRoutes
from orion_nb.api.routes import route
from orion_nb.errors import NotFound
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import CRASHED, FAILED

BEHIND = """\
`%replay` puts the code into a cell of its own: change it, and run it. Then

- `%replay debug` opens the debugger on what it raised, `%replay diff` says what differs;
- {on};
- `%replay drop` forgets it.
"""
RESUMED = "`%replay commit --resume` completes the run with what it made, and its flow goes on"
COMMITTED = "`%replay commit` completes the run with what it made"
RERUN = "`orion-nb runs rerun {root} --from-failed` goes on with the notebook"


class ReplayNotebookRoutes(CellRoutes, ReplayRoutes):
    """Notebooks made for replaying."""

    @route("GET", "/runs/{run_id}/replay-notebook", action="read")
    def replay_notebook(self, run_id: str) -> dict[str, Any]:
        """A notebook that takes up a failed run where it is opened; nothing is written.

        `replays` is the run it takes up: of a flow the task that failed in it last. `folder` is the
        one that its code is in, null where that is not known. `path` is where the notebook
        belongs: beside the code; over HTTP from the root folder of the server, and null if the code
        is not in there. `name` is that of the file, and `notebook` what is in it.
        """
        run = self.find(run_id)
        failed = self._failed_within(run)
        place = self._code_of(run)
        name = f"replay-{short(failed.id)}.ipynb"
        return {
            "run": run.id,
            "replays": failed.id,
            "name": name,
            "folder": str(place.parent) if place is not None else None,
            "path": str(place.parent / name) if place is not None else name,
            "notebook": _notebook(failed, self.find(failed.root), place),
        }

    def _failed_within(self, run: Run) -> Run:
        """The task that failed last in a flow run; else the run itself.

        Of a notebook only one that failed in the cell which the notebook failed in.
        """
        if run.kind == "task":
            return run
        states = [FAILED.value.lower(), CRASHED.value.lower()]
        below: Any = {"root": run.id} if run.root == run.id else {"parent": run.id}
        found = self.filter_runs(kind="task", states=states, limit=1, **below)["runs"]
        if not found or (found[0]["end_time"] or 0) < self._began_to_fail(run):
            return run
        return self.find(found[0]["id"])

    def _began_to_fail(self, run: Run) -> int:
        """When the cell that a notebook failed in began (microseconds, UTC); 0 if it has none."""
        try:
            told = self.read_cells(run.id)
        except NotFound:
            return 0
        index = (told["failure"] or {}).get("index")
        return next((each["start"] or 0 for each in told["cells"] if each["index"] == index), 0)

    def _code_of(self, run: Run) -> Path | None:
        """The file of the flow around the run, if it was read by itself or is deployed."""
        flow = self.with_source(self.find(run.root))
        if flow.source is not None:
            return Path(flow.source["path"])
        try:
            return Path(self.find_deployment(flow.deployment).path) if flow.deployment else None
        except NotFound:  # it was removed
            return None


def _notebook(run: Run, root: Run, place: Path | None) -> dict[str, Any]:
    """What is in the notebook, in nbformat 4.5; `root` is the outermost run around the run."""
    said = (run.state.message or run.state.name).replace("`", "'").partition("\n")[0]
    head = f"# Replay of {run.name.replace('`', '')}\n\nRun `{run.id}`, {run.state.name}: `{said}`"
    load = ["%load_ext orion_nb"]
    if module := _module(run.key or "", place):
        load.append(f"import {module}  # its functions: edited ones need a new kernel")
    cells = [
        _cell("head", "markdown", head),
        _cell("load", "code", "\n".join(load)),
        _cell("take", "code", f"%replay {short(run.id)}"),
        _cell("next", "markdown", BEHIND.format(on=_way_on(run, root))),
    ]
    spec = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def _module(key: str, place: Path | None) -> str:
    """What is to be imported so that the run's function is known; empty if nothing can be.

    Of a deployed flow that is its file; of any other the module that it was defined in.
    """
    file = place.stem if place is not None and place.suffix == ".py" else ""
    if key.startswith("flow:") or (file and key.startswith(f"{file}.")):
        return file if file.isidentifier() else ""
    parts = key.split(".")
    if ":" in key or parts[0] == "__main__" or not all(each.isidentifier() for each in parts):
        return ""
    while len(parts) > 2 and parts[-2][:1].isupper():  # the class of a method
        parts.pop()
    return ".".join(parts[:-1])


def _way_on(run: Run, root: Run) -> str:
    """How to go on once the code is mended."""
    if not (root.key or "").startswith("notebook:"):
        return RESUMED if root.id != run.id else COMMITTED
    again = RERUN.format(root=short(root.id))
    if root.id == run.id:
        return f"with the repair put into the notebook, {again}"
    return f"{COMMITTED}, then {again}"


def _cell(name: str, kind: str, source: str) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    return made if kind == "markdown" else {**made, "outputs": [], "execution_count": None}
