"""One transaction for two: a run ends, and the next one on its thread begins.

A thread that works off submitted tasks offers the next one while it lives a run. When that run's
code has completed, its end and the other's begin are proposed together: half as many commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from orion_nb.engine.futures import Joint

#: The next run that can begin, and its job.
Offer = Callable[[], tuple[Joint, Callable[[], None]] | None]


class _Local(threading.local):
    offer: Offer | None = None
    job: Callable[[], None] | None = None


_local = _Local()


class offered:  # noqa: N801 - reads as a word after `with`
    """Within the block, the run that is lived may take the next one along."""

    __slots__ = ("before", "offer")

    def __init__(self, offer: Offer | None) -> None:
        self.offer = offer

    def __enter__(self) -> None:
        self.before, _local.offer = _local.offer, self.offer

    def __exit__(self, *_: object) -> None:
        _local.offer = self.before


def withheld() -> offered:
    """Within the block it may not: code is running, and what begins would have to wait for it."""
    return offered(None)


def take() -> Joint | None:
    """The run to begin now, with the end of this one; its job is this thread's next."""
    offer = _local.offer
    if offer is None or _local.job is not None:
        return None
    found = offer()
    if found is None:
        return None
    joint, _local.job = found
    return joint


def elsewhere() -> None:
    """The job whose run has begun is done on a thread of its own."""
    job = taken()
    if job is not None:
        threading.Thread(target=job, name="orion-task-more").start()


def taken() -> Callable[[], None] | None:
    """The job whose run has begun, if there is one: whoever asks does it now."""
    job, _local.job = _local.job, None
    return job
