"""One attempt of a run: its code is called, within its context, and what it came to is kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from orion_nb.engine import cancelling
from orion_nb.engine.cancelling import Cancellation
from orion_nb.engine.children import drop_all, join_all, join_all_async, raise_unseen
from orion_nb.engine.context import RunContext, current, entered
from orion_nb.engine.deadline import within
from orion_nb.engine.depth import FIRST, deeper
from orion_nb.engine.drive import Proposer
from orion_nb.engine.hooks import call_of_run
from orion_nb.engine.lead import Outcome, SliceRerun, Stopped
from orion_nb.engine.logs import collect, flush
from orion_nb.engine.options import Options
from orion_nb.engine.recall import back_to, of_earlier_attempts
from orion_nb.engine.remembering import Given, Memory
from orion_nb.engine.runners import ThreadRunner
from orion_nb.errors import RunStopped, TaskTimeout
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import TimedOut

#: Code that goes on for longer than this after its deadline (seconds) could not be stopped.
LATE = 0.5

#: What is said here is shown with the run, as a note.
notes = logging.getLogger("orion_nb.notes")


class executing:  # noqa: N801 - reads as a word after `with`
    """Within the block the context is the current one, its log is kept, its depth is allowed."""

    __slots__ = ("_depth", "_entered", "_run")

    def __init__(self, context: RunContext) -> None:
        self._run = context.run.id
        self._entered = entered(context)
        self._depth = deeper(context.depth) if context.depth >= FIRST else None
        collect()

    def __enter__(self) -> None:
        self._entered.__enter__()
        if self._depth is not None:
            self._depth.__enter__()

    def __exit__(self, *told: object) -> None:
        if self._depth is not None:
            self._depth.__exit__(*told)
        try:
            flush(self._run)
        finally:
            self._entered.__exit__(*told)


class Called(Protocol):
    """What an attempt knows of the flow or task that it is one of."""

    options: Options

    @property
    def kind(self) -> Any: ...

    @property
    def name(self) -> str: ...


class Attempt:
    """Calls the code of a run, once per attempt."""

    def __init__(
        self, work: Called, proposer: Proposer, runner: ThreadRunner | None, given: Given | None
    ) -> None:
        self.work, self.proposer, self.runner, self.given = work, proposer, runner, given
        self.orion = proposer.orion
        self._memory: Memory

    def call(self, body: Callable[[], Any], run: Run) -> Outcome:
        """What the code of this attempt came to, on this thread."""
        context = RunContext(self.orion, run, self.runner, depth=_depth())
        timeout = self.work.options.policy.timeout
        self._before(context, run)

        def attempt() -> Any:
            value = body()
            if context.futures:
                join_all(context)
                raise_unseen(context)
            return value

        while True:
            stoppable = cancelling.may_stop(self.orion, run)
            try:
                with executing(context), stoppable:
                    value = attempt() if timeout is None else self._in_time(timeout, attempt, run)
                    return self._returned(value)
            except SliceRerun as back:
                if drop_all(context):
                    join_all(context)
                if not self._goes_back(context, run, back):
                    return self._raised(context, back)
            except BaseException as error:
                if drop_all(context) and _waits_after(error):
                    join_all(context, stoppable.patience)
                call_of_run(context, error, stoppable)
                return self._raised(context, error)

    async def call_async(self, body: Callable[[], Awaitable[Any]], run: Run) -> Outcome:
        """The same for code that is awaited, on the caller's loop."""
        import asyncio

        context = RunContext(self.orion, run, self.runner, is_async=True, depth=_depth())
        timeout = self.work.options.policy.timeout
        self._before(context, run)
        while True:
            stoppable = cancelling.may_stop_task(self.orion, run)
            try:
                with executing(context), stoppable:
                    async with asyncio.timeout(timeout) as scope:
                        value = await body()
                        await join_all_async(context)
                        raise_unseen(context)
                return self._returned(value)
            except SliceRerun as back:
                if drop_all(context):
                    await join_all_async(context)
                if not self._goes_back(context, run, back):
                    return self._raised(context, back)
            except BaseException as error:
                if isinstance(error, TimeoutError) and scope.expired():
                    error = TaskTimeout(f"{self.work.name!r} exceeded {timeout:g} s")
                if drop_all(context) and _waits_after(error):
                    await join_all_async(context, stoppable.patience)
                call_of_run(context, error, stoppable)
                return self._raised(context, error)
            finally:
                await stoppable.settled()

    def _before(self, context: RunContext, run: Run) -> None:
        """Whatever has to be known before the code is called, which may change its arguments."""
        if run.attempt > 1:
            around = current()
            told = around.recall if around is not None else None
            context.recall = of_earlier_attempts(self.orion, run, told)
        self._memory = Memory(self.orion, self.work.options, self.given)
        if self.work.kind == "flow":  # a flow whose process dies can be run once more
            self._memory.keep_inputs(run)

    def _returned(self, value: Any) -> Outcome:
        persist = self.work.options.persist or self.work.options.cache or None
        if self.work.options.persist is False:
            return Outcome(value)
        if persist is None:
            return Outcome(value, result=self.orion.keep(value))
        return Outcome(value, result=self.orion.keep(value, None))

    def _raised(self, context: RunContext, error: BaseException) -> Outcome:
        self._memory.failed(context.run, error)
        if isinstance(error, Stopped):
            error.goes_on = self.work.kind == "task" and current() is not None
        if isinstance(error, Cancellation) and error.run_id == context.run.id:
            return Outcome(error=RunStopped(cancelling.STOPPED))
        return Outcome(error=without_our_frames(error))

    def _goes_back(self, context: RunContext, run: Run, back: SliceRerun) -> bool:
        """The code is to be called once more, with what was called before the slice as it was."""
        recall = None
        if back.run.parent == run.id:  # else a run around this one is meant
            recall = back_to(self.orion, run, back.back_to, back.run.id)
        if recall is None:
            return False
        context.recall, context.pauses = recall, 0
        context.futures.clear()
        context.origins.clear()
        return True

    def _in_time(self, timeout: float, body: Callable[[], Any], run: Run) -> Any:
        """What the code returns within its timeout; its state does not wait for it longer."""
        told = f"{self.work.name!r} exceeded {timeout:g} s"
        self.proposer.watched()
        was_up: list[float] = []

        def time_up() -> None:
            was_up.append(time.monotonic())
            self.proposer.end_early(TimedOut(told), run.attempt)

        try:
            return within(timeout, self.work.name, body, time_up)
        finally:
            late = time.monotonic() - was_up[0] if was_up else 0.0
            if late > LATE:
                said = "%s: its code could not be stopped and went on for %.3g s"
                notes.warning(said, told, late)


def _depth() -> int:
    around = current()
    return 0 if around is None else around.depth + 1


def _waits_after(error: BaseException) -> bool:
    """Submitted tasks that run already are waited for, unless time is up or somebody interrupts."""
    return isinstance(error, Exception | Stopped) and not isinstance(error, TaskTimeout)


def without_our_frames(error: BaseException) -> BaseException:
    """The exception with its traceback beginning in the user's code, where it has such frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(
        "orion_nb."
    ):
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else error
