"""Sees from afar whether anything has happened on a server: one long poll, while anybody asks."""

from __future__ import annotations

import threading
import time

from orion_nb.api.client import Client
from orion_nb.errors import OrionError

#: One poll lasts so long (seconds), and so does the wait after one that failed.
POLL = 10.0
REST = 1.0
#: When nobody has asked for so long (seconds) there are no more polls.
FORGOTTEN = 15.0


class Watcher:
    """The number of a server's newest event, as far as is known; for any thread."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.leave()

    def leave(self) -> None:
        """In a child after a fork: the thread is the parent's."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._asked = 0.0
        self._last = -1

    def version(self) -> tuple[int, int]:
        """A value that is another one after a state was entered, by anybody."""
        self._asked = time.monotonic()
        with self._lock:
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._poll, name="orion-watch", daemon=True)
                self._thread.start()
        return self._last, 0

    def stop(self) -> None:
        """There are no more polls after the one under way."""
        self._stopped = True

    def _poll(self) -> None:
        while not self._stopped and time.monotonic() - self._asked < FORGOTTEN:
            after = "" if self._last < 0 else f"&after={self._last}"
            wait = 0 if self._last < 0 else POLL
            try:
                told = self.client.ask("GET", f"/events?wait={wait:g}{after}", patience=2 * POLL)
                self._last = max(self._last, int(told["last"]))
            except OrionError:
                time.sleep(REST)
        with self._lock:
            self._thread = None
