"""How a run waits until proposing again is worth it: for a time, or for what other runs do.

Of all runs of this process that wait for a slot of the same limit only the first looks into the
database: a slot that is given back wakes one of them, not all.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orion_nb.api.orion import Orion
from orion_nb.schemas.reports import Report

#: A long wait is cut into pieces of this length (seconds), so that a cancelled run is noticed.
PIECE = 0.5
#: Who waits for other runs looks so often whether anything was committed (seconds).
LOOK = 0.02
#: Who is the first in line for a slot looks that often.
LOOK_FIRST = 0.005

_TIMED = frozenset({"wait_for_the_scheduled_time"})
_LIMITED = "take_a_place_within_limits"


def pieces(
    orion: Orion, report: Report, place: int, may_go_on: Callable[[], bool]
) -> Iterator[float]:
    """Pieces of time (seconds) to wait for, until it is worth proposing again.

    Who waits for a time looks up now and then whether the run was moved meanwhile; who waits for
    other runs looks whenever anything was committed, here or elsewhere. `place` is the number of
    the run's state: its place in the queue of a limit.
    """
    until = time.monotonic() + (report.retry_after or 0.0)
    last = report.rules[-1] if report.rules else None
    if last is None or last.rule in _TIMED:
        yield from _for_a_time(until, may_go_on)
    elif last.rule == _LIMITED:
        with _in_line((id(orion), str(last.facts.get("limit"))), place) as is_first:
            yield from _for_others(until, orion, may_go_on, is_first)
    else:
        yield from _for_others(until, orion, may_go_on)


def _for_a_time(until: float, may_go_on: Callable[[], bool]) -> Iterator[float]:
    while (left := until - time.monotonic()) > 0:
        yield min(left, PIECE)
        if left > PIECE and may_go_on():
            return


def _for_others(
    until: float,
    orion: Orion,
    may_go_on: Callable[[], bool],
    is_first: Callable[[], bool] | None = None,
) -> Iterator[float]:
    seen = None
    while (left := until - time.monotonic()) > 0:
        yield min(left, LOOK if is_first is None else LOOK_FIRST)
        if is_first is not None and not is_first():
            continue
        now = orion.version_seen()
        if now is not None and now == seen:
            continue
        seen = now
        if may_go_on():
            return


_lines: dict[tuple[int, str], list[int]] = defaultdict(list)
_lock = threading.Lock()


@contextmanager
def _in_line(name: tuple[int, str], place: int) -> Iterator[Callable[[], bool]]:
    """Within the block the run stands in line; gives a function that says whether it is first."""
    with _lock:
        line = _lines[name]
        line.append(place)
    try:
        yield lambda: min(line) == place
    finally:
        with _lock:
            line.remove(place)
            if not line:
                _lines.pop(name, None)
