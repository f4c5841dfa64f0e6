"""Which run the code at hand belongs to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.engine.lineage import Origins
from orion_nb.schemas.runs import Kind, Run

if TYPE_CHECKING:
    from orion_nb.engine.futures import TaskFuture
    from orion_nb.engine.recall import Recall
    from orion_nb.engine.runners import ThreadRunner

#: Set in the kernel of a deployed notebook: the flow run that its tasks and flows belong to.
RUN_ID_VARIABLE = "ORION_NB_RUN_ID"


@dataclass(slots=True, repr=False, eq=False)
class RunContext:
    """The run being executed; what is called within it becomes its child."""

    orion: Orion
    run: Run
    runner: ThreadRunner | None = None
    #: Submitted here, in order; those that completed are forgotten.
    futures: dict[TaskFuture[Any], None] = field(default_factory=dict)
    is_async: bool = False
    _origins: Origins | None = None
    #: What earlier attempts of the run have called.
    recall: Recall | None = None
    #: How often its code has paused.
    pauses: int = 0
    #: Told of each submitted task that is done.
    on_done: Callable[[Any], None] | None = None
    #: What is called when it is stopped, the last one first.
    hooks: list[Callable[[], object]] | None = None
    #: How many runs are around it in this process.
    depth: int = 0

    @property
    def origins(self) -> Origins:
        """What its tasks have returned, so that it is recognised when it is passed on."""
        if self._origins is None:
            self._origins = Origins()
        return self._origins

    @property
    def is_outermost(self) -> bool:
        """No flow or task around it, here or in a notebook's kernel."""
        return self.run.parent is None


_current: ContextVar[RunContext | None] = ContextVar("orion_nb_run", default=None)

#: What runs outside any flow belong to, by kind; the notebook sets it. None: to nothing.
Ambient = Callable[[Kind], Run | None]
_ambient: list[Ambient] = []

#: Entered around each flow run that begins outside any other: so the notebook shows its card.
Observer = Callable[[Orion, Run], AbstractContextManager[object]]
flow_observers: list[Observer] = []


def current() -> RunContext | None:
    return _current.get()


def get_run_context() -> RunContext:
    """The context of the run being executed: `.run` is the run, `.run.attempt` its attempt.

    Raises:
        RuntimeError: no flow or task is being executed here.
    """
    found = _current.get()
    if found is None:
        raise RuntimeError("no flow or task is being executed here; call this inside of one")
    return found


def run_at_hand() -> tuple[Orion, str] | None:
    """The API, and the id of the run whose code this is: a flow, a task, or a notebook's cell."""
    context = _current.get()
    if context is not None:
        return context.orion, context.run.id
    run_id = os.environ.get(RUN_ID_VARIABLE)
    return (connect(), run_id) if run_id else None


class entered:  # noqa: N801 - reads as a word after `with`
    """Within the block, `context` is the current one."""

    __slots__ = ("context", "token")

    def __init__(self, context: RunContext) -> None:
        self.context = context

    def __enter__(self) -> RunContext:
        self.token = _current.set(self.context)
        return self.context

    def __exit__(self, *_: object) -> None:
        _current.reset(self.token)


def here(kind: Kind) -> tuple[Orion, Run | None, RunContext | None]:
    """The API and the parent for a run of this kind that is called here."""
    context = _current.get()
    if context is not None:
        return context.orion, context.run, context
    orion = connect()
    for ambient in reversed(_ambient):
        if (run := ambient(kind)) is not None:
            return orion, run, None
    return orion, _of_the_kernel(orion), None


@contextmanager
def observed(orion: Orion, run: Run, context: RunContext | None) -> Iterator[None]:
    """Within the block, a flow run is executed; those outside any other are observed."""
    if context is not None or not flow_observers:
        yield
        return
    with ExitStack() as stack:
        for observer in flow_observers:
            stack.enter_context(observer(orion, run))
        yield


@contextmanager
def belonging_to(ambient: Ambient) -> Iterator[None]:
    """Within the block, runs outside any flow belong to what `ambient` says."""
    _ambient.append(ambient)
    try:
        yield
    finally:
        _ambient.remove(ambient)


def _of_the_kernel(orion: Orion) -> Run | None:
    run_id = os.environ.get(RUN_ID_VARIABLE)
    if not run_id:
        return None
    if _kernel_run.get("id") != run_id:
        _kernel_run.update(id=run_id, run=orion.find(run_id))
    found: Run = _kernel_run["run"]
    return found


_kernel_run: dict[str, Any] = {}
