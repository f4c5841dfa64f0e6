"""How a proposal becomes a state: facts are read, rules are asked, rows are written, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from orion_nb import clock
from orion_nb.api.alike import Alike, Beginning, Ending, is_plain_start, is_silent_end
from orion_nb.api.answers import Answer, Proposal, handed_out, is_of_others, unfenced
from orion_nb.api.by_hand import check_at, set_by_hand
from orion_nb.api.core import Core
from orion_nb.errors import Fenced, RunNotFound, StoreUnavailable
from orion_nb.rules import POLICIES, enters, evaluate
from orion_nb.rules.bookkeeping import bookkeep
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, RUNNING, State, state
from orion_nb.schemas.values import evolve
from orion_nb.settings import Settings
from orion_nb.store import facts, kept, limits, runs, sessions
from orion_nb.store.alike import Rows
from orion_nb.store.database import Connection

#: So many trees of runs are remembered as reached; forgetting them costs a statement each.
MOST_REACHED = 10_000

#: In these states, or waiting for one of them, a run counts with the limits it is subject to.
COUNTED = frozenset({"Running", "Retrying", "Rerunning", "Submitting", "AwaitingSlot"})


class Proposals(Core):
    """The write path: every state of every run is entered here."""

    #: How the last plain run began, and completed, by kind; None: each is judged by itself.
    _alike: Alike | None = None

    def __init__(self, settings: Settings, label: str | None = None) -> None:
        super().__init__(settings, label)
        self._alike = Alike()

    def begin(
        self,
        run: Run,
        proposed: State | None = None,
        upstream: Sequence[tuple[str, str]] = (),
        *,
        owned: bool = True,
        pulled: bool | None = None,
    ) -> tuple[Run, Report | None]:
        """A new run is written, and in the same transaction `proposed` is put to the rules.

        Answers the run as it then is, and the report if a state was proposed. `run.state` is the
        state it is born in. A run for which a state is proposed belongs to this process, and ends
        with it, unless `owned` is False. `upstream` are the runs it takes inputs from, each with
        the path of the argument; `pulled` is what a trigger that is a function said.
        """
        session = self.session if proposed is not None and owned else None
        return self.database.write(
            lambda tx: self._begin_in(tx, run, proposed, upstream, session, pulled), remembers=True
        )

    def _alike_of(self, run: Run) -> Alike | None:
        """What is known of runs like it; None while there are rules of one's own."""
        return self._alike if self.policies[run.kind] is POLICIES[run.kind] else None

    def _begin_in(
        self,
        tx: Connection,
        run: Run,
        proposed: State | None,
        upstream: Sequence[tuple[str, str]],
        session: str | None,
        pulled: bool | None = None,
    ) -> tuple[Run, Report | None]:
        alike = self._alike_of(run) if not upstream and pulled is None else None
        if alike is not None:
            asked = (self.database.epoch, session)
            like = alike.beginnings.get(run.kind)
            if like is not None and like.fits(run, proposed, asked):
                return like.again(tx, run)
        now = clock.now()
        born = evolve(run.state, seq=1, timestamp=now)
        made = evolve(
            run, state=born, created=now, scheduled_time=born.scheduled_time, session=session
        )
        if upstream:
            runs.depend(tx, made.id, upstream)
        runs.append(tx, made.id, born, None, None)
        if proposed is None:
            runs.insert(tx, made)
            return made, None
        after, report = self._judge(
            tx, made, proposed, session, claims=0, waits=bool(upstream), pulled=pulled,
            memo=self.database.memo,
        )  # fmt: skip
        if after is not made:
            digest = self._append(tx, made, after, report)
        runs.insert(tx, after)
        self._take_effect(tx, after, report)
        if after is made:
            after = self._refuse(tx, made, report)
            return after, handed_out(report, made, after)
        report = handed_out(report, made, after)
        if alike is not None and is_plain_start(run, after, report):
            asked = (self.database.epoch, session)
            rows = Rows(after, born, digest)
            alike.beginnings[run.kind] = Beginning(run, proposed, rows, after, report, asked)
        return after, report

    def advance(
        self,
        run: Run,
        proposed: State,
        *,
        retriable: bool = True,
        rerun: bool = False,
        pulled: bool | None = None,
    ) -> tuple[Run, Report]:
        """The owner of a run proposes its next state: nothing is read that it knows already.

        With `rerun` a run that has finished is opened again. If somebody else moved the run
        meanwhile, the rules judge the run as it now is.

        Raises:
            Fenced: another attempt owns the run now.
        """
        session = self.session if proposed.type is RUNNING else None  # which may have to be written
        answer = self.database.write(
            lambda tx: self._advance_in(tx, run, proposed, session, retriable, rerun, pulled),
            remembers=True,
        )
        return unfenced(answer)

    def put_all(self, proposals: Sequence[Proposal]) -> list[Answer]:
        """The owner's proposals are judged in order, and committed at once.

        Each answer is what `begin` or `advance` answers, or the error that it raises.
        """
        session = self.session
        try:
            return self.database.write(
                lambda tx: [self._put_in(tx, each, session) for each in proposals], remembers=True
            )
        except StoreUnavailable as error:
            return [error] * len(proposals)
        except Exception:
            # One of them failed, and took the others with it: each is put by itself.
            works = [partial(self._put_in, each=each, session=session) for each in proposals]
            jobs = self.database.write_all(works, remembers=True)
            return [job.value if job.error is None else job.error for job in jobs]

    def _put_in(self, tx: Connection, each: Proposal, session: str) -> Answer:
        run, proposed, upstream, retriable, rerun, pulled = each
        if run.state.seq == 0:
            after, report = self._begin_in(tx, run, proposed, upstream, session, pulled)
        else:
            mine = session if proposed.type is RUNNING else None
            after, report = self._advance_in(tx, run, proposed, mine, retriable, rerun, pulled)
        assert report is not None
        return Fenced(report.reason or "fenced") if report.fenced else (after, report)

    def _advance_in(
        self,
        tx: Connection,
        run: Run,
        proposed: State,
        session: str | None,
        retriable: bool,
        rerun: bool = False,
        pulled: bool | None = None,
    ) -> tuple[Run, Report]:
        alike = self._alike_of(run) if not rerun else None
        if alike is not None:
            asked = self.database.epoch
            like = alike.endings.get(run.kind)
            if like is not None and like.fits(run, proposed, asked):
                self.database.forget(run.id)
                if (answer := like.again(tx, run, proposed)) is not None:
                    return answer
        known = run
        for _ in range(2):
            after, report = self._judge(
                tx, known, proposed, session, claims=run.attempt, token=run.token,
                retriable=retriable, rerun=rerun, pulled=pulled, memo=self.database.memo,
            )  # fmt: skip
            done = self._record(tx, known, after, report)
            if done is not None:
                report = handed_out(report, known, done)
                if alike is not None and known is run and is_silent_end(run, proposed, report):
                    digest = self.reports.keep(tx, report)
                    asked = self.database.epoch
                    alike.endings[run.kind] = Ending(run, report, digest, asked)
                return done, report
            known = _reread(tx, run.id)
        raise AssertionError("unreachable: the run can't move inside our own transaction")

    def judge(
        self,
        run_id: str,
        proposed: State,
        *,
        claims: int | None = None,
        token: str | None = None,
        transition_id: str | None = None,
        retriable: bool = True,
        expected_seq: int | None = None,
        session: str | None = None,
        rerun: bool = False,
        also: Callable[[Connection], None] | None = None,
    ) -> tuple[Run, Report]:
        """Anybody proposes a state for the run of this id.

        With `expected_seq` the proposal is made only if the run still is in that state. `also` is
        done in the same transaction, if it is entered as proposed.

        Raises:
            RunNotFound, Fenced; Conflict: the run has moved on from `expected_seq`.
        """

        def work(tx: Connection) -> tuple[Run, Report]:
            run = _reread(tx, run_id)
            if transition_id and (told := _replay(tx, run, transition_id)):
                return run, told
            check_at(run, expected_seq)
            after, report = self._judge(
                tx, run, proposed, session, claims=claims, token=token, retriable=retriable,
                rerun=rerun,
            )  # fmt: skip
            done = self._record(tx, run, after, report, transition_id) or run
            if also is not None and report.status is Status.ACCEPT:
                also(tx)
            return done, handed_out(report, run, done)

        return unfenced(self.database.write(work))

    def foresee(
        self, run_id: str, proposed: State, *, transition_id: str | None = None, **claim: Any
    ) -> Report:
        """The same judgement as `judge`, and nothing is written nor handed out."""
        with self.database.read() as connection:
            connection.execute("BEGIN")
            run = _reread(connection, run_id)
            report = _replay(connection, run, transition_id) if transition_id else None
            if report is None:
                check_at(run, claim.pop("expected_seq", None))
                after, report = self._judge(connection, run, proposed, None, **claim)
                report = handed_out(report, run, after)
        return evolve(report, attempt=None, token=None)

    def force(
        self, run_id: str, proposed: State, *, by: str, why: str, seq: int | None = None
    ) -> tuple[Run, Report]:
        """The state is entered without asking a rule; the report says by whom and why.

        With `seq` only if the run is in its state of that number. A run that was finished and is
        not any more gets a new attempt when it next runs.
        """
        forced = set_by_hand(proposed, by, why, seq)

        def work(tx: Connection) -> tuple[Run, Report]:
            run = _reread(tx, run_id)
            after, report = forced(run)
            done = self._record(tx, run, after, report) or run
            return done, handed_out(report, run, done)

        return self.database.write(work)

    def foresee_forced(self, run_id: str, proposed: State, **hand: Any) -> Report:
        """The same as `force` answers, and nothing is written nor handed out."""
        forced = set_by_hand(proposed, **hand)
        with self.database.read() as connection:
            _, report = forced(_reread(connection, run_id))
        return evolve(report, attempt=None, token=None)

    def _judge(
        self,
        connection: Connection,
        run: Run,
        proposed: State,
        session: str | None,
        **told: Any,
    ) -> tuple[Run, Report]:
        """What comes of the proposal; `told` is what `facts.gather` takes."""
        now = clock.now()
        transition = facts.gather(connection, run, proposed, now, **told)
        report = evaluate(self.policies[run.kind], transition)
        if not enters(report, run.state):
            return run, report
        entered = report.state
        if report.reason and not entered.reason:
            entered = entered.because(report.reason)
        if proposed.by and not entered.by:
            entered = evolve(entered, by=proposed.by)
        if transition.places:
            report = evolve(report, limits=tuple(place.name for place in transition.places))
        return bookkeep(run, entered, now, session, report.marks), report

    def _record(
        self,
        tx: Connection,
        before: Run,
        after: Run,
        report: Report,
        transition_id: str | None = None,
    ) -> Run | None:
        """The entered state, or else the refusal, is written with its report.

        None, and nothing is written, if the run is not in the state any more that was judged.
        """
        if after is before:
            if not runs.is_at(tx, before.id, before.state.seq):
                return None
            self._cancel_for(tx, before, report)
            return self._refuse(tx, before, report)
        self.database.forget(after.id)
        self._append(tx, before, after, report, transition_id)
        if not runs.move(tx, after, before.state.seq):
            runs.withdraw(tx, after.state)
            return None
        self._take_effect(tx, after, report)
        return after

    def _append(
        self,
        tx: Connection,
        before: Run,
        after: Run,
        report: Report,
        transition_id: str | None = None,
    ) -> int:
        digest = self.reports.keep(tx, report)
        runs.append(tx, after.id, after.state, before.state.n, digest, transition_id)
        return digest

    def _refuse(self, tx: Connection, run: Run, report: Report) -> Run:
        """The last refusal is kept; the same one again is not worth a commit.

        One of what others want of a run that is executed is none: the run itself goes on.
        """
        if report.fenced or run.state.is_terminal or is_of_others(report):
            return run
        last = run.blocked
        if last is None or (last.reason, last.proposed) != (report.reason, report.proposed):
            runs.block(tx, run.id, report)
        return evolve(run, blocked=report)

    def _cancel_for(self, tx: Connection, run: Run, report: Report) -> None:
        """The runs that have to make way are asked to stop."""
        for other_id in report.cancels:
            other = runs.read(tx, other_id)
            if other is None or other.state.type is CANCELLING or other.state.is_terminal:
                continue
            told = f"makes way for run {run.id[-8:]}"
            after, said = self._judge(tx, other, state(CANCELLING, message=told), None)
            self._record(tx, other, after, said)

    def _take_effect(self, tx: Connection, run: Run, report: Report) -> None:
        """What follows from the state that a run has entered, in the same transaction."""
        result = run.state.result
        if result is not None and not result.startswith('{"inline"'):
            kept.note_result(tx, run.id, result, run.state.timestamp)
        if report.limits and run.state.name in COUNTED:
            limits.use(tx, run.id, report.limits)
        elif run.state.is_terminal and (
            run.policy.concurrency or facts.limits_known(tx, self.database.memo)
        ):
            limits.leave(tx, run.id)
        self._reach(tx, run)

    def _reach(self, tx: Connection, run: Run) -> None:
        """A run within another is found by its tree when the process that executes it is gone."""
        if run.session is None or run.parent is None:
            return
        place = (run.session, run.root)
        if place not in self._reached:
            sessions.reach(tx, *place)
            if len(self._reached) >= MOST_REACHED:
                self._reached.clear()
            self._reached.add(place)


def _reread(connection: Connection, run_id: str) -> Run:
    run = runs.read(connection, run_id)
    if run is None:
        raise RunNotFound(f"no run {run_id!r}; `orion-nb runs ls` lists the runs there are")
    return run


def _replay(tx: Connection, run: Run, transition_id: str) -> Report | None:
    told = runs.first_report(tx, run.id, transition_id)
    if told is None:
        return None
    first, report = told
    report = report or Report(Status.ACCEPT, first)
    if first.type is RUNNING and first.attempt == run.attempt:
        report = evolve(report, attempt=run.attempt, token=run.token)
    return evolve(report, replayed=True)
