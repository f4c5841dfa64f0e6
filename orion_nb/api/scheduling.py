"""What a scheduler and a worker ask: which runs are due, and who takes them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from orion_nb import clock
from orion_nb.api.deployments import DeploymentRoutes, deployment_rows
from orion_nb.errors import Conflict
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import PENDING, State
from orion_nb.schemas.values import evolve
from orion_nb.store import listing, runs
from orion_nb.store.database import Connection

if TYPE_CHECKING:
    from orion_nb.schemas.deployments import Deployment


log = logging.getLogger(__name__)

#: Of the deployments that are due, so many are written in one transaction.
AT_ONCE = 250


class Scheduling(DeploymentRoutes):
    """Runs of deployments, from due to taken."""

    def next_due(self) -> int | None:
        """The earliest instant at which a deployment is due or a scheduled run may start."""
        with self.database.read() as connection:
            due = deployment_rows().next_due(connection)
            waiting = listing.next_scheduled(connection)
        return min((at for at in (due, waiting) if at is not None), default=None)

    def has_deployments(self) -> bool:
        """There is one that is not paused: a worker may have something to do."""
        with self.database.read() as connection:
            return bool(deployment_rows().is_any_active(connection))

    def schedule_due(self) -> list[Run]:
        """A run is created for each deployment that is due; of missed instants, as `catch_up` says.

        Any number of schedulers may do this at once: one run per deployment and instant is made.
        """
        now = clock.now()
        made: list[Run] = []
        while True:
            with self.database.read() as connection:
                due = deployment_rows().read_due(connection, now, AT_ONCE)
            works = [self._due(known, now) for each in due if (known := self._sound(each))]
            jobs = self.database.write_all(works)
            for job in jobs:
                if job.error is not None:
                    raise job.error
                made += job.value
            if len(due) < AT_ONCE:
                return made

    def _sound(self, read: Deployment | tuple[str, str, ValueError]) -> Deployment | None:
        """A deployment as it was read; one that can't be read holds up no other."""
        if not isinstance(read, tuple):
            return read
        broken, name, error = read
        log.error("deployment %s can't be read and is stopped; deploy it anew: %s", name, error)
        self.database.write(lambda tx: deployment_rows().stop(tx, broken))
        return None

    def _due(self, known: Deployment, now: int) -> Callable[[Connection], list[Run]]:
        """What is to be written for a deployment that is due: its runs, and when it is next."""
        slots, following = known.settle(now)
        made = [(slot, self.deployed_run(known, slot, known.parameters)) for slot in slots]

        def work(tx: Connection) -> list[Run]:
            if not deployment_rows().move(tx, known, following):
                return []  # it was changed, or another scheduler was faster
            missing = (
                (slot, run) for slot, run in made if runs.read_slot(tx, known.id, slot) is None
            )
            return [self._born(tx, run, slot, now) for slot, run in missing]

        return work

    def _born(self, tx: Connection, run: Run, slot: int, now: int) -> Run:
        born = evolve(run.state, seq=1, timestamp=now)
        runs.append(tx, run.id, born, None, None)
        made = evolve(run, state=born, created=now, scheduled_time=slot)
        runs.insert(tx, made, slot)
        return made

    def claim(self, limit: int) -> list[Run]:
        """Up to `limit` deployed runs whose time has come are handed to this process: Submitting.

        Two workers never get the same run.
        """
        taken = []
        with self.database.read() as connection:
            due = listing.claimable(connection, clock.now(), limit)
        for run in due:
            submitting = State(PENDING, "Submitting", message="handed to a runner")
            try:
                after, report = self.judge(
                    run.id, submitting, expected_seq=run.state.seq, session=self.session
                )
            except Conflict:
                continue  # another worker was faster
            if report.state.name == "Submitting" and after.session == self.session:
                taken.append(after)
        return taken
