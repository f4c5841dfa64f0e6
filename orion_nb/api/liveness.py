"""Runs whose process is gone: found by looking, ended by proposal."""

from __future__ import annotations

from orion_nb import clock
from orion_nb.api.proposals import Proposals
from orion_nb.errors import Conflict
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, PENDING, SCHEDULED, Cancelled, Crashed, Scheduled
from orion_nb.store import listing, sessions
from orion_nb.store.sessions import Session


class Liveness(Proposals):
    """What a reaper asks."""

    def reap(self, why: str = "its process is gone") -> list[Run]:
        """Every run whose process is gone is proposed as Crashed; as Cancelled, if asked to stop.

        A deployed run whose runner was lost before it began is Scheduled again.
        """
        with self.database.read() as connection:
            gone = [each for each in sessions.unsettled(connection) if not each.is_alive]
        return [run for session in gone for run in self._reap(session, why)]

    def _reap(self, session: Session, why: str) -> list[Run]:
        with self.database.read() as connection:
            left = listing.unfinished(connection, bytes.fromhex(session.id))
        ended = [self._end(run, why) for run in left if _ends_with_it(run)]
        now = clock.now()
        self.database.write(lambda tx: sessions.settle(tx, session.id, now))
        return ended

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
