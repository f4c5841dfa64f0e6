"""orion_nb: code as workflows, in Jupyter. `flow` and `task` are what most people need."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orion_nb.api.connect import connect
from orion_nb.engine.artifacts import artifact
from orion_nb.engine.context import get_run_context
from orion_nb.engine.flows import flow
from orion_nb.engine.futures import TaskFuture, allow_failure, as_completed, unmapped, wait
from orion_nb.engine.hooks import on_cancel
from orion_nb.engine.logs import get_logger
from orion_nb.engine.pausing import pause, pause_async, stop
from orion_nb.engine.runners import ThreadRunner
from orion_nb.engine.slots import concurrency
from orion_nb.engine.tasks import task
from orion_nb.engine.telling import result
from orion_nb.schemas.states import State

if TYPE_CHECKING:
    from orion_nb.api.deploying import deploy, deploy_async
    from orion_nb.deployments.handles import RunHandle, get_run, get_run_async
    from orion_nb.deployments.runner import run_notebook, run_notebook_async
    from orion_nb.engine.executors import ExecutorRunner, ProcessRunner
    from orion_nb.engine.replaying import replay, replay_async
    from orion_nb.secrets import Secret, secret

__all__ = [
    "ExecutorRunner",
    "ProcessRunner",
    "RunHandle",
    "Secret",
    "State",
    "TaskFuture",
    "ThreadRunner",
    "allow_failure",
    "artifact",
    "as_completed",
    "concurrency",
    "connect",
    "deploy",
    "deploy_async",
    "flow",
    "get_logger",
    "get_run",
    "get_run_async",
    "get_run_context",
    "on_cancel",
    "pause",
    "pause_async",
    "replay",
    "replay_async",
    "result",
    "run_notebook",
    "run_notebook_async",
    "secret",
    "stop",
    "task",
    "unmapped",
    "wait",
]

#: What brings other libraries with it is imported when it is first asked for.
_LATER = {
    "ExecutorRunner": "orion_nb.engine.executors",
    "ProcessRunner": "orion_nb.engine.executors",
    "RunHandle": "orion_nb.deployments.handles",
    "Secret": "orion_nb.secrets",
    "deploy": "orion_nb.api.deploying",
    "deploy_async": "orion_nb.api.deploying",
    "get_run": "orion_nb.deployments.handles",
    "get_run_async": "orion_nb.deployments.handles",
    "replay": "orion_nb.engine.replaying",
    "replay_async": "orion_nb.engine.replaying",
    "run_notebook": "orion_nb.deployments.runner",
    "run_notebook_async": "orion_nb.deployments.runner",
    "secret": "orion_nb.secrets",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'orion_nb' has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext orion_nb`."""
    from orion_nb.notebook import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext orion_nb`."""
    from orion_nb.notebook import unload

    unload(shell)
