"""The courier: a daemon thread that takes spooled results to their storage, again and again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import partial

from orion_nb.schemas.values import frozen
from orion_nb.store import forks
from orion_nb.store.hands import NoAnswer, within
from orion_nb.store.previews import said
from orion_nb.store.spool import Entry, Spool

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds, between tries at a storage that refuses
#: A storage that has refused so many results in one round is left alone until the next.
REFUSALS = 3

#: Takes sealed bytes to where they belong: `carry(url, key, sealed)`. May block, may raise.
Carry = Callable[[str, str, bytes], None]


@frozen
class Flushed:
    """How many spooled results reached their storage, and how many are still in the spool."""

    stored: int
    left: int


class Courier:
    """One process's courier. Its thread starts with the first `call`; a fork starts its own."""

    def __init__(self, spool: Spool, carry: Carry, *, deadline: float) -> None:
        self._spool, self._carry, self._deadline = spool, carry, deadline
        self._renew()
        forks.heed(self)

    def _renew(self) -> None:
        self._news = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._asked = self._done = 0
        self._forced = self._is_closed = False
        self._rests: dict[str, tuple[float, float]] = {}  # by URL: until when, how long
        self._refused: dict[str, int] = {}  # by key: how often

    def call(self, *, force: bool = False) -> int:
        """Something lies in the spool; `force`: storage that is left alone is tried, too."""
        with self._news:
            self._asked += 1
            self._forced = self._forced or force
            self._is_closed = False
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, args=(self._news,), name="orion-courier", daemon=True
                )
                self._thread.start()
            self._news.notify_all()
            return self._asked

    def flush(self, timeout: float) -> Flushed:
        """Everything in the spool has been tried once more, or `timeout` seconds have passed."""
        before = {entry.path for entry in self._spool.entries()}
        if before:
            round_ = self.call(force=True)
            with self._news:
                self._news.wait_for(lambda: self._done >= round_ or self._is_closed, timeout)
        left = {entry.path for entry in self._spool.entries()}
        return Flushed(len(before - left), len(left))

    def close(self, grace: float) -> None:
        """The thread ends. What waits for storage that answers has `grace` seconds for it."""
        with self._news:
            if self._thread is None:
                return
            asked, until = self._asked, time.monotonic() + grace
            while self._done < asked and not self._rests and time.monotonic() < until:
                self._news.wait(0.02)
            self._is_closed = True
            self._news.notify_all()

    def rest(self) -> None:
        """Before a fork: nobody holds the lock in the child."""
        self._news.acquire()

    def wake(self, *, in_child: bool) -> None:
        if in_child:
            self._renew()
        else:
            self._news.release()

    def _work(self, news: threading.Condition) -> None:
        while True:
            with news:
                if self._is_closed:
                    self._thread = None
                    return
                asked, forced, self._forced = self._asked, self._forced, False
            self._round(forced)
            with news:
                self._done = asked
                news.notify_all()
                news.wait_for(lambda: self._is_closed or self._asked > self._done, self._pause())

    def _pause(self) -> float | None:
        """Seconds until some storage is to be tried again; None: not before there is news."""
        if not self._rests:
            return None
        return max(0.01, min(until for until, _ in self._rests.values()) - time.monotonic())

    def _round(self, forced: bool) -> None:
        targets: dict[str, list[Entry]] = {}
        try:
            entries = self._spool.entries()
        except OSError:
            entries = []
        # Those that were refused come last: one that never will be taken holds nobody up.
        for entry in sorted(entries, key=lambda entry: self._refused.get(entry.key, 0)):
            targets.setdefault(entry.url, []).append(entry)
        now = time.monotonic()
        for url, waiting in targets.items():
            if forced or self._rests.get(url, (0.0, 0.0))[0] <= now:
                self._visit(url, waiting)
        for url in self._rests.keys() - targets.keys():
            del self._rests[url]

    def _visit(self, url: str, waiting: list[Entry]) -> None:
        refusals = 0
        for entry in waiting:
            if self._is_closed:
                return
            try:
                self._take(entry)
                self._refused.pop(entry.key, None)
            except Exception as error:
                self._refused[entry.key] = self._refused.get(entry.key, 0) + 1
                self._spool.note(entry, said(error))
                refusals += 1
                if refusals >= REFUSALS or isinstance(error, NoAnswer):
                    break
        if refusals:
            pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self._rests.get(url, (0.0, 0.0))[1]))
            self._rests[url] = (time.monotonic() + pause * random.uniform(0.75, 1.25), pause)
        else:
            self._rests.pop(url, None)

    def _take(self, entry: Entry) -> None:
        data = entry.read()
        if data is not None:
            within(self._deadline, partial(self._carry, entry.url, entry.key, data))
        self._spool.remove(entry)
