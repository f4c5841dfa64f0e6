"""Code that runs here is interrupted when its run was asked to stop, by anybody, anywhere.

A thread looks now and then, while runs are executing, whether one of them is CANCELLING. Code on
the main thread gets a KeyboardInterrupt, as from Jupyter's stop button; on another thread an
exception is raised between two bytecodes; an asyncio task is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orion_nb.engine.deadline import raise_in
from orion_nb.errors import Interruption, OrionError
from orion_nb.schemas.runs import Run

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

#: How often it is looked whether a run was asked to stop (seconds).
LOOK = 0.1
#: An interrupt that was sent arrives within this time (seconds).
ARRIVES = 1.0


class Cancellation(Interruption):
    """The run with the id `run_id` was asked to stop."""

    run_id: str = ""

    def __init__(self, run_id: str = "") -> None:
        super().__init__(run_id)
        self.run_id = run_id or self.run_id

    def __str__(self) -> str:
        return "it was asked to stop"


class Stoppable:
    """The code of one run, on this thread; `is_set` when it was interrupted."""

    __slots__ = ("doing", "is_over", "is_set", "lock", "loop", "run_id", "thread")

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.thread = threading.get_ident()
        self.is_set = self.is_over = False
        self.lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.doing: asyncio.Task[object] | None = None

    def interrupt(self) -> None:
        """The code is interrupted, once, unless it has ended."""
        with self.lock:
            if self.is_over or self.is_set:
                return
            self.is_set = True
            if self.loop is not None and self.doing is not None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
                    self.loop.call_soon_threadsafe(self.doing.cancel)
            elif self.thread == threading.main_thread().ident and _takes_interrupts():
                signal.pthread_kill(self.thread, signal.SIGINT)
            else:
                raise_in(
                    self.thread, type("Cancellation", (Cancellation,), {"run_id": self.run_id})
                )

    def over(self) -> None:
        """The code has ended: an interrupt that is still under way is awaited and swallowed."""
        with self.lock:
            self.is_over = True
        if self.is_set and self.loop is None:
            until = time.monotonic() + ARRIVES
            with contextlib.suppress(KeyboardInterrupt, Cancellation):
                while time.monotonic() < until:
                    time.sleep(0.001)


@contextmanager
def may_stop(orion: Orion, run: Run) -> Iterator[Stoppable]:
    """The block is interrupted when the run is asked to stop: it raises `Cancellation`."""
    entry = _watch(orion, run)
    try:
        yield entry
    except (KeyboardInterrupt, Cancellation) as error:
        told, entry.is_set = entry.is_set, False
        if told and getattr(error, "run_id", run.id) == run.id:
            raise Cancellation(run.id).with_traceback(error.__traceback__) from None
        entry.is_set = told
        raise
    finally:
        _running.pop(run.id, None)
        entry.over()


@contextmanager
def may_stop_task(orion: Orion, run: Run) -> Iterator[Stoppable]:
    """The same for the asyncio task that is running: it is cancelled."""
    entry = _watch(orion, run)
    entry.loop, entry.doing = asyncio.get_running_loop(), asyncio.current_task()
    try:
        yield entry
    except asyncio.CancelledError:
        if not entry.is_set or entry.doing is None:
            raise
        entry.doing.uncancel()
        raise Cancellation(run.id) from None
    finally:
        _running.pop(run.id, None)
        entry.over()


_running: dict[str, Stoppable] = {}
_watched: weakref.WeakSet[Orion] = weakref.WeakSet()


def _watch(orion: Orion, run: Run) -> Stoppable:
    entry = _running[run.id] = Stoppable(run.id)
    if orion not in _watched:
        _watched.add(orion)
        looking = threading.Thread(
            target=_look, args=(weakref.ref(orion), run.state.n), name="orion-cancel", daemon=True
        )
        looking.start()
    return entry


def _look(known: weakref.ref[Orion], after: int) -> None:
    """Until nobody uses the Orion any more: who is asked to stop, after this event, is."""
    seen: object = None
    while (orion := known()) is not None and not orion.is_closed:
        with contextlib.suppress(OrionError):
            version = orion.version_seen()
            if _running and (version is None or version != seen):
                seen = version
                stopping, after = orion.stopping(after)
                for run_id in stopping:
                    if (entry := _running.get(run_id)) is not None:
                        entry.interrupt()
        del orion
        time.sleep(LOOK)


def _takes_interrupts() -> bool:
    """SIGINT raises in the main thread, as it does unless somebody has changed that."""
    return hasattr(signal, "pthread_kill") and callable(signal.getsignal(signal.SIGINT))


def _after_fork() -> None:
    _running.clear()
    _watched.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
