"""orion_nb: code as workflows, in Jupyter. `flow` and `task` are what most people need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orion_nb.api.connect import connect
from orion_nb.engine.context import get_run_context
from orion_nb.engine.flows import flow
from orion_nb.engine.futures import TaskFuture, as_completed, unmapped, wait
from orion_nb.engine.runners import ThreadRunner
from orion_nb.engine.tasks import task
from orion_nb.schemas.states import State

if TYPE_CHECKING:
    from orion_nb.deployments.runner import run_notebook

__all__ = [
    "State",
    "TaskFuture",
    "ThreadRunner",
    "as_completed",
    "connect",
    "flow",
    "get_run_context",
    "run_notebook",
    "task",
    "unmapped",
    "wait",
]


def __getattr__(name: str) -> Any:
    # What brings nbclient with it is imported when it is first asked for.
    if name == "run_notebook":
        from orion_nb.deployments.runner import run_notebook

        return run_notebook
    raise AttributeError(f"module 'orion_nb' has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext orion_nb`."""
    from orion_nb.notebook import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext orion_nb`."""
    from orion_nb.notebook import unload

    unload(shell)
