"""What a scheduler and a worker ask: which runs are due, and who takes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orion_nb import clock
from orion_nb.api.deployments import DeploymentRoutes, deployment_rows
from orion_nb.errors import Conflict
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import PENDING, State
from orion_nb.store import listing, runs
from orion_nb.store.database import Connection

if TYPE_CHECKING:
    from orion_nb.schemas.deployments import Deployment


class Scheduling(DeploymentRoutes):
    """Runs of deployments, from due to taken."""

    def next_due(self) -> int | None:
        """The earliest instant at which a deployment is due or a scheduled run may start."""
        with self.database.read() as connection:
            due = deployment_rows().next_due(connection)
            waiting = listing.next_scheduled(connection)
        return min((at for at in (due, waiting) if at is not None), default=None)

    def schedule_due(self) -> list[Run]:
        """A run is created for each deployment that is due; of missed instants, for the latest.

        Any number of schedulers may do this at once: one run per deployment and instant is made.
        """
        now = clock.now()
        with self.database.read() as connection:
            due = deployment_rows().read_due(connection, now)
        return [run for known in due if (run := self._schedule(known, now)) is not None]

    def _schedule(self, known: Deployment, now: int) -> Run | None:
        slot = known.latest_due(now)
        following = known.due_after(now)
        if slot is None:
            return None
        made = self.deployed_run(known, slot, known.parameters)

        def work(tx: Connection) -> Run | None:
            current = deployment_rows().read(tx, known.id)
            if current is None or current.paused:
                return None
            if (current.revision, current.next_due) != (known.revision, known.next_due):
                return None  # it was changed, or another scheduler was faster
            deployment_rows().update(tx, current.model_copy(update={"next_due": following}))
            if runs.read_slot(tx, known.id, slot) is not None:
                return None
            born = replace(made.state, seq=1, timestamp=now)
            run = replace(made, state=born, created=now, scheduled_time=slot)
            run = replace(run, state=runs.append(tx, run.id, born, None, None))
            runs.insert(tx, run, slot)
            return run

        return self.database.write(work)

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
