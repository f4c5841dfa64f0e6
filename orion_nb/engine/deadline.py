"""Stops sync code at its deadline, as far as Python lets anybody stop it.

On the main thread a signal interrupts even a sleeping call. On other threads an exception is
raised between two bytecodes: a call into C code that never returns is not stopped by it.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from orion_nb.errors import TaskTimeout

T = TypeVar("T")


class _Deadline(BaseException):
    """Raised in the code that ran too long; not an Exception, so that it isn't swallowed."""


def within(seconds: float, name: str, body: Callable[[], T]) -> T:
    """What `body()` returns, if it does so within `seconds`.

    Raises:
        TaskTimeout: it was stopped; the traceback shows where it was.
    """
    on_main = threading.current_thread() is threading.main_thread()
    stop = _by_signal if on_main and hasattr(signal, "setitimer") else _by_exception
    try:
        with stop(seconds):
            return body()
    except _Deadline as over:
        told = TaskTimeout(f"{name!r} exceeded {seconds:g} s")
        raise told.with_traceback(over.__traceback__) from None


@contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    def ring(signum: int, frame: FrameType | None) -> None:
        raise _Deadline

    before = signal.signal(signal.SIGALRM, ring)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, outer)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _by_exception(seconds: float) -> Iterator[None]:
    thread, lock, over = threading.get_ident(), threading.Lock(), False

    def ring() -> None:
        with lock:
            if not over:
                _raise_in(thread, _Deadline)

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
        timer.cancel()


def _raise_in(thread: int, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
