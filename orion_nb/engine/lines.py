"""Lines on their way from the code of runs to the database: gathered here, written in batches.

User code never waits for a line and never fails because of one. What can't be written is dropped
and counted, and the run's log says so with the next lines that can be.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.errors import RunNotFound
from orion_nb.secrets import redacted
from orion_nb.store.logs import LINES, TEXT

#: Lines are written when there are so many, or characters; and after this time (seconds).
MANY = 200
MUCH = 256 * 1024
EVERY = 1.0
#: What may wait at most, when more is logged than can be written.
MOST_LINES = 20_000
MOST_TEXT = 4 * 1024 * 1024
#: What is put to the API at once.
BATCH = 500


class Entry(NamedTuple):
    """One line, and where it is to go."""

    orion: Orion
    run: str
    timestamp: int
    level: int
    logger: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """The line as the API takes it."""
        return {
            "run": self.run,
            "timestamp": self.timestamp,
            "level": self.level,
            "logger": self.logger,
            "message": redacted(self.message),
        }


#: How many lines of a run are not there.
Missing = Counter[tuple[Orion, str]]


class Waiting:
    """The lines of all runs of this process that are not written yet."""

    def __init__(self) -> None:
        # Reentrant, and so is SimpleQueue, but no Event is: a signal's handler, or __del__, may
        # log while this thread is in here.
        self._lock = threading.RLock()
        self._writing = threading.RLock()
        self._entries: list[Entry] = []
        self._text = 0
        self._runs: set[str] = set()
        self._underway: set[str] = set()
        self._full: set[str] = set()
        self._sizes: dict[str, tuple[int, int]] = {}
        self._over: Missing = Counter()
        self._lost: Missing = Counter()
        self._some: SimpleQueue[None] = SimpleQueue()
        self._many: SimpleQueue[None] = SimpleQueue()
        self._is_idle, self._is_urgent = False, False
        self._thread: threading.Thread | None = None

    def add(self, orion: Orion, run: str, level: int, logger: str, message: str) -> None:
        """The line will be written, in a second at the latest."""
        entry = Entry(orion, run, clock.now(), level, logger, message)
        with self._lock:
            self._runs.add(run)
            if run in self._full or not self._has_room(run, len(message)):
                self._over[orion, run] += 1
            elif len(self._entries) >= MOST_LINES or self._text >= MOST_TEXT:
                self._lost[orion, run] += 1
            else:
                self._entries.append(entry)
                self._text += len(message)
            waiting, text = len(self._entries), self._text
        if self._thread is None:
            self._start()
        elif self._is_idle:
            self._is_idle = False
            self._some.put(None)
        if (waiting >= MANY or text >= MUCH) and not self._is_urgent:
            self._is_urgent = True
            self._many.put(None)

    def holds(self, run: str) -> bool:
        """Something of this run is not written yet."""
        return run in self._runs or run in self._underway

    def end(self, run: str) -> None:
        """All that waits is written; nothing more is expected of this run."""
        self.write()
        with self._lock:
            self._full.discard(run)
            self._sizes.pop(run, None)

    def _has_room(self, run: str, size: int) -> bool:
        """As far as is known here: what does not fit for sure is not even sent."""
        if len(self._sizes) > MOST_LINES:
            self._sizes.clear()
        count, text = self._sizes.get(run, (0, 0))
        if count >= LINES or text + size > TEXT:
            self._full.add(run)
            return False
        self._sizes[run] = count + 1, text + size
        return True

    def write(self) -> None:
        """All that waits now is written, or dropped and counted."""
        with self._writing:
            if is_writing():
                return
            _here.writes = True
            try:
                self._write()
            finally:
                _here.writes = False

    def _write(self) -> None:
        with self._lock:
            self._is_urgent = False
            entries, self._entries, self._text = self._entries, [], 0
            over, self._over = self._over, Counter()
            lost, self._lost = self._lost, Counter()
            self._runs, self._underway = set(), self._runs
        down: set[Orion] = set()
        reached = 0
        try:
            for batch in _batches(entries):
                self._put(batch, down)
                reached += len(batch)
            for orion in {orion for orion, _ in (*over, *lost)}:
                self._count(orion, over, lost, down)
        except BaseException:  # an interrupt: what was not reached is counted
            self._lose(entries[reached:])
            raise
        finally:
            self._underway = set()

    def _put(self, batch: Sequence[Entry], down: set[Orion]) -> None:
        """The lines are written, or counted if they can't be."""
        orion = batch[0].orion
        try:
            told = _send(orion, down, [entry.as_json() for entry in batch])
        except RunNotFound:  # one that was deleted meanwhile: the others are not to suffer
            runs = dict.fromkeys(entry.run for entry in batch)
            for run in runs if len(runs) > 1 else ():
                self._put([entry for entry in batch if entry.run == run], down)
            return
        if told is None:
            self._lose(batch)
            return
        with self._lock:
            self._full.update(told["over"])

    def _count(self, orion: Orion, over: Missing, lost: Missing, down: set[Orion]) -> None:
        """How many lines are missing is told, or remembered for the next time."""
        told = [{run: n for (at, run), n in each.items() if at is orion} for each in (over, lost)]
        with suppress(RunNotFound):
            if _send(orion, down, [], over=told[0], lost=told[1]) is None:
                with self._lock:
                    self._over.update({(orion, run): n for run, n in told[0].items()})
                    self._lost.update({(orion, run): n for run, n in told[1].items()})

    def _lose(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            self._lost.update((entry.orion, entry.run) for entry in entries)

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            with suppress(RuntimeError):  # no more threads, or the process ends: others will write
                serve = threading.Thread(target=self._serve, name="orion-logs", daemon=True)
                serve.start()
                self._thread = serve

    def _serve(self) -> None:
        while True:
            self._is_idle = True
            if not self._runs:  # else it came before it could know that it has to call
                self._some.get()
            self._is_idle = False
            with suppress(Empty):
                self._many.get(timeout=EVERY)
            self.write()


def _send(
    orion: Orion, down: set[Orion], told: list[dict[str, Any]], **missing: dict[str, int]
) -> dict[str, Any] | None:
    """What the API answers to the lines; None if it can't take them now, as is noted in `down`.

    Raises:
        RunNotFound: one of the runs does not exist any more; nothing was written.
    """
    if orion in down:
        return None
    try:
        return orion.write_logs(told, **missing)
    except RunNotFound:
        raise
    except Exception:  # whatever it is, it is no concern of the code that logged
        down.add(orion)
        return None


def _batches(entries: list[Entry]) -> Iterator[list[Entry]]:
    """The lines in order, each batch for one Orion, and small enough for one request."""
    batch: list[Entry] = []
    text = 0
    for entry in entries:
        text += len(entry.message)
        is_other = bool(batch) and batch[0].orion is not entry.orion
        if batch and (is_other or len(batch) >= BATCH or text > MUCH):
            yield batch
            batch, text = [], len(entry.message)
        batch.append(entry)
    if batch:
        yield batch


def is_writing() -> bool:
    """This thread is writing lines: what is logged meanwhile is about that."""
    return getattr(_here, "writes", False)


_here = threading.local()
waiting = Waiting()


@atexit.register
def _write_all() -> None:
    waiting.write()


def _after_fork() -> None:
    """The child has its own lines; those that waited are its parent's."""
    global waiting
    waiting = Waiting()
    _here.writes = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
