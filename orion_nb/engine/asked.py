"""Which of the runs that are executed here were asked to stop, by anybody, anywhere.

A thread looks now and then, while runs are executing, whether one of them is CANCELLING.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from orion_nb.errors import OrionError
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

#: How often it is looked whether a run was asked to stop (seconds).
LOOK = 0.1
#: So many runs are remembered that were asked to stop before their code began.
MOST_ASKED = 1_000


class Interruptible(Protocol):
    """The code of a run, which is interrupted when the run was asked to stop."""

    def interrupt(self) -> None: ...


#: The runs whose code is executed here, by id.
running: dict[str, Interruptible] = {}
_asked: OrderedDict[str, None] = OrderedDict()
_watched: weakref.WeakSet[Orion] = weakref.WeakSet()


def watch(orion: Orion, run: Run, at_each_look: Callable[[], None]) -> None:
    """From now on it is looked for whoever is asked to stop; `run` is about to begin."""
    if orion in _watched:
        return
    _watched.add(orion)
    # What was asked of runs that began at the same time, on other threads, is not overlooked.
    told = (weakref.ref(orion), max(0, (run.state.n or 0) - MOST_ASKED), at_each_look)
    threading.Thread(target=_look, args=told, name="orion-cancel", daemon=True).start()


def is_known(orion: Orion, run_id: str) -> bool:
    """The run was asked to stop before its code began, and still is to."""
    return run_id in _asked and _is_to_stop(orion, run_id)


def forget(run_id: str) -> None:
    """The code of the run has ended."""
    running.pop(run_id, None)
    _asked.pop(run_id, None)


def _look(known: weakref.ref[Orion], after: int, at_each_look: Callable[[], None]) -> None:
    """Until nobody uses the Orion any more: who is asked to stop is interrupted."""
    seen: object = None
    while (orion := known()) is not None and not orion.is_closed:
        with contextlib.suppress(OrionError):
            version = orion.version_seen()
            if running and (version is None or version != seen):
                stopping, after = orion.stopping(after)
                seen = version
                for run_id in stopping:
                    _ask(orion, run_id)
        at_each_look()
        del orion
        time.sleep(LOOK)


def _ask(orion: Orion, run_id: str) -> None:
    """The run is interrupted, now or, if its code is just about to begin, when it does."""
    if run_id not in running:
        _asked[run_id] = None
        while len(_asked) > MOST_ASKED:
            _asked.popitem(last=False)
    if (entry := running.get(run_id)) is not None and _is_to_stop(orion, run_id):
        entry.interrupt()


def _is_to_stop(orion: Orion, run_id: str) -> bool:
    """It still is: it has not ended meanwhile, and begun once more."""
    return orion.find(run_id).state.type is CANCELLING


def _after_fork() -> None:
    running.clear()
    _asked.clear()
    _watched.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
