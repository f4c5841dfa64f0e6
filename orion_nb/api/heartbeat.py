"""The heartbeat: a daemon thread that says every other second that this process lives."""

from __future__ import annotations

import logging
import os
import threading
import weakref

from orion_nb import clock
from orion_nb.api.core import Core
from orion_nb.store import sessions
from orion_nb.store.database import Connection
from orion_nb.store.sessions import BEAT

#: Seconds that a beat under way has when the session ends.
LAST = 1.0

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews the session of one open API. Its thread keeps neither the API nor the process alive.

    A child that was forked has a session of its own, and with it a heartbeat of its own.
    """

    def __init__(self, core: Core, session: str) -> None:
        self.session = session
        self._core = weakref.ref(core)
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="orion-heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No beat comes any more; safe to call twice, and in a child."""
        if os.getpid() != self._pid:
            return  # the thread is the parent's, and so may be the lock of its event
        self._stopped.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(LAST)

    def _beat_on(self) -> None:
        while not self._stopped.wait(BEAT):
            core = self._core()
            if core is None or core.database.is_closed:
                return
            try:
                self._beat(core)
            except Exception:
                # A full disk, say: the session may be taken for dead meanwhile, and is not by then.
                log.debug("session %s: no beat", self.session, exc_info=True)
            del core

    def _renew(self, tx: Connection, core: Core) -> bool:
        now = clock.now()
        if sessions.renew(tx, self.session, now):
            return True
        if sessions.read(tx, bytes.fromhex(self.session)) is None:  # we slept for days, perhaps
            sessions.insert(tx, sessions.this_session(self.session, core.label, now))
        return False

    def _beat(self, core: Core) -> None:
        """This process lives; and since it is awake, it looks whether others have died."""
        if not core.database.write(lambda tx: self._renew(tx, core)):
            core._reached.clear()  # whoever took us for dead forgot where our runs are
        from orion_nb.api.liveness import Liveness

        if isinstance(core, Liveness):
            core.reap(runners=False)
