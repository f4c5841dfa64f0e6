"""Code that runs here is interrupted when its run was asked to stop.

Code on the main thread is interrupted as by Ctrl-C, also while it sleeps; on another thread an
exception is raised between two bytecodes; an asyncio task is cancelled. When a flow and what it
calls are to stop, one interrupt ends them all, up to the outermost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from orion_nb.engine import asked
from orion_nb.engine.deadline import clear_in, raise_in
from orion_nb.errors import Interruption, RunStopped
from orion_nb.schemas.runs import Run

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

#: A signal that came at the wrong moment is sent again after this time (seconds).
AGAIN = 0.001
#: Within this time two signals may come as one, or one after the other (seconds).
AT_ONCE = 0.02
#: A signal that was sent arrives within this time (seconds).
ARRIVES = 1.0
#: For so long a run that was asked to stop waits for what it has submitted to stop (seconds).
PATIENCE = 0.5
STOPPED = "Cancelled: it was asked to stop"


class Cancellation(Interruption):
    """The run with the id `run_id` was asked to stop; what it calls is interrupted as well."""

    entry: Stoppable | None = None

    def __init__(self, entry: Stoppable | None = None) -> None:
        super().__init__()
        sent = entry or self.entry
        if sent is not None:
            self.entry = _arrived(sent)

    @property
    def run_id(self) -> str:
        return self.entry.run_id if self.entry is not None else ""

    def __str__(self) -> str:
        return "it was asked to stop"


class Interrupt(Cancellation, KeyboardInterrupt):
    """The same on the main thread: an event loop lets it through, as it does Ctrl-C."""


class Stoppable:
    """Within the block the code of a run may be interrupted; it then raises RunStopped.

    The `place` is what can be interrupted at once: a thread, or an asyncio task. Blocks at one
    place lie within each other.
    """

    __slots__ = ("has_arrived", "is_asked", "is_over", "orion", "outer", "place", "run_id")

    def __init__(self, orion: Orion, run: Run) -> None:
        self.orion, self.run_id = orion, run.id
        self.place: Any = threading.get_ident()
        self.is_asked = self.has_arrived = self.is_over = False
        self.outer: Stoppable | None = None
        asked.watch(orion, run, _signal.remind)

    def __enter__(self) -> Stoppable:
        self.outer = _innermost.get(self.place)
        _innermost[self.place] = asked.running[self.run_id] = self
        if self.outer is None and self.place == _MAIN:
            _install()
        if asked.is_known(self.orion, self.run_id):
            self._leave()
            raise RunStopped(STOPPED)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        self._leave()
        if isinstance(error, KeyboardInterrupt) and self.outer is None:
            _cut(trace)
        if isinstance(error, Cancellation) and error.entry is self:
            raise RunStopped(STOPPED).with_traceback(trace) from None

    def _leave(self) -> None:
        self.is_over = True
        asked.forget(self.run_id)
        if self.outer is not None:
            _innermost[self.place] = self.outer
        else:
            _innermost.pop(self.place, None)
        if self.place == _MAIN:
            if self.outer is None:
                _uninstall()
        elif self.is_asked and not self.has_arrived:
            clear_in(self.place)
            if (due := _due(self.place)) is not None:
                due.send()

    @property
    def patience(self) -> float | None:
        """How long a run waits at its end for what it has submitted (seconds); None: for ever."""
        return PATIENCE if self.is_asked else None

    def interrupt(self) -> None:
        """The code is interrupted, once, unless it has ended."""
        with _lock:
            if self.is_over or self.is_asked:
                return
            is_under_way = _due(self.place) is not None
            self.is_asked = True
            if self._is_inside_one_that_stops():
                self.has_arrived = True  # it ends with that one
            elif not is_under_way:
                self.send()

    def _is_inside_one_that_stops(self) -> bool:
        around = self.outer
        while around is not None and not around.has_arrived:
            around = around.outer
        return around is not None

    def remind(self) -> None:
        """The interrupt is sent once more, if it has not arrived."""
        with _lock:
            if not self.is_over and not self.has_arrived:
                self.send()

    def send(self) -> None:
        """The place is interrupted for this run, or one around it."""
        if self.place == _MAIN and _signal.is_installed:
            _signal.send()
        else:
            raise_in(self.place, type("Cancellation", (Cancellation,), {"entry": self}))


class StoppableTask(Stoppable):
    """The same for the asyncio task that is running: it is cancelled."""

    __slots__ = ("before", "is_cancelled", "loop")

    def __init__(self, orion: Orion, run: Run) -> None:
        import asyncio

        super().__init__(orion, run)
        self.place = asyncio.current_task()
        self.loop = asyncio.get_running_loop()
        self.before = self.place.cancelling()
        self.is_cancelled = False

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        import asyncio

        due = _due(self.place) if isinstance(error, asyncio.CancelledError) else None
        if due is not None and self._revoke():
            error = Cancellation(due)
        super().__exit__(kind, error, trace)
        if isinstance(error, Cancellation) and kind is asyncio.CancelledError:
            raise error.with_traceback(trace) from None

    async def settled(self) -> None:
        """A cancellation that was sent for this run, and came to nothing, is taken back."""
        import asyncio

        if not self.is_cancelled:
            return
        if self._revoke():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        if (due := _due(self.place)) is not None:
            due.send()

    def _revoke(self) -> bool:
        """The task is not cancelled any more by us; True if nobody else has cancelled it."""
        entry: Any = self
        while entry is not None:
            if entry.is_cancelled:
                entry.is_cancelled = False
                return bool(self.place.uncancel() <= self.before)
            entry = entry.outer
        return False

    def _leave(self) -> None:
        self.has_arrived = True  # nothing is raised in a task: it is cancelled, or not
        super()._leave()

    def send(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
            self.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if not self.is_over and not self.place.done():
            self.is_cancelled = True
            self.place.cancel()


may_stop = Stoppable
may_stop_task = StoppableTask


def _due(place: Any) -> Stoppable | None:
    """The outermost block at this place that was asked to stop, and does not know it yet."""
    entry, found = _innermost.get(place), None
    while entry is not None:
        if entry.is_asked and not entry.has_arrived and not entry.is_over:
            found = entry
        entry = entry.outer
    return found


def _arrived(entry: Stoppable) -> Stoppable:
    """The block whose interrupt has come, where `entry`'s was sent: the outermost that is due."""
    found = _due(entry.place) or entry
    inside: Stoppable | None = _innermost.get(entry.place)
    while inside is not None:
        inside.has_arrived = inside.has_arrived or inside.is_asked
        inside = inside.outer
    entry.has_arrived = True
    return found


def _cut(trace: TracebackType | None) -> None:
    """The traceback ends before our own handler of the signal: Ctrl-C looks as it always does."""
    while trace is not None and trace.tb_next is not None:
        if trace.tb_next.tb_frame.f_code is _on_signal.__code__:
            trace.tb_next = None
        trace = trace.tb_next


class _Signal:
    """Whether SIGINT is ours at the moment, whose it was, and whether one of ours is under way."""

    def __init__(self) -> None:
        self.is_installed = self.is_under_way = False
        self.before: Any = None
        self.sent = 0.0

    @property
    def is_ours(self) -> bool:
        """The signal that has come is one that was sent here; two of them may come as one."""
        return self.is_under_way or self.is_fresh

    def send(self) -> None:
        self.is_under_way, self.sent = True, time.monotonic()
        signal.pthread_kill(_MAIN, signal.SIGINT)

    def remind(self) -> None:
        """One that came just before the main thread began to sleep has not woken it."""
        with _lock:
            if self.is_installed and self.is_under_way and not self.is_fresh:
                self.send()

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.sent < AT_ONCE


def _install() -> None:
    before = signal.getsignal(signal.SIGINT)
    if before is None or not hasattr(signal, "pthread_kill"):
        return  # it was set from C: nobody could put it back
    with contextlib.suppress(ValueError):  # not the main interpreter
        signal.signal(signal.SIGINT, _on_signal)
        _signal.before, _signal.is_installed = before, True


def _uninstall() -> None:
    """The signal is again whose it was; one that is still under way is awaited and dropped."""
    if not _signal.is_installed:
        return
    with _lock:
        _signal.is_installed = False
    until = time.monotonic() + ARRIVES
    while _signal.is_under_way and time.monotonic() < until:
        time.sleep(0.001)
    if _signal.is_fresh:
        time.sleep(0.001)  # the last one has come by now, and is dropped
    _signal.is_under_way = False
    if signal.getsignal(signal.SIGINT) is _on_signal:
        signal.signal(signal.SIGINT, _signal.before)


def _on_signal(number: int, frame: FrameType | None) -> None:
    """Ours interrupts the code that is due; another one goes on to whoever had the signal."""
    if _signal.is_ours:
        _signal.is_under_way = False
        is_here = frame is not None and frame.f_globals.get("__name__") in _OURS
        due = _due(_MAIN)
        if due is not None:
            if not is_here:
                raise Interrupt(due)
            # A block is just being entered or left: it has to be so first.
            threading.Timer(AGAIN, due.remind).start()
    elif callable(_signal.before):
        _signal.before(number, frame)
    elif _signal.before == signal.SIG_DFL:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


#: The code of these modules enters and leaves blocks: it is not interrupted itself.
_OURS = (__name__, asked.__name__)
_MAIN = threading.main_thread().ident or 0
_lock = threading.Lock()
_signal = _Signal()
_innermost: dict[Any, Stoppable] = {}


def _after_fork() -> None:
    global _lock, _MAIN
    _lock, _MAIN = threading.Lock(), threading.main_thread().ident or 0
    _innermost.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
