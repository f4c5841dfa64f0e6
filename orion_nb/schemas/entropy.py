"""Random bytes from the system, fetched many at a time.

Each call of the system gives other threads of the process a turn, which costs a busy one more than
all the rest of what it does for a task.
"""

from __future__ import annotations

import os

SIZE = 8
#: So many pieces are fetched at once.
MANY = 256

_pieces: list[bytes] = []


def eight_bytes() -> bytes:
    """Eight bytes that nobody can foresee, each given to one caller only."""
    try:
        return _pieces.pop()
    except IndexError:
        fresh = os.urandom(SIZE * MANY)
        pieces = [fresh[at : at + SIZE] for at in range(0, len(fresh), SIZE)]
        mine = pieces.pop()
        _pieces.extend(pieces)
        return mine


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pieces.clear)  # a child must not repeat its parent's
