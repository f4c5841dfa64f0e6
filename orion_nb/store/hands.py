"""Hands: daemon threads that do what may never end, so that nobody has to wait for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

#: So many may hang at once; then nothing more is tried until one comes back.
MOST = 8


class NoAnswer(TimeoutError):
    """It did not end in time; it may still do so later, unheard."""


class _Task:
    __slots__ = ("done", "error", "value", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work, self.done = work, threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.value = self.work()
        except BaseException as error:
            self.error = error
        finally:
            self.done.set()


class _Crew:
    """The hands of one process; a fork leaves them behind."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.idle: list[SimpleQueue[_Task]] = []
        self.busy = 0

    def give(self, task: _Task) -> None:
        with self.lock:
            if self.busy >= MOST:
                raise NoAnswer(f"{self.busy} earlier calls have not been answered yet")
            self.busy += 1
            hand = self.idle.pop() if self.idle else None
        if hand is None:
            hand = SimpleQueue()
            threading.Thread(
                target=self._serve, args=(hand,), name="orion-hand", daemon=True
            ).start()
        hand.put(task)

    def _serve(self, hand: SimpleQueue[_Task]) -> None:
        while True:
            task = hand.get()
            task.run()
            del task
            with self.lock:
                self.busy -= 1
                self.idle.append(hand)


_crew = _Crew()


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work()` answers or raises, if it does so within `seconds`.

    Raises:
        NoAnswer: it did not; or too many others have not, and this was not tried.
    """
    global _crew
    if _crew.pid != os.getpid():
        _crew = _Crew()
    task = _Task(work)
    _crew.give(task)
    if not task.done.wait(seconds):
        raise NoAnswer(f"no answer within {seconds:g} s")
    if task.error is not None:
        try:
            raise task.error
        finally:
            del task  # else the traceback and the task keep each other alive
    value: T = task.value
    return value
