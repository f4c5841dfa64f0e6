"""How a proposal becomes a state: facts are read, rules are asked, rows are written, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from orion_nb import clock
from orion_nb.api.core import Core
from orion_nb.errors import Conflict, Fenced, InvalidInput, RunNotFound
from orion_nb.rules import POLICIES, SAYS, enters, evaluate
from orion_nb.rules.bookkeeping import bookkeep
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import RUNNING, State
from orion_nb.schemas.values import evolve
from orion_nb.store import facts, runs
from orion_nb.store.database import Connection


class Proposals(Core):
    """The write path: every state of every run is entered here."""

    def begin(
        self,
        run: Run,
        proposed: State | None = None,
        upstream: Sequence[str] = (),
        *,
        owned: bool = True,
    ) -> tuple[Run, Report | None]:
        """A new run is written, and in the same transaction `proposed` is put to the rules.

        Answers the run as it then is, and the report if a state was proposed. `run.state` is the
        state it is born in. A run for which a state is proposed belongs to this process, and ends
        with it, unless `owned` is False.
        """
        session = self.session if proposed is not None and owned else None

        def work(tx: Connection) -> tuple[Run, Report | None]:
            now = clock.now()
            born = evolve(run.state, seq=1, timestamp=now)
            made = evolve(
                run, state=born, created=now, scheduled_time=born.scheduled_time, session=session
            )
            if upstream:
                runs.depend(tx, made.id, upstream)
            report = None
            after = made
            if proposed is not None:
                after, report = self._judge(
                    tx, made, proposed, session, claims=0, waits=bool(upstream)
                )
            runs.insert(tx, after)
            runs.append(tx, made.id, born, None)
            if report is not None:
                self._record(tx, made, after, report)
            return after, report

        return self.database.write(work)

    def advance(self, run: Run, proposed: State, *, retriable: bool = True) -> tuple[Run, Report]:
        """The owner of a run proposes its next state: nothing is read that it knows already.

        If somebody else moved the run meanwhile, the rules judge the run as it now is.

        Raises:
            Fenced: another attempt owns the run now.
        """
        session = self.session if proposed.type is RUNNING else None

        def work(tx: Connection) -> tuple[Run, Report]:
            known = run
            for _ in range(2):
                after, report = self._judge(
                    tx, known, proposed, session, claims=run.attempt, token=run.token,
                    retriable=retriable,
                )  # fmt: skip
                if after is not known:
                    done = runs.move(tx, after, known.state.seq)
                else:  # refused: because of what still is so?
                    done = runs.is_at(tx, known.id, known.state.seq)
                if done:
                    self._record(tx, known, after, report)
                    return after, report
                known = _reread(tx, run.id)
            raise AssertionError("unreachable: the run can't move inside our own transaction")

        after, report = self.database.write(work)
        if report.fenced:
            raise Fenced(report.reason or "fenced")
        return after, report

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
    ) -> tuple[Run, Report]:
        """Anybody proposes a state for the run of this id.

        With `expected_seq` the proposal is made only if the run still is in that state.

        Raises:
            RunNotFound, Fenced; Conflict: the run has moved on from `expected_seq`.
        """

        def work(tx: Connection) -> tuple[Run, Report]:
            run = _reread(tx, run_id)
            if transition_id and (told := _replay(tx, run, transition_id)):
                return run, told
            if expected_seq is not None and run.state.seq != expected_seq:
                raise Conflict(f"run {run_id} has moved on: it is {run.state.name} now")
            after, report = self._judge(
                tx, run, proposed, session, claims=claims, token=token, retriable=retriable
            )
            if after is not run:
                runs.move(tx, after, run.state.seq)
            self._record(tx, run, after, report, transition_id)
            return after, report

        after, report = self.database.write(work)
        if report.fenced:
            raise Fenced(report.reason or "fenced")
        return after, report

    def foresee(
        self, run_id: str, proposed: State, *, transition_id: str | None = None, **claim: Any
    ) -> Report:
        """The same judgement as `judge`, and nothing is written nor handed out."""
        with self.database.read() as connection:
            connection.execute("BEGIN")
            run = _reread(connection, run_id)
            report = _replay(connection, run, transition_id) if transition_id else None
            if report is None:
                _, report = self._judge(connection, run, proposed, None, **claim)
        return evolve(report, attempt=None, token=None)

    def force(self, run_id: str, proposed: State, *, by: str, why: str) -> tuple[Run, Report]:
        """The state is entered without asking a rule; the report says by whom and why.

        A run that was finished and is not any more gets a new attempt when it next runs.
        """
        forced = _forced(proposed, by, why)

        def work(tx: Connection) -> tuple[Run, Report]:
            run = _reread(tx, run_id)
            after, report = forced(run)
            runs.move(tx, after, run.state.seq)
            self._record(tx, run, after, report)
            return after, report

        return self.database.write(work)

    def foresee_forced(self, run_id: str, proposed: State, *, by: str, why: str) -> Report:
        """The same as `force` answers, and nothing is written nor handed out."""
        forced = _forced(proposed, by, why)
        with self.database.read() as connection:
            _, report = forced(_reread(connection, run_id))
        return evolve(report, attempt=None, token=None)

    def _judge(
        self,
        connection: Connection,
        run: Run,
        proposed: State,
        session: str | None,
        *,
        claims: int | None = None,
        token: str | None = None,
        retriable: bool = True,
        waits: bool = True,
    ) -> tuple[Run, Report]:
        now = clock.now()
        transition = facts.gather(
            connection, run, proposed, now, claims=claims, token=token, retriable=retriable,
            waits=waits,
        )  # fmt: skip
        report = evaluate(POLICIES[run.kind], transition)
        if not enters(report, run.state):
            return run, report
        entered = report.state
        if report.reason and not entered.reason:
            entered = entered.because(report.reason)
        if proposed.by and not entered.by:
            entered = evolve(entered, by=proposed.by)
        after = bookkeep(run, entered, now, session)
        return after, _hand_out(after, report)

    def _record(
        self,
        tx: Connection,
        before: Run,
        after: Run,
        report: Report,
        transition_id: str | None = None,
    ) -> None:
        """The entered state, or else the refusal, is written with its report."""
        if after is not before:
            digest = self.reports.keep(tx, report)
            runs.append(tx, after.id, after.state, digest, transition_id)
        elif not report.fenced and not before.state.is_terminal:
            runs.block(tx, before.id, report)


def _forced(proposed: State, by: str, why: str) -> Callable[[Run], tuple[Run, Report]]:
    """What comes of a run that is put into a state by hand, and the report on it."""
    if not why.strip():
        raise InvalidInput("why: say why the state is set by force", field="why")
    reason = f"set by {by}: {why}"
    line = Line("set_by_hand", SAYS["set_by_hand"], "pass", reason)
    entered = evolve(proposed, by=by, reason=reason)

    def forced(run: Run) -> tuple[Run, Report]:
        after = bookkeep(run, entered, clock.now(), None)
        report = Report(Status.ACCEPT, after.state, reason, rules=(line,), proposed=proposed.name)
        return after, _hand_out(after, report)

    return forced


def _hand_out(after: Run, report: Report) -> Report:
    """Whoever brought a run into RUNNING is told its attempt and token."""
    if after.state.type is not RUNNING:
        return evolve(report, state=after.state)
    return evolve(report, state=after.state, attempt=after.attempt, token=after.token)


def _reread(connection: Connection, run_id: str) -> Run:
    run = runs.read(connection, run_id)
    if run is None:
        raise RunNotFound(f"no run {run_id!r}; `orion-nb runs ls` lists the runs there are")
    return run


def _replay(tx: Connection, run: Run, transition_id: str) -> Report | None:
    told = runs.first_report(tx, run.id, transition_id)
    if told is None:
        return None
    state, report = told
    report = report or Report(Status.ACCEPT, state)
    if state.type is RUNNING and state.attempt == run.attempt:
        report = evolve(report, attempt=run.attempt, token=run.token)
    return evolve(report, replayed=True)
