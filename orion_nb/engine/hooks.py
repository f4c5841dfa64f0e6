"""`on_cancel`: what is called when a run is stopped, so that what it began elsewhere ends too."""

from __future__ import annotations

import inspect
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from orion_nb.api.connect import connect
from orion_nb.engine.context import RUN_ID_VARIABLE, RunContext, current, entered
from orion_nb.engine.logs import collect, flush, get_logger
from orion_nb.errors import InvalidInput, OrionError, TaskTimeout

if TYPE_CHECKING:
    from orion_nb.engine.cancelling import Stoppable

F = TypeVar("F", bound=Callable[[], object])

Hooks = list[Callable[[], object]]

#: Those of code in no flow or task: a notebook's cells, the module of a deployed flow.
_of_this_process: Hooks = []


def on_cancel(fn: F) -> F:
    """`fn` is called, without arguments, when the run at hand is stopped; it is given back.

    The run is that of the flow or task whose code this is; in a plain cell that of the notebook
    that is executed, at the top of a file that of the flow which is deployed from it. It is stopped
    when somebody cancels it, when its time is up, when who executes it is told to end, or by
    Ctrl-C. Its code is interrupted first. Then its hooks are called once each, the last one first,
    where its code ran, and all in what is left of the grace: then its process is killed. What they
    raise is logged with the run. Those of a run that ends by itself are not called.

    Where nobody executes a run, in a notebook that people work in say, nothing is ever called.

    Raises:
        InvalidInput: `fn` can't be called, or is async.

    Example:
        >>> job = cluster.submit(query)
        >>> orion_nb.on_cancel(job.kill)
    """
    if not callable(fn) or inspect.iscoroutinefunction(fn):
        says = f"on_cancel: expected a function that is not async, got {fn!r:.100}"
        raise InvalidInput(says, field="fn")
    context = current()
    if context is None:
        _of_this_process.append(fn)
    elif context.hooks is None:
        context.hooks = [fn]
    else:
        context.hooks.append(fn)
    return fn


def call_of_run(context: RunContext, error: BaseException | None, stoppable: Stoppable) -> None:
    """The hooks of a run whose code has ended with this error are called, if that was a stop."""
    if context.hooks and (stoppable.is_asked or is_stop(error)):
        _call(context, context.hooks)


def call_of_process() -> None:
    """The hooks of the notebook that this kernel executes, or of this flow's module, are called."""
    if not _of_this_process:
        return
    with suppress(OrionError):
        orion = connect()
        run = orion.find(os.environ[RUN_ID_VARIABLE])
        _call(RunContext(orion, run), _of_this_process)


def is_stop(error: BaseException | None) -> bool:
    """The code was interrupted from outside, or its time was up: it has not ended by itself."""
    if isinstance(error, KeyboardInterrupt | TaskTimeout):
        return True
    if error is None or isinstance(error, Exception):
        return False
    import asyncio

    return isinstance(error, asyncio.CancelledError)


def _call(context: RunContext, hooks: Hooks) -> None:
    """All of them, the last one first; each is forgotten before it is called."""
    collect()
    with entered(context), _undisturbed():
        try:
            while hooks:
                hook = hooks.pop()
                try:
                    hook()
                except Exception as error:
                    _log(hook, error)
        except KeyboardInterrupt:  # somebody does not want to wait for them
            hooks.clear()
        finally:
            flush(context.run.id)


def _log(hook: Callable[[], object], error: Exception) -> None:
    lines = traceback.format_exception(error.with_traceback(_below(error)))
    name = getattr(hook, "__qualname__", repr(hook))
    get_logger().error("on_cancel: %s failed\n%s", name, "".join(lines).rstrip())


def _below(error: Exception) -> Any:
    """The traceback without our own frame."""
    return error.__traceback__.tb_next if error.__traceback__ is not None else None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Where a runner executes the run, its interrupt may come when the hooks are at work already.

    It ends the code, which has ended; that the hooks end is seen to by the runner.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not os.environ.get(RUN_ID_VARIABLE):
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if before is None:  # it was set from C: nobody could put it back
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
