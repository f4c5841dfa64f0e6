"""The heartbeat: a daemon thread that says every other second that this process lives."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakMethod

from orion_nb.store.sessions import BEAT

#: Seconds that a beat under way has when the session ends.
LAST = 1.0

log = logging.getLogger(__name__)


class Heartbeat:
    """Calls a method every other second. Its thread keeps neither the object nor the process alive.

    It ends when the method answers False. A child that was forked has a session of its own, and
    with it a heartbeat of its own.
    """

    def __init__(self, beat: Callable[[], bool]) -> None:
        self._beat = WeakMethod(beat)
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="orion-heartbeat", daemon=True)
        with suppress(RuntimeError):  # the interpreter is about to end, and starts no threads
            self._thread.start()

    def stop(self) -> None:
        """No beat comes any more; safe to call twice, and in a child."""
        if os.getpid() != self._pid:
            return  # the thread is the parent's, and so may be the lock of its event
        self._stopped.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(LAST)

    def _beat_on(self) -> None:
        while not self._stopped.wait(BEAT):
            beat = self._beat()
            try:
                if beat is None or not beat():
                    return
            except Exception:
                # A full disk, say: the session may be taken for dead meanwhile, and is not by then.
                log.debug("no beat", exc_info=True)
            del beat
