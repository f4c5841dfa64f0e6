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
from weakref import ref

from orion_nb.errors import Interruption, TaskTimeout

T = TypeVar("T")

#: Seconds until it is seen that an exception was dropped.
AGAIN = 0.05


class Alarm:
    """When the time of one block is up (monotonic seconds), and whether it was told so.

    `told` is what was raised in it, by signal, as long as anybody has it: where Python lets no
    exception through, in a destructor say, it is dropped, and has to be raised once more.
    """

    __slots__ = ("at", "is_over", "told")

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds
        self.is_over = False
        self.told: ref[Deadline] | None = None

    @property
    def rings_at(self) -> float:
        """When it is to be raised, or looked after whether it still is."""
        return self.at if self.told is None else time.monotonic() + AGAIN

    def is_late(self, now: float) -> bool:
        """Its time is up, and nobody knows."""
        return self.at <= now and (self.told is None or self.told() is None)


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
    """What the body returns; the signal rings in the middle of it, and nowhere else.

    One timer serves all alarms that are set; it rings for the earliest.
    """
    global _is_setting
    began, outermost = time.monotonic(), not _alarms
    _is_setting = True
    # Somebody else's timer is stopped before its handler is replaced: else it could ring unheard.
    theirs = signal.setitimer(signal.ITIMER_REAL, 0)[0] if outermost else 0.0
    before = signal.signal(signal.SIGALRM, _ring)
    _alarms.append(alarm)
    try:
        try:
            _is_setting = False
            _set_timer()
            return body()
        finally:
            _is_setting = True
    finally:
        _is_setting = True
        _alarms.remove(alarm)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
        _is_setting = False
        if theirs:  # whoever else had set the timer has it again
            left = theirs - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.000_001))
        elif not outermost:
            _set_timer()


_alarms: list[Alarm] = []
#: Alarms are being set or removed: whoever's time is up is told behind it.
_is_setting = False


def _set_timer() -> None:
    due = [alarm.rings_at for alarm in _alarms]
    left = max(min(due) - time.monotonic(), 0.000_001) if due else 0.0
    signal.setitimer(signal.ITIMER_REAL, left)


def _ring(_signum: int, _frame: FrameType | None) -> None:
    if _is_setting:
        return
    now = time.monotonic()
    late = next((alarm for alarm in _alarms if alarm.is_late(now)), None)
    if late is None:
        _set_timer()
        return
    over = Deadline()
    over.alarm, late.told = late, ref(over)
    _set_timer()
    try:
        raise over
    finally:
        del over  # its traceback has this frame: it would keep itself


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
