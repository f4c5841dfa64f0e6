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

    def has_deployments(self) -> bool:
        """There is one that is not paused: a worker may have something to do."""
        with self.database.read() as connection:
            return bool(deployment_rows().is_any_active(connection))

    def schedule_due(self) -> list[Run]:
        """A run is created for each deployment that is due; of missed instants, as `catch_up` says.

        Any number of schedulers may do this at once: one run per deployment and instant is made.
        """
        now = clock.now()
        with self.database.read() as connection:
            due = deployment_rows().read_due(connection, now)
        return [run for known in due for run in self._schedule(known, now)]

    def _schedule(self, known: Deployment, now: int) -> list[Run]:
        slots = known.to_make_up_for(now)
        following = known.due_after(now)
        made = [(slot, self.deployed_run(known, slot, known.parameters)) for slot in slots]

        def work(tx: Connection) -> list[Run]:
            current = deployment_rows().read(tx, known.id)
            if current is None or current.paused:
                return []
            if (current.revision, current.next_due) != (known.revision, known.next_due):
                return []  # it was changed, or another scheduler was faster
            deployment_rows().update(tx, current.model_copy(update={"next_due": following}))
            missing = (
                (slot, run) for slot, run in made if runs.read_slot(tx, known.id, slot) is None
            )
            return [self._born(tx, run, slot, now) for slot, run in missing]

        return self.database.write(work) if made else []

    def _born(self, tx: Connection, run: Run, slot: int, now: int) -> Run:
        born = replace(run.state, seq=1, timestamp=now)
        runs.append(tx, run.id, born, None, None)
        made = replace(run, state=born, created=now, scheduled_time=slot)
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
