"""Runs whose process is gone: found by looking, ended by proposal."""

from __future__ import annotations

from orion_nb.api.proposals import Proposals
from orion_nb.errors import Conflict
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, PENDING, SCHEDULED, Cancelled, Crashed, Scheduled
from orion_nb.store import runs, sessions


class Liveness(Proposals):
    """What a reaper asks."""

    def reap(self, why: str = "its process is gone") -> list[Run]:
        """Every run whose process is gone is proposed as Crashed; as Cancelled, if asked to stop.

        A deployed run whose runner was lost before it began is Scheduled again.
        """
        with self.database.read() as connection:
            left = runs.unfinished(connection)
            owners = {run.session for run in left if run.session}
            read = {key: sessions.read(connection, bytes.fromhex(key)) for key in owners}
        dead = {key for key, session in read.items() if session is None or not session.is_alive}
        return [self._end(run, why) for run in left if run.session in dead and _ends_with_it(run)]

    def _end(self, run: Run, why: str) -> Run:
        proposed = Crashed(why, by="reaper")
        if run.state.type is CANCELLING:
            proposed = Cancelled(why, by="reaper")
        elif run.state.type is PENDING and run.deployment:
            proposed = Scheduled(run.scheduled_time or 0, message=why, by="reaper")
        try:
            return self.judge(run.id, proposed, expected_seq=run.state.seq)[0]
        except Conflict:
            return self.find(run.id)  # it moved while we looked: it lives, or has ended


def _ends_with_it(run: Run) -> bool:
    """A deployed flow run that waits for its retry does so without a process."""
    return not (run.state.type is SCHEDULED and run.deployment)
