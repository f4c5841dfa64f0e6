"""Flows within flows, however deep: Python's limit on recursion counts the user's frames only."""

from __future__ import annotations

import sys
import threading

#: So many frames of ours lie between a flow's code and that of a flow it calls, sync or async.
FRAMES = 24
#: From this depth on they are made up for, and down to that one: the C stack has an end, too.
FIRST, LAST = 8, 400

_lock = threading.Lock()


class deeper:  # noqa: N801 - reads as a word after `with`
    """Within the block, `depth` runs are nested; the limit is higher by the frames of the last."""

    __slots__ = ("_is_raised",)

    def __init__(self, depth: int) -> None:
        self._is_raised = FIRST <= depth < LAST

    def __enter__(self) -> None:
        if self._is_raised:
            _change(FRAMES)

    def __exit__(self, *_: object) -> None:
        if self._is_raised:
            _change(-FRAMES)


def _change(frames: int) -> None:
    with _lock:
        sys.setrecursionlimit(sys.getrecursionlimit() + frames)
