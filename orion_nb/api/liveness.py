"""Runs whose process is gone: found by looking, ended by proposal; and messages that come late."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from orion_nb import clock
from orion_nb.api.proposals import Proposals
from orion_nb.errors import Conflict
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    CANCELLING,
    CRASHED,
    NAMES,
    PENDING,
    SCHEDULED,
    TERMINAL,
    Cancelled,
    Crashed,
    Lost,
    Scheduled,
    State,
)
from orion_nb.store import listing, notes, sessions, trees
from orion_nb.store.database import Connection
from orion_nb.store.sessions import BEAT, LEASE, Session

#: Called with a run and the state that is proposed for it.
First = Callable[[Run, State], object]

GONE = "its process is gone"
#: A look that comes so much later than the one before (seconds) was held up: nobody is judged.
STALL = 5.0
#: A silent session is only suspected until we have written ourselves, and it had time to do so.
TIME_TO_ANSWER = 2 * BEAT
_ENDS = frozenset(name for kind in TERMINAL for name in NAMES[kind])


class Watch:
    """When the beat of each session that can't be seen last changed, by a clock of our own.

    The clocks of two hosts are never compared. A session has one lease from the moment on at
    which it was first seen, and a whole one again after we were held up or asleep ourselves.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self.ticks = ticks
        self._lock = threading.Lock()
        self._heard: dict[str, tuple[int | None, float]] = {}
        self._last: tuple[float, int] | None = None

    def silent(self, watched: Sequence[Session]) -> list[Session]:
        """Those of the sessions that have not beaten for a lease; others are forgotten."""
        with self._lock:
            now = self.ticks()
            if self._slept(now):
                self._heard.clear()
            heard = {}
            for each in watched:
                beat, since = self._heard.get(each.id, (None, now))
                heard[each.id] = (each.beat, since if beat == each.beat else now)
            self._heard = heard
            return [each for each in watched if now - heard[each.id][1] > LEASE]

    def _slept(self, now: float) -> bool:
        """We did not look for a while: by the ticks, or by the clock, which runs on in sleep."""
        wall = clock.now()
        last, self._last = self._last, (now, wall)
        if last is None:
            return False
        return now - last[0] > STALL or (wall - last[1]) / clock.SECOND > STALL


class Liveness(Proposals):
    """What a reaper asks; and what becomes of messages of those whom it took for dead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._watch = Watch()
        self._suspects: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def reap(
        self,
        why: str = GONE,
        *,
        runners: bool = True,
        spare: Collection[int] = (),
        first: First = lambda run, end: None,
    ) -> list[Run]:
        """Every run whose process is gone is proposed as Crashed; as Cancelled, if asked to stop.

        A session that can't be seen from here is Lost once this API has heard nothing of it for a
        lease; it has to be asked every second or so for that. A deployed run whose runner was lost
        before it began is Scheduled again. What waits for a retry by itself is left waiting: it
        needs no process. With `runners` False the runs of runners, whose notebooks have to be
        cleared up after, are left to others; so are those of the processes of this host in `spare`
        (their numbers): whoever started them can say how they ended. `first` is called with a run
        and the end that is proposed for it, before it is given that; and again by the next reaper,
        if this one dies meanwhile.
        """
        gone, silent = self._missing()
        gone = [each for each in gone if not (each.is_here and each.pid in spare)]
        lost = self._confirmed(silent)
        if not runners:
            gone, lost = ([each for each in part if not each.is_runner] for part in (gone, lost))
        end = Crashed(why, by="reaper")
        ended = [run for session in gone for run in self._reap(session, end, first)]
        for session in lost:
            self._declare_lost(session)
            told = f"nothing was heard of {session.host} (pid {session.pid}) for {LEASE:g} s"
            ended += self._reap(session, Lost(told, by="reaper"), first)
        return ended

    def _beat(self) -> bool:
        """This process lives; and since it is awake, it looks whether others have died."""
        if not super()._beat():
            return False
        self.reap(runners=False)
        return True

    def missing(self) -> list[Session]:
        """The sessions whose process has gone while nobody has looked after its runs yet."""
        return self._missing()[0]

    def _missing(self) -> tuple[list[Session], list[Session]]:
        """The sessions seen to be dead, and those not heard of for a lease."""
        with self.database.read() as connection:
            found = [(each, each.exists) for each in sessions.unsettled(connection)]
        unseen = [each for each, exists in found if exists is None]
        return [each for each, exists in found if exists is False], self._watch.silent(unseen)

    def _confirmed(self, silent: Sequence[Session]) -> list[Session]:
        """Those of the silent sessions that could have beaten: they stayed silent after we wrote.

        When somebody holds the database for a while nobody's beats reach it, and all look dead.
        """
        known = {each.id: self._suspects.get(each.id) for each in silent}
        if None in known.values():
            self.database.write(lambda tx: None)
        now = self._watch.ticks()
        self._suspects = {key: now if at is None else at for key, at in known.items()}
        return [each for each in silent if now - (known[each.id] or now) >= TIME_TO_ANSWER]

    def _declare_lost(self, session: Session) -> None:
        """From now on it holds no run; its next beat, if there is one, takes that back."""
        now = clock.now()
        self.database.write(lambda tx: sessions.close(tx, session.id, now))

    def _reap(self, session: Session, end: State, first: First) -> list[Run]:
        ended = []
        for run in self._left_of(session):
            first(run, _end_of(run, end))
            ended.append(self._end(run, end))
        inside = [each for run in ended if run.state.type is CRASHED for each in self._inside(run)]
        if not self._left_of(session):  # one that was moved while we looked is left for next time
            now = clock.now()
            self.database.write(lambda tx: sessions.settle(tx, session.id, now))
        return [*ended, *inside]

    def _left_of(self, session: Session) -> list[Run]:
        """The runs of a session that end with it, and have not yet."""
        with self.database.read() as connection:
            left = listing.unfinished(connection, bytes.fromhex(session.id))
        return [run for run in left if _ends_with_it(run)]

    def _inside(self, run: Run) -> list[Run]:
        """What nobody is executing in a run that has crashed ends with it."""
        with self.database.read() as connection:
            left = [each for each in trees.left_in(connection, run) if not _lives(connection, each)]
        end = Crashed(f"the {run.kind} around it has {run.state.name.lower()}", by="reaper")
        return [self._end(each, end) for each in left]

    def _end(self, run: Run, end: State) -> Run:
        try:
            after = self.judge(run.id, _end_of(run, end), expected_seq=run.state.seq)[0]
            if after.parent and after.state.type is SCHEDULED and not after.deployment:
                # Its policy tries again after a crash, but what it is part of has crashed as well.
                after = self.judge(run.id, end, expected_seq=after.state.seq)[0]
        except Conflict:
            return self.find(run.id)  # it moved while we looked: it lives, or has ended
        return after

    def _refuse(self, tx: Connection, run: Run, report: Report) -> Run:
        """A message of an attempt that is over, or of a run that has ended, is noted on the run."""
        too_late = run.state.is_terminal and report.proposed in _ENDS - {run.state.name}
        if report.fenced or too_late:
            told = f"too late: {report.proposed} was proposed, and refused: {report.reason}"
            notes.add(tx, run.id, told, clock.now())
        return super()._refuse(tx, run, report)


def _end_of(run: Run, end: State) -> State:
    """What is proposed for a run whose process has come to this end."""
    if run.state.type is CANCELLING:
        return Cancelled(end.message, by=end.by)
    if run.state.type is PENDING and run.deployment:
        return Scheduled(run.scheduled_time or 0, message=end.message, by=end.by)
    return end


def _ends_with_it(run: Run) -> bool:
    """What waits for its time, or to be tried again, does so without a process.

    A run within another does not: whoever would go on with it is gone.
    """
    if run.state.type is not SCHEDULED:
        return True
    return not run.deployment and (run.parent is not None or run.state.name == "AwaitingSlot")


def _lives(connection: Connection, run: Run) -> bool:
    """A process that lives is executing the run."""
    if run.session is None:
        return False
    session = sessions.read(connection, bytes.fromhex(run.session))
    return session is not None and session.is_alive
