"""Upkeep: the loop in which a server or a worker looks after runs that nobody else does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from orion_nb.api.deadlines import Deadlines
from orion_nb.api.orion import Orion
from orion_nb.deployments.aftermath import reap
from orion_nb.deployments.loops import Loop
from orion_nb.deployments.sockets import remove_abandoned

#: Seconds between two looks; a process that was killed is noticed after one.
LOOK = 1.0
#: The loop rests for so long after a look that failed (seconds).
REST = 5.0
#: How long `stop` waits for a look that is under way (seconds).
PATIENCE = 5.0
#: Seconds between two times that old runs are forgotten.
DAY = 24 * 3600.0
#: And between two times that those go of which their deployment says how long they are kept.
HOUR = 3600.0


class Upkeep:
    """Ends the runs of processes that died, keeps deadlines, and forgets old runs, on a thread.

    The processes that `spare` names (their numbers) are left to whoever started them.
    """

    def __init__(
        self,
        orion: Orion,
        log: logging.Logger | None = None,
        spare: Callable[[], Collection[int]] = tuple,
    ) -> None:
        self.orion = orion
        self.log = log or logging.getLogger(__name__)
        self._spare = spare
        self._deadlines = Deadlines(orion)
        self._forget_at = self._forget_all_at = 0.0
        self._resumed = False
        self.loop = Loop("upkeep", self._step, self.log, first_rest=REST)

    def start(self) -> None:
        """From now on it looks every second, until `stop`."""
        self.loop.start()

    def stop(self) -> None:
        """No more looks; safe to call twice."""
        self.loop.stop(PATIENCE)

    def look(self) -> None:
        """Once: what is overdue, whose process is gone, and at times what is too old."""
        if (now := time.monotonic()) >= self._forget_at:
            self._forget_at = now + HOUR
            every = now >= self._forget_all_at
            self._forget_all_at = now + DAY if every else self._forget_all_at
            if (every and self._keep) or self.orion.keeps_by_deployment():
                self._forget(only_kept=not every)
        for run in reap(self.orion, self._spare()):
            self.log.warning("run %s (%s) was lost: %s", run.id, run.name, run.state)
        for run in self._deadlines.look():
            self.log.info("run %s (%s) is overdue: %s", run.id, run.name, run.state)

    def _forget(self, *, only_kept: bool) -> None:
        """Old runs are forgotten, on a thread of its own: with many it takes minutes."""

        def work() -> None:
            try:
                count = self.orion.forget_old(self._keep, only_kept=only_kept)
                if count:
                    self.log.info("%d runs forgotten: they were old enough", count)
            except Exception:
                self.log.exception("old runs can't be forgotten (ORION_NB_KEEP=%s)", self._keep)

        threading.Thread(target=work, name="orion-retention", daemon=True).start()

    @property
    def _keep(self) -> str | None:
        return self.orion.settings.keep

    def _step(self) -> float:
        if self.orion.is_closed:
            self.loop.halt()
            return 0.0
        if not self._resumed:
            remove_abandoned()
            self.orion.keeper.resume()  # results that processes left in the spool when they died
            self._resumed = True
        self.look()
        return LOOK
