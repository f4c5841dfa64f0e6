"""Drives the life of a run: sync on the calling thread, async on the caller's loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.engine.lead import Finish, Life, Outcome, Propose, Sleep
from orion_nb.errors import Fenced, OrionError
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Cancelled, State

#: A long wait is cut into pieces of this length (seconds), so that a cancelled run is noticed.
PIECE = 0.5


class Proposer:
    """Puts one run's proposals to the API, and holds the run as the API last answered it."""

    __slots__ = ("began", "on_state", "orion", "run", "upstream")

    def __init__(
        self,
        orion: Orion,
        run: Run,
        upstream: tuple[tuple[str, str], ...] = (),
        on_state: Callable[[Run, Report], None] | None = None,
    ) -> None:
        self.orion = orion
        self.run = run
        self.upstream = upstream
        self.on_state = on_state
        self.began = run.state.seq > 0

    def propose(self, state: State, retriable: bool = True) -> Report:
        """The report on proposing `state`; the first proposal also writes the run."""
        report = self._propose(state, retriable)
        if self.on_state is not None:
            self.on_state(self.run, report)
        return report

    def _propose(self, state: State, retriable: bool) -> Report:
        if not self.began:
            self.began = True
            self.run, report = self.orion.begin(self.run, state, self.upstream)
            assert report is not None
            return report
        try:
            self.run, report = self.orion.advance(self.run, state, retriable=retriable)
        except Fenced as fenced:
            self.run = self.orion.find(self.run.id)
            return Report(Status.ABORT, self.run.state, str(fenced), proposed=state.name)
        return report

    def was_moved(self) -> bool:
        """Somebody else has moved the run since we last did."""
        return self.orion.find(self.run.id).state.seq != self.run.state.seq

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
            if isinstance(step, Propose):
                answer = proposer.propose(step.state, step.retriable)
            elif isinstance(step, Sleep):
                answer = _sleep(step.seconds, proposer)
            else:
                answer = call(proposer.run)
    except StopIteration as end:
        return Finish(proposer.run, *end.value)
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
            if isinstance(step, Propose):
                answer = proposer.propose(step.state, step.retriable)
            elif isinstance(step, Sleep):
                answer = await _sleep_async(step.seconds, proposer)
            else:
                answer = await call(proposer.run)
    except StopIteration as end:
        return Finish(proposer.run, *end.value)
    except BaseException as error:
        proposer.give_up(error)
        raise


def _sleep(seconds: float, proposer: Proposer) -> BaseException | None:
    try:
        for piece in _pieces(seconds):
            time.sleep(piece)
            if piece >= PIECE and proposer.was_moved():
                break
    except BaseException as interrupt:
        return interrupt
    return None


async def _sleep_async(seconds: float, proposer: Proposer) -> BaseException | None:
    try:
        for piece in _pieces(seconds):
            await asyncio.sleep(piece)
            if piece >= PIECE and proposer.was_moved():
                break
    except BaseException as interrupt:
        return interrupt
    return None


def _pieces(seconds: float) -> Iterator[float]:
    whole, rest = divmod(seconds, PIECE)
    for _ in range(int(whole)):
        yield PIECE
    yield rest
