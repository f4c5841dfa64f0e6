"""A submitted call of a task: it waits for its upstream, then runs on a thread or on a loop."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, Protocol

from orion_nb.api.answers import Answer, Proposal
from orion_nb.api.orion import Orion
from orion_nb.engine.context import RunContext
from orion_nb.engine.drive import Proposer
from orion_nb.engine.futures import (
    Inputs,
    TaskFuture,
    futures_in,
    resolved,
    running_loop,
    states_of,
)
from orion_nb.engine.lead import NOTHING, Finish, Propose
from orion_nb.engine.runner_threads import on_runner_thread
from orion_nb.engine.runners import DEFAULT_RUNNER, Living
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Cancelled, NotReady, State

if TYPE_CHECKING:
    import asyncio


class Submitted(Living, Protocol):
    """What a job knows of its task."""

    @property
    def is_plain(self) -> bool:
        """Its first proposal is Running, and nothing else: it takes no time to make."""

    def live_in_turns(
        self,
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: Any,
        context: Any,
        states: list[State],
    ) -> Turns: ...

    def inputs(self, args: Any, kwargs: Any, context: RunContext | None) -> Inputs: ...


#: A life whose proposals are put to the API by whoever drives it.
Turns = Generator[Proposal, Answer, Finish]


class Job:
    """One submitted call, and the future that tells of it."""

    __slots__ = (
        "_again", "_args", "_context", "_kwargs", "_run", "_runner", "_task", "_turns", "_upstream",
        "_within", "answer", "future", "is_whole", "orion",
    )  # fmt: skip

    def __init__(
        self,
        task: Submitted,
        orion: Orion,
        run: Run,
        future: TaskFuture[Any],
        args: Any,
        kwargs: Any,
        within: RunContext | None,
    ) -> None:
        self._task, self.orion, self._run, self.future = task, orion, run, future
        self._args, self._kwargs, self._within = args, kwargs, within
        self._context = contextvars.copy_context()
        self._turns: Generator[Proposal, Answer | None, None] | None = None
        self._again: Proposal | None = None
        self.answer: Answer | None = None
        found = tuple(dict.fromkeys(futures_in((args, kwargs)))) if args or kwargs else ()
        self._upstream, future.upstream = task.inputs(args, kwargs, within), found
        if run.policy.trigger != "all_completed":
            for each in found:
                each.look()  # a task that runs whatever they end as has taken note of it
        # Sync code that runs while a loop does, as in a notebook's cells, must not wait for it.
        self._runner = (within.runner if within else None) or DEFAULT_RUNNER
        is_here = self._runner.in_process and (within is None or within.is_async)
        if task.is_async and is_here:
            future.loop = running_loop()
        #: It proposes for itself, where and when it likes: only `run` is called.
        self.is_whole = task.is_async or not (task.is_plain and self._runner.takes_turns)
        future.on_cancel = self._drop

    def start(self) -> None:
        """It begins as soon as all it waits for has finished: now, or told by the last of them."""
        waiting = [each for each in self.future.upstream if not each.done()]
        if not waiting:
            self._begin()
            return
        told = f"waits for {waiting[0].name}"
        if len(waiting) > 1:
            told += f" and {len(waiting) - 1} more"
        if self._run.state.seq == 0:
            self._run = self.orion.begin(self._run, NotReady(message=told), self._upstream)[0]
        lock, left = threading.Lock(), len(waiting)

        def one_done(_: object) -> None:
            nonlocal left
            with lock:
                left -= 1
                is_last = left == 0
            if is_last:
                self._begin()

        for each in waiting:
            each.add_done_callback(one_done)

    def _begin(self) -> None:
        if self.future.loop is not None:
            self.future.loop.call_soon_threadsafe(self._begin_on_loop)
            return
        self.future.give(self)
        self._runner.submit(self.future)

    def first(self) -> Proposal | None:
        """What has to be in the file before it may run on; None: it is over."""
        if self._again is not None:
            proposal, self._again = self._again, None
            return proposal
        self._turns = self._live_in_turns()
        return self._hear(None)

    def run_on(self) -> Proposal | None:
        """It runs on this thread until it proposes its end, which is given back; or it is over."""
        if self.is_whole:
            self._context.run(self._live)
            return None
        proposal = self._hear(self.answer)
        while proposal is not None and not proposal.state.is_terminal:
            (self.answer,) = self.orion.put_all([proposal])
            proposal = self._hear(self.answer)
        return proposal

    def goes_on(self) -> bool:
        """It hears the answer on its end; True: it is tried again."""
        self._again = self._hear(self.answer)
        return self._again is not None

    def run(self) -> None:
        """All of it, or all that is left, is done on this thread."""
        if not self.is_whole and (self._turns is None or self._again is not None):
            proposal = self.first()
            if proposal is None:
                return
            (self.answer,) = self.orion.put_all([proposal])
        while (end := self.run_on()) is not None:
            (self.answer,) = self.orion.put_all([end])

    def _hear(self, answer: Answer | None) -> Proposal | None:
        assert self._turns is not None
        try:
            return self._context.run(self._turns.send, answer)
        except StopIteration:
            return None

    def _live_in_turns(self) -> Generator[Proposal, Answer | None, None]:
        try:
            self.future.settle((yield from self._task.live_in_turns(*self._call())))
        except GeneratorExit:
            raise
        except BaseException as error:
            self.future.fail(error)

    def _begin_on_loop(self) -> None:
        assert self.future.loop is not None
        if self.future.begin():
            doing = self.future.loop.create_task(self._work_async(), context=self._context)
            _loop_tasks.add(doing)
            doing.add_done_callback(_loop_tasks.discard)

    def _live(self) -> None:
        try:
            if self._task.is_async and self._runner.in_process:
                finish = _run_to_end(self._live_async())
            else:
                finish = self._runner.live(self._task, *self._call())
            self.future.settle(finish)
        except BaseException as error:
            self.future.fail(error)

    async def _work_async(self) -> None:
        try:
            self.future.settle(await self._live_async())
        except BaseException as error:
            self.future.fail(error)

    async def _live_async(self) -> Finish:
        return await self._task.live_async(*self._call())

    def _call(self) -> tuple[Any, ...]:
        args, kwargs = self._args, self._kwargs
        if self.future.upstream:
            args, kwargs = resolved((args, kwargs))
        states = states_of(self.future.upstream)
        return self.orion, self._run, args, kwargs, self._upstream, self._within, states

    def _drop(self) -> Finish:
        """The run is Cancelled: it will not begin."""
        proposer = Proposer(self.orion, self._run, self._upstream)
        report = proposer.propose(Propose(Cancelled("cancelled before it began")))
        return Finish(proposer.run, report, NOTHING)


def _run_to_end(work: Coroutine[Any, Any, Finish]) -> Finish:
    """The coroutine is run on a loop of its own."""
    import asyncio

    if running_loop() is None:
        return asyncio.run(work)
    told: list[Finish | BaseException] = []

    def beside() -> None:
        with on_runner_thread():
            try:
                told.append(asyncio.run(work))
            except BaseException as error:
                told.append(error)

    # This thread has a loop already, which stands still meanwhile.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(beside,))
    thread.start()
    thread.join()
    if isinstance(told[0], BaseException):
        raise told[0]
    return told[0]


_loop_tasks: set[asyncio.Task[None]] = set()
