"""A notebook that is run for code which awaits it: on a thread, stopped when that is cancelled."""

from __future__ import annotations

import contextvars
import subprocess
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

#: How often is looked whether a process has ended, or whoever awaits it was cancelled (seconds).
LOOK = 0.05

#: Counts how often whoever awaits what is done here was cancelled; None: nobody awaits it.
_cancelled: contextvars.ContextVar[threading.Semaphore | None] = contextvars.ContextVar(
    "orion_nb_cancelled", default=None
)


def wait_for_exit(process: subprocess.Popen[bytes]) -> None:
    """The process has ended.

    Raises:
        KeyboardInterrupt: by Ctrl-C; or whoever awaits this was cancelled, which is the same to it.
    """
    cancelled = _cancelled.get()
    if cancelled is None:
        process.wait()
        return
    while process.poll() is None:
        if cancelled.acquire(timeout=LOOK):
            raise KeyboardInterrupt


def why_interrupted() -> str:
    """Why a run is cancelled whose process is not waited for any longer."""
    return f"cancelled by {'Ctrl-C' if _cancelled.get() is None else 'whoever awaited it'}"


async def stopped_when_cancelled(call: Callable[[], T]) -> T:
    """What `call` gives, which waits for a process; the event loop goes on meanwhile.

    Who is cancelled here goes on when `call` has stopped what it does: it is interrupted as by
    Ctrl-C, and by a second cancellation once more.
    """
    import asyncio

    cancelled, came_to = threading.Semaphore(0), list[Callable[[], T]]()
    context = contextvars.copy_context()
    context.run(_cancelled.set, cancelled)

    def work() -> None:
        try:
            value = context.run(call)
            came_to.append(lambda: value)
        except BaseException as error:
            came_to.append(_raising(error))

    # A thread of its own: those that a loop has at hand are few, and a notebook may take hours.
    threading.Thread(target=work, name="orion-awaited", daemon=True).start()
    interrupt: asyncio.CancelledError | None = None
    while not came_to:  # a kernel's loop that does nothing meanwhile can't be interrupted
        try:
            await asyncio.sleep(LOOK)
        except asyncio.CancelledError as error:
            interrupt = interrupt or error
            cancelled.release()
    if interrupt is not None:
        raise interrupt
    return came_to[0]()


def _raising(error: BaseException) -> Callable[[], Any]:
    def throw() -> Any:
        raise error

    return throw
