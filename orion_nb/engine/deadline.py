"""Stops sync code at its deadline, as far as Python lets anybody stop it.

On the main thread a signal interrupts even a sleeping call. On other threads an exception is
raised between two bytecodes: a call into C code that never returns is not stopped by it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from orion_nb.errors import Interruption, TaskTimeout

T = TypeVar("T")


class Alarm:
    """When the time of one block is up (monotonic seconds), and whether it was told so."""

    __slots__ = ("at", "is_over")

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds
        self.is_over = False


class Deadline(Interruption):
    """Raised in the code that ran too long; not an Exception, so that it isn't swallowed.

    Deadlines nest: `alarm` tells whose time is up, and only that block turns it into TaskTimeout.
    """

    alarm: Alarm

    def __str__(self) -> str:
        return "a run around it exceeded its timeout"


def within(
    seconds: float,
    name: str,
    body: Callable[[], T],
    time_up: Callable[[], None] | None = None,
) -> T:
    """What `body()` returns, if it does so within `seconds`.

    At the deadline `time_up` is called, on another thread: code that can't be stopped does not
    keep it waiting.

    Raises:
        TaskTimeout: it was stopped; the traceback shows where it was.
    """
    alarm, inside = Alarm(seconds), [True]
    on_main = threading.current_thread() is threading.main_thread()
    stopping = _by_signal if on_main and hasattr(signal, "setitimer") else _by_exception

    def ring() -> None:
        if inside and time_up is not None:
            time_up()

    clock = None if time_up is None else threading.Timer(seconds, ring)
    try:
        if clock is not None:
            clock.daemon = True
            clock.start()
        return stopping(alarm, seconds, body)
    except Deadline as over:
        if over.alarm is not alarm:
            raise
        told = TaskTimeout(f"{name!r} exceeded {seconds:g} s")
        raise told.with_traceback(over.__traceback__) from None
    finally:
        inside.clear()
        if clock is not None:
            clock.cancel()


# No context manager here: Python may run the handler of a signal whenever a function is entered,
# and what is raised as an `__exit__` is entered leaves its block open. A `finally` calls nothing.
def _by_signal(alarm: Alarm, _: float, body: Callable[[], T]) -> T:
    # One timer serves all alarms that are set; it rings for the earliest.
    began, outermost = time.monotonic(), not _alarms
    before = signal.signal(signal.SIGALRM, _ring)
    theirs = signal.getitimer(signal.ITIMER_REAL)[0] if outermost else 0.0
    try:
        _alarms.append(alarm)
        _set_timer()
        return body()
    finally:
        alarm.is_over = True
        if alarm in _alarms:
            _alarms.remove(alarm)
        _set_timer()
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
        if theirs:  # whoever else had set the timer has it again
            left = theirs - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.000_001))


_alarms: list[Alarm] = []


def _set_timer() -> None:
    due = [alarm.at for alarm in _alarms if not alarm.is_over]
    left = max(min(due) - time.monotonic(), 0.000_001) if due else 0.0
    signal.setitimer(signal.ITIMER_REAL, left)


def _ring(_signum: int, _frame: FrameType | None) -> None:
    now = time.monotonic()
    late = [alarm for alarm in _alarms if not alarm.is_over and alarm.at <= now]
    if late:
        late[0].is_over = True
    _set_timer()
    if late:
        over = Deadline()
        over.alarm = late[0]
        raise over


def _by_exception(alarm: Alarm, seconds: float, body: Callable[[], T]) -> T:
    thread, lock = threading.get_ident(), threading.Lock()
    mine = type("Deadline", (Deadline,), {"alarm": alarm})

    def ring() -> None:
        with lock:
            if not alarm.is_over:
                alarm.is_over = True
                raise_in(thread, mine)

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    try:
        timer.start()
        return body()
    finally:
        timer.cancel()
        with lock:
            alarm.is_over = True


def raise_in(thread: int, error: type[BaseException]) -> None:
    """The exception is raised on that thread, between two of its bytecodes."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def clear_in(thread: int) -> None:
    """What was to be raised on that thread, and was not yet, is not raised any more."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)
