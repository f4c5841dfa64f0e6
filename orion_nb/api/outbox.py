"""What is told to a server that is away: kept in order on the disk, delivered when it is back."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from orion_nb import clock
from orion_nb.api import codec
from orion_nb.api.client import Client
from orion_nb.api.delivery import MOST, Later, Told, beat_at, deliver, deliver_left
from orion_nb.api.together import Together
from orion_nb.errors import OrionError, ServerUnreachable, StoreUnavailable
from orion_nb.store.outbox import Box
from orion_nb.store.sessions import BEAT

#: A server that is away is looked for after so many seconds, and then ever less often up to this.
SOON, SELDOM = 0.2, 2.0
#: What comes while others go is delivered in so many rounds; the last round holds it up.
ROUNDS = 5
#: Seconds that the end of the process waits for what has not been delivered.
GRACE = 5.0

#: Nobody waits longer than this for the last of a delivery (seconds).
LAST = 3.0

log = logging.getLogger(__name__)


class Outbox:
    """The outbox of one process for one server, and the thread that delivers what is in it.

    It is open while the server is away, and until all that was put into it has been delivered:
    so what is told of a run arrives in the order in which it happened.
    """

    def __init__(
        self,
        client: Client,
        folder: Path,
        sender: Callable[[], Told],
        going_on: Callable[[], list[Told]],
    ) -> None:
        self.client, self.folder = client, folder
        self._sender, self._going_on = sender, going_on
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._together: Together[tuple[str | None, str, int], bool]
        self._together = Together(self._put_all, MOST)
        self._boxes: list[Box] = []
        self._runs: set[str] = set()
        self._is_open = False
        self._warned: set[str] = set()
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_open(self) -> bool:
        """The server is told nothing directly now."""
        return self._is_open

    def open(self, error: OrionError) -> None:
        """The server is away: from now on what it is to be told is kept."""
        with self._lock:
            self._is_open = True
        self._warn("away", f"{error}; runs go on, and it is told about them when it is back")
        self.work()
        self._woken.set()

    def put(self, run: str | None, told: Told) -> bool:
        """It is kept, on the disk; False, and it is not, if the server is back."""
        return self._together.do((run, codec.dump(told).decode(), clock.now()))

    def _put_all(self, letters: Sequence[tuple[str | None, str, int]]) -> list[bool]:
        with self._lock:
            if not self._is_open:
                return [False] * len(letters)
            self._runs.update(run for run, _, _ in letters if run is not None)
            try:
                self._box().put_all(letters)
            except StoreUnavailable as error:
                self._warn("disk", f"{error}; it is kept in memory, until this process ends")
                self._boxes.append(Box.in_memory(self.client.url, self._sender()))
                self._boxes[-1].put_all(letters)
        return [True] * len(letters)

    def is_about(self, run: str) -> bool:
        """The server does not know all yet that has happened to the run."""
        return self._is_open and run in self._runs

    def say_alive(self, patience: float = LAST) -> None:
        """After a silence: what is executed here goes on, whatever it was taken for."""
        told = self._going_on()
        for at in range(0, len(told), MOST):
            proposals = {"proposals": told[at : at + MOST], "session": self._sender()}
            self.client.ask("POST", "/batch", proposals, patience=patience, anyway=True)

    def work(self) -> None:
        """There is a thread that says that this process lives, and delivers what there is."""
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._work, name="orion-outbox", daemon=True)
            self._thread.start()

    def flush(self, seconds: float) -> int:
        """Everything is tried now, for so many seconds at most; says how much is left."""
        until = time.monotonic() + seconds
        while True:
            with suppress(OrionError):
                self._deliver(min(LAST, max(0.5, until - time.monotonic())))
            left = sum(box.count() for box in list(self._boxes))
            if not left or time.monotonic() + SOON > until:
                return left
            time.sleep(SOON)

    def close(self) -> None:
        """The thread has ended, and what could not be delivered lies on the disk."""
        self._stopped.set()
        self._woken.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(GRACE)
        left = self.flush(GRACE) if self._is_open else 0
        if left:
            told = f"{left} transitions wait in {self.folder} for {self.client.url}"
            self._warn("left", f"{told}; `orion-nb outbox flush` delivers them, or the next run")
        for box in self._boxes:
            box.close()
        self._boxes = []

    def leave(self) -> None:
        """In a child after a fork: what waits is the parent's."""
        for box in self._boxes:
            box.leave()
        self._begin()

    def _box(self) -> Box:
        if not self._boxes:
            sender = self._sender()
            made = Box.make(self.folder, str(sender["id"]), self.client.url, sender)
            self._boxes.append(made)
        return self._boxes[-1]

    def _work(self) -> None:
        wait = SOON
        looked = False
        while not self._stopped.is_set():
            try:
                if self._is_open:
                    self._deliver()
                else:
                    self._beat()
                if not looked:
                    looked = True
                    deliver_left(self.client, self.folder)
                wait = BEAT
            except OrionError as error:
                wait = min(SELDOM, wait * 2) if self._is_open else BEAT
                if not isinstance(error, ServerUnreachable | StoreUnavailable | Later):
                    self._warn(type(error).__name__, str(error))
            except Exception:
                log.exception("The outbox failed; it is tried again")
            if self._woken.wait(wait) and not self._stopped.is_set():
                self._woken.clear()
                wait = SOON

    def _beat(self) -> None:
        if beat_at(self.client, self._sender()):
            self.say_alive()

    def _deliver(self, patience: float = LAST) -> None:
        """All has been delivered when this returns, and the outbox is closed."""
        if not self._is_open:
            return
        self.client.ask("GET", "/health", patience=patience, anyway=True)
        for _ in range(ROUNDS):
            for box in list(self._boxes):
                deliver(self.client, box, patience)
            if not sum(box.count() for box in list(self._boxes)):
                break
        with self._lock:  # the last of it: nothing comes on top meanwhile
            for box in self._boxes:
                deliver(self.client, box, patience)
            self.say_alive(patience)
            for box in self._boxes:
                box.close()
            self._boxes, self._is_open = [], False
            self._runs.clear()
            self._warned.discard("away")
        self._warn("back", f"{self.client.url} is back, and has been told everything")
        self._warned.discard("back")

    def _warn(self, what: str, says: str) -> None:
        """Each thing is said once on stderr, as long as it stays so."""
        if what in self._warned:
            return
        self._warned.add(what)
        with suppress(Exception):  # stderr may be closed
            print(f"orion_nb: {says}", file=sys.stderr)  # noqa: T201 - for whoever runs the flow
