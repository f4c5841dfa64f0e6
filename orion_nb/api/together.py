"""What several threads want done at the same time is done at once, by one of them for all."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Wish(Generic[T, R]):
    __slots__ = ("answer", "done", "error", "item", "woken")

    def __init__(self, item: T) -> None:
        self.item = item
        self.done = False
        self.woken = threading.Event()
        self.answer: R | None = None
        self.error: Exception | None = None


class Together(Generic[T, R]):
    """Does `work` to many items at once: those that wait when its hands are free.

    Whoever finds nobody at work does it, on the own thread: one item costs no more than alone.
    `work` answers a value for each item, or raises, and then all of them fail so. `most` are done
    at a time.
    """

    # Those who wait do so on something of their own: whoever is done goes on at once, and does
    # not stand in line for hands that are busy with the next ones.

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], most: int) -> None:
        self._work = work
        self._most = most
        self._owner = threading.Lock()
        self._waiting: deque[_Wish[T, R]] = deque()
        self._pid = os.getpid()

    def do(self, item: T) -> R:
        """What came of this item."""
        if self._pid != os.getpid():  # the threads that waited are the parent's
            self._pid, self._owner = os.getpid(), threading.Lock()
            self._waiting = deque()
        wish: _Wish[T, R] = _Wish(item)
        self._waiting.append(wish)
        try:
            while not wish.done:
                if self._owner.acquire(blocking=False):
                    try:
                        if not wish.done:
                            self._do_waiting()
                    finally:
                        self._owner.release()
                else:
                    wish.woken.wait()
                    wish.woken.clear()
        finally:
            with suppress(ValueError):
                self._waiting.remove(wish)
            self._pass_on()
        if wish.error is not None:
            raise wish.error
        return wish.answer  # type: ignore[return-value] # it is done, and did not fail

    def _do_waiting(self) -> None:
        """An interrupt may come at any line: a wish stays until it is done, and may be done twice.

        So what is done has to be such that it may be repeated.
        """
        wishes = [wish for wish in self._waiting.copy() if not wish.done][: self._most]
        try:
            answers = self._work([wish.item for wish in wishes])
        except Exception as error:
            for wish in wishes:
                wish.error = error
        else:
            for wish, answer in zip(wishes, answers, strict=True):
                wish.answer = answer
        for wish in wishes:
            wish.done = True
        for wish in wishes:
            with suppress(ValueError):
                self._waiting.remove(wish)
            wish.woken.set()

    def _pass_on(self) -> None:
        """Whoever has waited longest finds the hands free, unless somebody else already has."""
        with suppress(IndexError):
            self._waiting[0].woken.set()
