"""What open databases do when their process forks: they close their connections meanwhile.

SQLite notes per process, by file, which locks it holds. A child takes these notes over, but not
the locks: what it opens then believes itself protected and is not, and a lock that its parent held
stays held for it for ever (sqlite.org/howtocorrupt.html, section 2.6). So at the moment of a fork
there is no open connection; parent and child open theirs anew when they next need one.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Rests(Protocol):
    """Something that can't be carried over a fork as it is."""

    def rest(self) -> None:
        """Called before a fork: everything is closed, and nothing is opened until `wake`."""

    def wake(self, *, in_child: bool) -> None:
        """Called after the fork, in both processes."""


_forking = threading.Lock()
_known: weakref.WeakSet[Rests] = weakref.WeakSet()
_resting: list[Rests] = []


def heed(one: Rests) -> None:
    """From now on `one` rests while its process forks; it is forgotten when nobody uses it."""
    _known.add(one)


def _before() -> None:
    _forking.acquire()
    _resting.extend(_known)
    for one in _resting:
        one.rest()


def _in_parent() -> None:
    try:
        while _resting:
            _resting.pop().wake(in_child=False)
    finally:
        _forking.release()


def _in_child() -> None:
    global _forking
    _forking = threading.Lock()
    while _resting:
        _resting.pop().wake(in_child=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
