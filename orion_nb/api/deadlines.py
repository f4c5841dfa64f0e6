"""Deadlines of runs that nobody else watches: the clock is looked at, and the rules are asked."""

from __future__ import annotations

from collections.abc import Iterator

from orion_nb import clock
from orion_nb.api.runs import RunRoutes
from orion_nb.clock import SECOND
from orion_nb.errors import Conflict, RunNotFound
from orion_nb.rules.promises import LATE_END, LATE_START
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import PAUSED, RUNNING, TimedOut
from orion_nb.store import deadlines, notes
from orion_nb.store.database import Connection


class Deadlines:
    """What is promised about unfinished runs, and when each is to be looked at again.

    A run with a session is stopped at its timeout by its own process; one that is driven over
    HTTP has none. For promises of service (`sla`, `sla_start`) every run is looked at.
    """

    def __init__(self, orion: RunRoutes) -> None:
        self._orion = orion
        self._seen: int | None = None
        self._due: dict[str, int] = {}

    def look(self) -> list[Run]:
        """What is overdue is marked, TimedOut or cancelled; answers the runs it was done to."""
        self._learn()
        now = clock.now()
        late = [run_id for run_id, at in self._due.items() if at <= now]
        return [run for run_id in late if (run := self._act(run_id, now)) is not None]

    def _learn(self) -> None:
        with self._orion.database.read() as connection:
            connection.execute("BEGIN")
            found, self._seen = deadlines.moved(connection, self._seen)
        for run in found:
            self._note(run)

    def _note(self, run: Run) -> None:
        """When the next thing is due about the run; nothing any more, if that is so."""
        moments = [at for at, _ in promises(run)]
        if moments:
            self._due[run.id] = min(moments)
        else:
            self._due.pop(run.id, None)

    def _act(self, run_id: str, now: int) -> Run | None:
        self._due.pop(run_id, None)
        try:
            run = self._orion.find(run_id)
            if run.state.is_terminal:
                return None
            what = [what for at, what in promises(run) if at <= now]
            for each in what:
                self._keep(run, each, now)
            after = self._orion.find(run_id)
        except (Conflict, RunNotFound):
            return None  # it moved, and will be found by that
        if not after.state.is_terminal:
            self._note(after)
        return after if what else None

    def _keep(self, run: Run, what: str, now: int) -> None:
        if what in (LATE_START, LATE_END):
            self._mark(run, what, now)
            return
        limit = run.policy.timeout
        told = f"its timeout of {limit:g} s is over" if limit else ""
        if run.state.type is PAUSED:
            told = "the pause is over, and nobody has resumed it"
        self._orion.judge(run.id, TimedOut(told, by="deadline"), expected_seq=run.state.seq)

    def _mark(self, run: Run, what: str, now: int) -> None:
        """The mark is set once, with a note; a run that is to be cancelled for it then is."""
        policy = run.policy
        allowed = (policy.sla_start if what == LATE_START else policy.sla) or 0.0
        word = "start" if what == LATE_START else "end"
        told = f"its SLA is missed: it did not {word} within {allowed:g} s"

        from orion_nb.api.telling import note_late

        def work(tx: Connection) -> bool:
            if not deadlines.mark(tx, run, what):
                return False
            notes.add(tx, run.id, told, now)
            if run.parent is None:
                note_late(tx, run.id, run.deployment, run.name, f"{what}:{run.id}", now)
            return True

        if self._orion.database.write(work) and policy.sla_action == "cancel":
            self._orion.cancel(run.id, why=told, by="sla")


def promises(run: Run) -> Iterator[tuple[int, str]]:
    """What is still to be done about the run if it does not move: when, and what."""
    policy, state = run.policy, run.state
    if run.session is None and state.type is RUNNING and policy.timeout is not None:
        yield state.timestamp + round(policy.timeout * SECOND), "timeout"
    if run.session is None and state.type is PAUSED and state.scheduled_time is not None:
        yield state.scheduled_time, "timeout"
    due = run.due
    if due is None:
        return
    if policy.sla_start is not None and run.start_time is None and LATE_START not in run.marks:
        yield due + round(policy.sla_start * SECOND) + 1, LATE_START
    if policy.sla is not None and LATE_END not in run.marks:
        yield due + round(policy.sla * SECOND) + 1, LATE_END
