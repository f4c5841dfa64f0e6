"""What a future's waiters wait at: a condition that costs little while nobody waits."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any


class Latch(threading.Condition):
    """A `threading.Condition` of two objects instead of nine.

    A thousand futures are made at once, each with one; most are never waited for, but the garbage
    collector looks at all that they are made of, again and again.
    """

    _waiters: Any = ()

    def __init__(self) -> None:
        self._lock: Any = threading.RLock()

    def acquire(self, *told: Any) -> bool:
        return bool(self._lock.acquire(*told))

    def release(self) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        if not self._waiters:
            self._waiters = deque()
        return super().wait(timeout)

    def _release_save(self) -> Any:
        return self._lock._release_save()

    def _acquire_restore(self, saved: Any) -> None:
        self._lock._acquire_restore(saved)

    def _is_owned(self) -> bool:
        return bool(self._lock._is_owned())
