"""What a future's waiters wait at: a lock that becomes a condition when somebody waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_RLock: Any = type(threading.RLock())


class Latch(_RLock):  # type: ignore[misc] # the class of locks has no name that can be imported
    """Does for a future what a `threading.Condition` does, and is one object instead of nine.

    A thousand futures are made at once, each with one; most are never waited for, but the garbage
    collector looks at all that they are made of, again and again.
    """

    _condition: threading.Condition | None = None

    def wait(self, timeout: float | None = None) -> bool:
        """As that of a condition: whoever holds the lock waits until it is notified."""
        return self._waited_for().wait(timeout)

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """As that of a condition: whoever holds the lock waits until it is so."""
        return predicate() or self._waited_for().wait_for(predicate, timeout)

    def _waited_for(self) -> threading.Condition:
        if self._condition is None:
            self._condition = threading.Condition(self)
        return self._condition

    def notify_all(self) -> None:
        """As that of a condition: whoever holds the lock wakes all that wait."""
        if self._condition is not None:
            self._condition.notify_all()
