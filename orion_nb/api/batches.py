"""`POST /batch`: many proposals in one request and one commit, each judged by itself, in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, TypeVar

from orion_nb import clock
from orion_nb.api import codec
from orion_nb.api.elsewhere import ElsewhereRoutes
from orion_nb.api.liveness import Liveness
from orion_nb.api.once import seen_inside
from orion_nb.api.proposals import Proposals
from orion_nb.api.routes import route
from orion_nb.api.sessions import SessionRoutes, heard, read_session
from orion_nb.api.told import Told, read_told
from orion_nb.errors import Conflict, Fenced, InvalidInput, OrionError, RunNotFound
from orion_nb.rules import SAYS, Phase, Policy, Rule
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Kind, Run
from orion_nb.schemas.states import CRASHED, RUNNING, SCHEDULED, Running, State
from orion_nb.schemas.values import evolve
from orion_nb.store import runs
from orion_nb.store.database import Connection
from orion_nb.store.inside import Inside

T = TypeVar("T")

#: So many proposals are taken at once.
MOST = 1000


class BatchRoutes(SessionRoutes, ElsewhereRoutes):
    """What processes that execute runs elsewhere send."""

    @route("POST", "/batch", action="write")
    def batch(
        self, proposals: list[dict[str, Any]], *, session: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Up to 1000 proposals are judged in order and committed at once; each has its answer.

        `session` is the process that sends them (see `POST /sessions`); the runs that it begins
        belong to it, and end with it. A proposal is one of

        - `{"op": "begin", "run": {"id", "kind", "name", "parent", "policy", "state", ...},
          "state": {...}, "upstream": [[run, path], ...], "owned": true}`: a new run is written,
          and the state proposed;
        - `{"op": "advance", "run": id, "state": {"type", "name", ...}, "attempt", "token",
          "retriable", "rerun", "pulled"}`: the owner of a run proposes its next state; with `seq`
          only if the run still is in its state of that number;
        - `{"op": "foresee", ...}`: the same, and nothing is written.

        One that is `joined` is not judged if the one before it was an error.

        A state has at least a `type` and a `name`. With a `transition_id` a proposal that is sent
        again gets its first answer. `secret` is the token that an attempt gets which begins with
        it (else one is made). `at` (microseconds, UTC) is for what the owner of a run tells late:
        it was entered then, after the rules were asked there; `report` is what they said. Told so
        without a state, the run goes on as it did: one that was Lost meanwhile is Running again.

        Answers are `{"run": what the transition changed, "report": ...}`, or an error; one that is
        refused does not keep those after it from being judged. `missed` is true if the session had
        been taken for dead: it then tells of its other runs that they go on.
        """
        if len(proposals) > MOST:
            says = f"proposals: at most {MOST} at once, got {len(proposals)}"
            raise InvalidInput(says, field="proposals")
        sender = read_session(session) if session is not None else None

        def work(tx: Connection, careful: bool) -> dict[str, Any]:
            missed = sender is not None and not heard(tx, sender)
            if missed:
                self._reached.clear()
            seat = Seat.within(self, tx, sender.id if sender else None, missed)
            seat.careful = careful
            return {"answers": [seat.answer(told) for told in proposals], "missed": missed}

        if not isinstance(self.database, Inside):  # else nothing but a savepoint undoes anything
            with suppress(_Unclean):
                return self.database.write(lambda tx: work(tx, careful=False))
        return self.database.write(lambda tx: work(tx, careful=True))


class _Unclean(Exception):
    """A proposal was refused after something had been written of it."""


class Seat(Liveness):
    """The API as another process uses it, from inside one write."""

    database: Inside
    #: Each proposal has a savepoint of its own: a tenth of what it costs. Without, all that was
    #: written is undone, and done again with them, when one is refused midway: that is rare.
    careful: bool = True
    #: The proposal at hand.
    told: Told
    _usual: dict[Kind, Policy]
    _roots: dict[str, str]
    _missed: bool
    _failed: bool = False
    _reviving: bool = False

    @classmethod
    def within(cls, orion: Proposals, tx: Connection, session: str | None, missed: bool) -> Seat:
        """What is done from this seat is done by the session, and is part of the write."""
        seat = object.__new__(cls)
        seat.__dict__.update(vars(seen_inside(orion, tx)))
        seat._session = (os.getpid(), session) if session else None
        seat._usual, seat._roots, seat._missed = orion.policies, {}, missed
        seat._alike = None  # each proposal has a number, and maybe a time, of its own
        return seat

    def answer(self, told: dict[str, Any]) -> dict[str, Any]:
        """What comes of one proposal; one that is refused leaves nothing behind."""
        try:
            self.told = read_told(told)
            if self.told.joined and self._failed:
                raise Conflict("the proposal before this one, that it is joined to, was refused")
            run, report = self._do()
        except OrionError as error:
            self._failed = True
            return {**error.as_json(), "status": error.status}
        self._failed = False
        answered: dict[str, Any] = {"run": codec.of_moves(run)}
        if report is not None:
            answered["report"] = codec.of_report(report)
        return answered

    def _do(self) -> tuple[Run, Report | None]:
        run = self.told.run
        if self.told.op == "foresee":
            return self._foresee()
        if run is None:
            return self._undoable(self._advance)
        try:
            return self._undoable(self._begin)
        except Conflict:
            if not self._began_before(run):
                raise
            return self._undoable(self._advance)

    def _undoable(self, work: Callable[[], T]) -> T:
        """What `work` answers; if it is refused, nothing of it is left but that it came too late.

        Raises:
            _Unclean: something is left, for there was no savepoint.
        """
        if not self.careful:
            before = self.database.changes
            try:
                return work()
            except Fenced:
                raise
            except OrionError as error:
                if self.database.changes != before:
                    raise _Unclean from error
                raise
        with self.database.savepoint():
            try:
                return work()
            except Fenced as error:
                fenced = error  # that it came too late has been noted on the run
        raise fenced

    def _begin(self) -> tuple[Run, Report | None]:
        told = self.told
        run = told.run
        assert run is not None
        placed = evolve(run, root=self._root(run.parent)) if run.parent else run
        owned = told.owned and self._session is not None
        with self._as_of(earliest=0):
            return self.begin(placed, told.state, told.upstream, owned=owned, pulled=told.pulled)

    def _advance(self) -> tuple[Run, Report | None]:
        """The state is proposed; without one the run is as it is."""
        told = self.told
        earliest = 0
        if told.at is not None or told.state is None or self._missed:
            known = self._known(told.run_id)
            if told.claims == known.attempt and told.token and told.token == known.token:
                known = self._revived(known)
            if told.state is None:
                return known, None
            earliest = known.state.timestamp
        starts = told.state.type is RUNNING and self._session is not None and told.owned
        with self._as_of(earliest):
            return self.judge(
                told.run_id, told.state, claims=told.claims, token=told.token,
                transition_id=told.transition_id, retriable=told.retriable, rerun=told.rerun,
                session=self.session if starts else None, expected_seq=told.expected_seq,
            )  # fmt: skip

    def _revived(self, run: Run) -> Run:
        """The run, that goes on if it was only taken for lost: its owner has been heard of.

        Nobody else has begun an attempt since. It is in the same attempt as before.
        """
        if run.state.by != "reaper" or run.state.type not in (CRASHED, SCHEDULED):
            return run
        why = "its process lives: it was taken for lost"
        at = max(run.state.timestamp, min(self.told.at or clock.now(), clock.now()))
        state = Running(seq=run.state.seq + 1, timestamp=at, attempt=run.attempt, reason=why)
        line = Line("set_by_hand", SAYS["set_by_hand"], "pass", why)
        report = Report(Status.ACCEPT, state, why, rules=(line,), proposed="Running")
        after = evolve(run, state=state, end_time=None, blocked=None)
        self._reviving = True
        try:
            return self.database.write(lambda tx: self._record(tx, run, after, report)) or run
        finally:
            self._reviving = False

    def _foresee(self) -> tuple[Run, Report]:
        told, known = self.told, self._known(self.told.run_id)
        assert told.state is not None
        self.policies = self._usual
        report = self.foresee(
            told.run_id, told.state, claims=told.claims, token=told.token,
            transition_id=told.transition_id, retriable=told.retriable, rerun=told.rerun,
        )  # fmt: skip
        return evolve(known, state=report.state), report

    def _began_before(self, run: Run) -> bool:
        """The same run was begun with an earlier sending of the same proposal."""
        with self.database.read() as connection:
            known = runs.read(connection, run.id)
        return known is not None and (known.kind, known.name, known.parent) == (
            run.kind, run.name, run.parent,
        )  # fmt: skip

    @contextmanager
    def _as_of(self, earliest: int) -> Iterator[None]:
        """Within the block, what is told late is judged as of its time: not before the last state.

        Nor is anything entered in the future, whatever the clock of the sender says.
        """
        self.policies = self._usual
        if self.told.at is None:
            yield
            return
        self.policies = {kind: _late(tuple(rules)) for kind, rules in self._usual.items()}
        with clock.told(max(earliest, min(self.told.at, clock.now()))):
            yield

    def _judge(
        self, connection: Connection, run: Run, proposed: State, session: str | None, **told: Any
    ) -> tuple[Run, Report]:
        ours = self.told
        if run.id != ours.run_id:  # another, that has to make way
            return super()._judge(connection, run, proposed, session, **told)
        told["pulled"] = ours.pulled
        after, report = super()._judge(connection, run, proposed, session, **told)
        if ours.secret and after.attempt != run.attempt:
            after = evolve(after, token=ours.secret)
            if report.token is not None:
                report = evolve(report, token=ours.secret)
        if ours.report is not None and report.status is Status.ACCEPT:
            there = ours.report
            report = evolve(
                report, status=there.status, reason=there.reason, rules=there.rules,
                proposed=there.proposed,
            )  # fmt: skip
        return after, report

    def _append(
        self,
        tx: Connection,
        before: Run,
        after: Run,
        report: Report,
        transition_id: str | None = None,
    ) -> int:
        if before.id == self.told.run_id and not self._reviving:
            transition_id = self.told.transition_id
        return super()._append(tx, before, after, report, transition_id)

    def _known(self, run_id: str) -> Run:
        with self.database.read() as connection:
            known = runs.read(connection, run_id)
        if known is None:
            raise RunNotFound(f"no run {run_id!r}; `orion-nb runs ls` lists the runs there are")
        return known

    def _root(self, parent: str) -> str:
        if parent not in self._roots:
            known = self._known(parent)
            is_ours = self._session is not None and known.session == self.session
            if is_ours and self._missed and self.told.at is None:
                self._revived(known)  # else it would be told that nothing begins in it any more
            self._roots[parent] = known.root
        return self._roots[parent]


@lru_cache(maxsize=16)
def _late(policy: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """What has happened is not asked whether it may: only whose it was, and what came before."""
    return tuple(rule for rule in policy if rule.phase <= Phase.FINALITY)
