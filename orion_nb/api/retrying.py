"""Retries that are awaited, and that somebody doesn't want to wait for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from orion_nb import clock
from orion_nb.api.proposals import Proposals
from orion_nb.api.routes import route
from orion_nb.errors import Conflict
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import SCHEDULED, state
from orion_nb.store import listing

AWAITS = "AwaitingRetry"


class RetryRoutes(Proposals):
    """Retry now."""

    @route("POST", "/runs/{run_id}/retry", action="execute")
    def retry_now(
        self, run_id: str, why: str | None = None, by: str | None = None
    ) -> dict[str, Any]:
        """The retry that a run awaits is due now, and so is that of each run within it.

        Answers `{"retried": [{"id", "name"}]}`, outer ones first. Whoever executes a run notices
        within half a second. A run that is Running by then is left alone.

        Raises:
            Conflict: neither it nor a run within it awaits a retry.
        """
        run = self.find(run_id)
        with self.database.read() as connection:
            below = listing.unfinished_below(connection, run, AWAITS)
        asked = [run, *map(self.find, below)]
        retried = [each for each in asked if self._retry(each, why, by)]
        if not retried:
            says = (
                f"run {short(run.id)} is {run.state.name}: it awaits no retry, and no run within it"
            )
            raise Conflict(says)
        return {"retried": [{"id": each.id, "name": each.name} for each in retried]}

    def _retry(self, run: Run, why: str | None, by: str | None) -> bool:
        if run.state.name != AWAITS:
            return False
        message = why or "retried at once, on request"
        now = state(SCHEDULED, AWAITS, scheduled_time=clock.now(), message=message, by=by)
        with suppress(Conflict):  # it has moved on
            return self.judge(run.id, now, expected_seq=run.state.seq)[1].status is Status.ACCEPT
        return False
