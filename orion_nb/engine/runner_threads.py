"""Which threads are those of a task runner: one of them runs other tasks while it waits for one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_runner_thread = threading.local()


@contextlib.contextmanager
def on_runner_thread() -> Iterator[None]:
    """Within the block, a submitted task runs on this thread."""
    before = is_runner_thread()
    _runner_thread.is_one = True
    try:
        yield
    finally:
        _runner_thread.is_one = before


def is_runner_thread() -> bool:
    """A submitted task runs on this thread: when it waits for a future, it helps."""
    return getattr(_runner_thread, "is_one", False)
