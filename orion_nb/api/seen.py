"""What a request has read of files: while it is answered, an unchanged file is read once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

#: What was made of files, and how these were then; None where nothing is remembered.
_SEEN: ContextVar[dict[Any, Any] | None] = ContextVar("orion_seen", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """In the block, what is read by `once` of a file that did not change is not read again."""
    token = _SEEN.set({})
    try:
        yield
    finally:
        _SEEN.reset(token)


def is_remembering() -> bool:
    """What is read now is remembered, so that what comes later need not read."""
    return _SEEN.get() is not None


def once(path: str, asked: Any, read: Callable[[], T]) -> T:
    """What `read()` answers of the file at `path`; the same again if it is asked the same.

    A file is unchanged if its inode, size and time of change are.
    """
    seen = _SEEN.get()
    if seen is None or (looks := _looks(path)) is None:
        return read()
    known = seen.get((path, asked))
    if known is None or known[0] != looks:
        known = seen[path, asked] = (looks, read())
    made: T = known[1]
    return made


def _looks(path: str) -> tuple[int, ...] | None:
    try:
        told = os.stat(path)
    except (OSError, ValueError):
        return None
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns
