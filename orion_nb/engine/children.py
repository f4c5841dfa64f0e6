"""What a run does with the tasks that were submitted in it, when its code ends."""

from __future__ import annotations

import concurrent.futures
import contextlib
from functools import partial
from typing import Any

from orion_nb.engine.context import RunContext
from orion_nb.engine.futures import TaskFuture
from orion_nb.schemas.states import COMPLETED


def keep(context: RunContext, future: TaskFuture[Any]) -> None:
    """The run waits for the future at its end; one that completed is forgotten at once."""
    context.futures[future] = None
    if context.on_done is None:  # one for all: closures by the thousand keep the collector busy
        context.on_done = partial(_forget, context)
    future.add_done_callback(context.on_done)


def _forget(context: RunContext, future: TaskFuture[Any]) -> None:
    if future.final is not None and future.final.type is COMPLETED:
        context.futures.pop(future, None)


def join_all(context: RunContext, patience: float | None = None) -> None:
    """All of them have finished when this returns, or `patience` seconds have passed."""
    if patience is not None:
        concurrent.futures.wait(_unfinished(context), patience)
        return
    while left := _unfinished(context):
        for future in reversed(left):  # most often the last ends last: one wait for all of them
            future.join()


async def join_all_async(context: RunContext, patience: float | None = None) -> None:
    """The same; the loop goes on meanwhile."""
    import asyncio

    while left := _unfinished(context):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                for future in left:
                    await future.finished()
        if patience is not None:
            return


def raise_unseen(context: RunContext) -> None:
    """The first that failed, and whose future nobody looked at, fails the run."""
    for future in list(context.futures):
        if not future.was_looked_at and not future.cancelled():
            future.result()


def drop_all(context: RunContext) -> bool:
    """Those that have not begun are cancelled; others have begun and not finished."""
    for future in list(context.futures):
        future.cancel()
    return bool(_unfinished(context))


def _unfinished(context: RunContext) -> list[TaskFuture[Any]]:
    return [future for future in list(context.futures) if not future.done()]
