"""Drives the life of a run: sync on the calling thread, async on the caller's loop."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from functools import partial
from typing import Any

from orion_nb.api.answers import Answer, Proposal
from orion_nb.api.orion import Orion
from orion_nb.engine.futures import Inputs
from orion_nb.engine.lead import Call, Fetch, Finish, Life, Outcome, Propose, Sleep
from orion_nb.engine.waiting import Pause, pauses
from orion_nb.errors import Fenced, OrionError
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Cancelled, State


class Proposer:
    """Puts one run's proposals to the API, and holds the run as the API last answered it."""

    __slots__ = ("_early", "_lock", "began", "on_state", "orion", "run", "upstream")

    def __init__(
        self,
        orion: Orion,
        run: Run,
        upstream: Inputs = (),
        on_state: Callable[[Run, Report], None] | None = None,
    ) -> None:
        self.orion = orion
        self.run = run
        self.upstream = upstream
        self.on_state = on_state
        self.began = run.state.seq > 0
        self._early: Report | None = None
        self._lock: threading.Lock | None = None

    def propose(self, told: Propose) -> Report:
        """The report on the proposal; the first one also writes the run."""
        if self._lock is None:
            report, self._early = self._early or self._propose(told), None
        else:
            with self._lock:
                report, self._early = self._early or self._propose(told), None
        if self.on_state is not None:
            self.on_state(self.run, report)
        return report

    def watched(self) -> None:
        """From now on `end_early` may be called, by another thread."""
        self._lock = self._lock or threading.Lock()

    def end_early(self, state: State, attempt: int) -> None:
        """The attempt has ended for the API, while its code goes on: what it comes to is late."""
        assert self._lock is not None
        with self._lock:
            if self.run.attempt == attempt and not self.run.state.is_terminal:
                self._early = self._propose(Propose(state))

    def _propose(self, told: Propose) -> Report:
        if not self.began:
            self.began = True
            self.run, report = self.orion.begin(
                self.run, told.state, self.upstream, pulled=told.pulled
            )
            assert report is not None
            return report
        try:
            self.run, report = self.orion.advance(
                self.run, told.state, retriable=told.retriable, rerun=told.rerun,
                pulled=told.pulled,
            )  # fmt: skip
        except Fenced as fenced:
            return self._fenced(told, fenced)
        return report

    def waiting(self, step: Sleep) -> Iterator[Pause]:
        """Pauses to make one after another, until it is worth proposing again."""
        may_go_on = partial(self.may_go_on, step.again)
        return pauses(self.orion, step.report, self.run.state.n, may_go_on)

    def _fenced(self, told: Propose, fenced: Fenced) -> Report:
        self.run = self.orion.find(self.run.id)
        return Report(Status.ABORT, self.run.state, str(fenced), proposed=told.state.name)

    @property
    def may_be_asked(self) -> bool:
        """What is proposed can be put to the API by somebody else: no deadline may come first."""
        return self._lock is None

    def ask(self, told: Propose) -> Proposal:
        """The proposal as a value, for whoever puts it to the API together with others."""
        self.began = True
        return Proposal(
            self.run, told.state, self.upstream, told.retriable, told.rerun, told.pulled
        )

    def hear(self, told: Propose, answer: Answer) -> Report:
        """The report in the answer to what was asked."""
        if isinstance(answer, Fenced):
            report = self._fenced(told, answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            self.run, report = answer
        if self.on_state is not None:
            self.on_state(self.run, report)
        return report

    def may_go_on(self, again: Propose) -> bool:
        """Proposing it again would not be answered with the same WAIT."""
        report = self.orion.foresee(
            self.run.id, again.state, claims=self.run.attempt, token=self.run.token,
            rerun=again.rerun, pulled=again.pulled,
        )  # fmt: skip
        return report.status is not Status.WAIT

    def give_up(self, error: BaseException) -> None:
        """The life broke off, by an interrupt between two steps say: the run does not stay open."""
        with contextlib.suppress(OrionError):
            known = self.orion.find(self.run.id)
            if not known.state.is_terminal:
                said = f"broken off: {type(error).__name__}"
                self.orion.advance(known, Cancelled(said), retriable=False)


def drive(life: Life, proposer: Proposer, call: Callable[[Run], Outcome]) -> Finish:
    """The life is lived on this thread; waiting blocks it."""
    answer: Any = None
    try:
        while True:
            step = life.send(answer)
            answer = call(proposer.run) if isinstance(step, Call) else answered(step, proposer)
    except StopIteration as end:
        return Finish(proposer.run, *end.value)
    except BaseException as error:
        proposer.give_up(error)
        raise


def in_turns(
    life: Life, proposer: Proposer, call: Callable[[Run], Outcome]
) -> Generator[Proposal, Answer, Finish]:
    """The life is lived by a runner, which puts its proposals to the API together with others.

    What is yielded is proposed, and the answer sent; on which threads does not matter.
    """
    answer: Any = None
    try:
        while True:
            step = life.send(answer)
            if isinstance(step, Call):
                answer = call(proposer.run)
            elif isinstance(step, Propose) and proposer.may_be_asked:
                answer = proposer.hear(step, (yield proposer.ask(step)))
            else:
                answer = answered(step, proposer)
    except StopIteration as end:
        return Finish(proposer.run, *end.value)
    except GeneratorExit:
        raise  # nobody lives it on, in the child of a fork say: that tells nothing about the run
    except BaseException as error:
        proposer.give_up(error)
        raise


async def drive_async(
    life: Life, proposer: Proposer, call: Callable[[Run], Awaitable[Outcome]]
) -> Finish:
    """The life is lived on the caller's loop; waiting does not block it.

    A proposal is put to the database right here: at 0.1 ms it costs less than a thread would.
    """
    answer: Any = None
    try:
        while True:
            step = life.send(answer)
            if isinstance(step, Call):
                answer = await call(proposer.run)
            else:
                answer = await answered_async(step, proposer)
    except StopIteration as end:
        return Finish(proposer.run, *end.value)
    except BaseException as error:
        proposer.give_up(error)
        raise


def answered(step: Propose | Sleep | Fetch, proposer: Proposer) -> Any:
    """What a life asked for; waiting blocks this thread."""
    if isinstance(step, Propose):
        return proposer.propose(step)
    if isinstance(step, Sleep):
        return _sleep(step, proposer)
    return fetch(proposer.orion, step.state)


async def answered_async(step: Propose | Sleep | Fetch, proposer: Proposer) -> Any:
    """The same; waiting does not block the loop."""
    if isinstance(step, Sleep):
        return await _sleep_async(step, proposer)
    return answered(step, proposer)


def fetch(orion: Orion, state: State) -> Outcome:
    """The value that a final state refers to, or the error that it can't be had."""
    try:
        return Outcome(orion.load(state.result), result=state.result)
    except OrionError as error:
        return Outcome(error=error)


def _sleep(step: Sleep, proposer: Proposer) -> BaseException | None:
    try:
        for pause in proposer.waiting(step):
            pause.sleep()
    except BaseException as interrupt:
        return interrupt
    return None


async def _sleep_async(step: Sleep, proposer: Proposer) -> BaseException | None:
    try:
        for pause in proposer.waiting(step):
            await pause.sleep_async()
    except BaseException as interrupt:
        return interrupt
    return None
