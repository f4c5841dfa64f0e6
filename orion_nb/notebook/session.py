"""The flow run that the task cells of a notebook belong to."""

from __future__ import annotations

import atexit
import hashlib
import os
from pathlib import Path
from typing import Any

from orion_nb.api.connect import connect
from orion_nb.engine.context import RUN_ID_VARIABLE
from orion_nb.engine.recall import recall_of
from orion_nb.errors import OrionError
from orion_nb.schemas.runs import Kind, Run
from orion_nb.schemas.states import (
    CANCELLING,
    COMPLETED,
    TERMINAL,
    Completed,
    Failed,
    Running,
    StateType,
)


class NotebookSession:
    """One flow run per kernel, begun with its first task cell and ended with the kernel.

    In the kernel of a deployed notebook it is the deployment's run, which the runner ends.
    """

    def __init__(self) -> None:
        self._run: Run | None = None
        self._ended: dict[str, StateType] = {}
        self._pid = os.getpid()  # a child of the kernel does not end the kernel's run
        self._seen = hashlib.sha256()
        atexit.register(self.end)

    @property
    def run(self) -> Run:
        """The flow run; begun when first asked for."""
        orion, run_id = connect(), os.environ.get(RUN_ID_VARIABLE)
        if self._run is not None and not run_id:
            now = orion.find(self._run.id).state.type
            if now is CANCELLING or now in TERMINAL:  # somebody stopped it; the kernel goes on
                self.end()
        if self._run is None:
            if run_id:
                self._run = orion.find(run_id)
            else:
                made = orion.new_run("flow", notebook_name(), key=f"notebook:{notebook_name()}")
                self._run, _ = orion.begin(made, Running())
        return self._run

    def see(self, info: Any) -> None:
        """A cell is about to be executed: IPython's `pre_run_cell`."""
        self._seen.update(str(info.raw_cell).encode("utf-8", "replace") + b"\0")

    def look_back(self, result: Any) -> None:
        """A cell was executed: IPython's `post_run_cell`. If it failed, its frames may be kept."""
        error = result.error_in_exec
        if not isinstance(error, Exception) or not os.environ.get(RUN_ID_VARIABLE):
            return
        orion = connect()
        if orion.settings.frames and not may_fail():
            from orion_nb.engine.snapshots import keep_frames

            keep_frames(orion, self.run, error)

    def so_far(self) -> str:
        """In a notebook that is executed, the source of all cells up to here as part of a key.

        What a task cell made is restored in a rerun only if nothing above it has changed, and
        neither have the notebook's parameters, which are a cell, too.
        """
        return f":{self._seen.hexdigest()[:12]}" if os.environ.get(RUN_ID_VARIABLE) else ""

    def goes_anew(self) -> None:
        """A task cell was executed: those below are, too, for they may use what it made."""
        recall = recall_of(connect(), self._run) if os.environ.get(RUN_ID_VARIABLE) else None
        if recall is not None:
            recall.execute_all()

    def parent_of(self, kind: Kind) -> Run | None:
        """What a run called outside any flow belongs to: a task to the notebook's run."""
        return self.run if kind == "task" else None

    def note(self, task: str, ended: StateType) -> None:
        """The last run of a task cell ended so."""
        self._ended[task] = ended

    def end(self) -> None:
        """The run ends: Completed if the last run of each task cell did, else Failed."""
        run, self._run = self._run, None
        ended, self._ended = self._ended, {}
        if run is None or os.environ.get(RUN_ID_VARIABLE) or os.getpid() != self._pid:
            return
        bad = sorted(task for task, state in ended.items() if state is not COMPLETED)
        final = Failed(f"did not complete: {', '.join(bad)}") if bad else Completed()
        try:
            connect().advance(run, final, retriable=False)
        except OrionError:
            return  # it was ended by somebody else, or there is no database any more


def notebook_name() -> str:
    """The notebook's file name without its ending, where the kernel knows it; else `notebook`."""
    path = os.environ.get("JPY_SESSION_NAME", "")
    name = Path(path).stem if path.endswith(".ipynb") else ""
    return "".join(letter for letter in name if letter.isprintable())[:200] or "notebook"


def may_fail() -> bool:
    """The cell being executed may fail, as its runner has told: those behind it are run."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return (parent.get("content") or {}).get("stop_on_error") is False


def is_headless() -> bool:
    """Nobody watches: the notebook is executed by a runner."""
    return os.environ.get("ORION_NB_HEADLESS", "") not in ("", "0")
