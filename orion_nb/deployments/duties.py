"""What a server or a worker does besides: it looks after runs, tells people, and is well itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence

from orion_nb.api.orion import Orion
from orion_nb.deployments.loops import Health, Loop, Watched
from orion_nb.deployments.notices import Notices
from orion_nb.deployments.upkeep import Upkeep
from orion_nb.errors import OrionError

#: Seconds between two looks at the loops.
LOOK = 1.0
#: All loops together have this long to end the step they are at (seconds).
PATIENCE = 5.0


class Duties:
    """The loops of this process, watched by one more.

    What has died starts anew; what fails or is stuck is reported, in the log and to all who ask
    for the health of the services on this database. The processes that `spare` names are left to
    whoever started them; `link` answers the address of the dashboard; `more` are watched, started
    and stopped with the others.
    """

    def __init__(
        self,
        orion: Orion,
        log: logging.Logger,
        *,
        spare: Callable[[], Collection[int]] = tuple,
        link: Callable[[], str | None] | None = None,
        more: Sequence[Watched] = (),
    ) -> None:
        self.orion = orion
        self.log = log
        self.upkeep = Upkeep(orion, log, spare)
        public = orion.settings.public_url
        page = f"{public}/orion" if public else None
        self.notices = Notices(orion, log, link or (lambda: page))
        teller = Loop("teller", self.notices.step, log)
        self._own: list[Watched] = [self.upkeep.loop, teller, *more]
        self._watched: list[Watched] = list(self._own)
        self._told: dict[str, tuple[str, str | None]] = {}
        self._watcher = Loop("duties", self._look, log)

    def watch(self, loop: Watched) -> None:
        """This loop, which somebody else starts and stops, is watched as well."""
        self._watched.append(loop)

    def start(self) -> None:
        """From now on they are done, each on a thread of its own."""
        for each in (*self._own, self._watcher):
            each.start()

    def stop(self) -> None:
        """None is done any more, and everybody can see that; safe to call twice."""
        self._watcher.stop(PATIENCE)
        self.notices.stop()
        for each in self._own:
            each.stop()
        end = time.monotonic() + PATIENCE
        for each in self._own:
            if not each.stop(max(0.0, end - time.monotonic())):
                self.log.warning("%s goes on with what it is at:\n%s", each.name, each.where())
        for each in self._watched:
            self._tell(Health(each.name, "stopped", 0))

    def health(self) -> list[Health]:
        """How each loop is."""
        return [each.health() for each in self._watched]

    def _look(self) -> float:
        if self.orion.is_closed:
            self._watcher.halt()
            return 0.0
        for each in self._watched:
            known = each.health()
            if each.has_died:
                self.log.error("%s: its thread has died; it is started again", each.name)
                each.start()
            before = self._told.get(each.name, ("", None))[0]
            if known.status == "stuck" and before != "stuck":
                self.log.error("%s is stuck: %s\n%s", each.name, known.error, each.where())
            self._tell(known)
        return LOOK

    def _tell(self, known: Health) -> None:
        """Written when it is another than before: a loop that is well costs nothing."""
        about = (known.status, known.error if known.status == "failing" else None)
        if self._told.get(known.name) == about or self.orion.is_closed:
            return
        try:
            self.orion.note_service(known.name, known.status, known.error, known.failures)
            self._told[known.name] = about
        except OrionError as error:
            self.log.warning("the health of %s can't be written: %s", known.name, error)
