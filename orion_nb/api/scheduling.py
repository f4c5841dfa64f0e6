"""What a scheduler and a worker ask: which runs are due, and who takes them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orion_nb import clock
from orion_nb.api.deployments import DeploymentRoutes, deployment_rows
from orion_nb.errors import Conflict, StoreUnavailable
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import PENDING, State
from orion_nb.store import listing, slots
from orion_nb.store.database import Connection

if TYPE_CHECKING:
    from orion_nb.schemas.deployments import Deployment
    from orion_nb.schemas.due import Due


log = logging.getLogger(__name__)

#: Of the deployments that are due, so many are written in one transaction.
AT_ONCE = 1000
#: Of the runs that were told to wait so many are asked for anew at once, whenever anything happens;
#: all others after the time they were told, or this one (seconds).
EAGER = 20
AGAIN = 1.0


class Scheduling(DeploymentRoutes):
    """Runs of deployments, from due to taken."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: The runs that were told to wait, and until when: by a clock that nobody sets back.
        self._asked: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def next_due(self, after: int = -1) -> int | None:
        """The earliest instant at which a deployment is due or a scheduled run may start.

        Of runs only those count that may not start before `after`.
        """
        with self.database.read() as connection:
            due = deployment_rows().next_due(connection)
            waiting = listing.next_scheduled(connection, after)
        return min((at for at in (due, waiting) if at is not None), default=None)

    def due_first(self) -> Deployment | None:
        """The deployment that is due first, or None if none will be, or it can't be read."""
        with self.database.read() as connection, suppress(ValueError):
            known: Deployment | None = deployment_rows().read_next(connection)
            return known
        return None

    def has_deployments(self) -> bool:
        """There is one that is not paused: a worker may have something to do."""
        with self.database.read() as connection:
            return bool(deployment_rows().is_any_active(connection))

    def schedule_due(self) -> list[Run]:
        """A run is created for each deployment that is due; of missed instants, as `catch_up` says.

        One more, that is Skipped, tells of those that are not made up for; it is not answered.
        Any number of schedulers may do this at once: one run per deployment and instant is made.
        """
        now = clock.now()
        made: list[Run] = []
        while True:
            with self.database.read() as connection:
                found = deployment_rows().read_due(connection, now, AT_ONCE)
            due = [known for each in found if (known := self._sound(each))]
            made += self._make_runs(due, now)
            if len(found) < AT_ONCE:
                return made

    def _sound(self, read: Due | tuple[str, str, ValueError]) -> Due | None:
        """A deployment as it was read; one that can't be read holds up no other."""
        if not isinstance(read, tuple):
            return read
        broken, name, error = read
        log.error("deployment %s can't be read and is stopped; deploy it anew: %s", name, error)
        self.database.write(lambda tx: deployment_rows().stop(tx, broken))
        return None

    def _make_runs(self, due: Sequence[Due], now: int) -> list[Run]:
        """All of them in one go; if one can't be made, each by itself: it spoils no other."""
        try:
            return self.database.write(self._due(due, now))
        except StoreUnavailable:
            raise
        except Exception:
            if len(due) == 1:
                raise
        made: list[Run] = []
        failed: Exception | None = None
        for each in due:
            try:
                made += self._make_runs([each], now)
            except StoreUnavailable:
                raise
            except Exception as error:
                failed = error
                log.exception("deployment %s is due, and has no run", each.name)
        if failed is not None:
            raise failed
        return made

    def _due(self, due: Sequence[Due], now: int) -> Callable[[Connection], list[Run]]:
        """What is to be written for deployments that are due: runs, and when each is next."""
        settled = [(known, *known.timing.settle(now)) for known in due]
        passed = [each for known, times, _ in settled for each in known.skipped(times, now)]
        made = [(known.run(at, now), at) for known, times, _ in settled for at in times]
        rows = slots.Rows([*passed, *made])

        def work(tx: Connection) -> list[Run]:
            # Others were changed since, or another scheduler was faster.
            moved = slots.move(tx, [(known, following) for known, _, following in settled])
            return [run for run in rows.insert(tx, moved) if not run.state.is_terminal]

        return work

    def claim(self, limit: int) -> list[Run]:
        """Up to `limit` deployed runs whose time has come are handed to this process: Submitting.

        Two workers never get the same run. One that has to wait, for a slot say, holds up those
        of its deployment, and no others. If one can't be had, those that were are answered.
        """
        taken: list[Run] = []
        passed: set[str] = set()
        eager, now = EAGER, clock.now()
        while len(taken) < limit:
            with self.database.read() as connection:
                due = listing.claimable(connection, now, limit - len(taken) + len(passed), passed)
            ticks = time.monotonic()
            self._asked = {key: until for key, until in self._asked.items() if until > ticks}
            for run in due:
                if run.deployment is None or run.deployment in passed or len(taken) == limit:
                    continue
                eager -= run.id in self._asked
                mine = None if eager < 0 and run.id in self._asked else self._take(run, taken)
                if mine is None:
                    passed.add(run.deployment)
                else:
                    taken.append(mine)
            if not due:
                break
        return taken

    def _take(self, run: Run, taken: Sequence[Run]) -> Run | None:
        """The run, handed to this process; None if that can't be now.

        Raises:
            StoreUnavailable: nothing can be written, and nothing was `taken` before.
        """
        submitting = State(PENDING, "Submitting", message="handed to a runner")
        try:
            after, report = self.judge(
                run.id, submitting, expected_seq=run.state.seq, session=self.session
            )
        except Conflict:
            return None  # another worker was faster
        except StoreUnavailable:
            if not taken:
                raise
            return None
        except Exception:
            log.exception("run %s of %s is due, and can't be begun", run.id, run.name)
            self._asked[run.id] = time.monotonic() + AGAIN
            return None
        if report.state.name == "Submitting" and after.session == self.session:
            return after
        if report.status is Status.WAIT:
            self._asked[run.id] = time.monotonic() + (report.retry_after or AGAIN)
        return None
