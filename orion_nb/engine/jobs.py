"""A submitted call of a task: it waits for its upstream, then runs on a thread or on a loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from typing import Any, Protocol

from orion_nb.api.orion import Orion
from orion_nb.engine.context import RunContext
from orion_nb.engine.drive import Proposer
from orion_nb.engine.futures import (
    Inputs,
    TaskFuture,
    futures_in,
    on_runner_thread,
    resolved,
    running_loop,
    states_of,
)
from orion_nb.engine.lead import NOTHING, Finish, Propose
from orion_nb.engine.runners import DEFAULT_RUNNER, Living
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Cancelled, NotReady


class Submitted(Living, Protocol):
    """What a job knows of its task."""

    @property
    def is_plain(self) -> bool:
        """Its first proposal is Running, and nothing else."""

    def inputs(self, args: Any, kwargs: Any, context: RunContext | None) -> Inputs: ...


class Job:
    """One submitted call, and the future that tells of it."""

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
        self._task, self._orion, self._run, self._future = task, orion, run, future
        self._args, self._kwargs, self._within = args, kwargs, within
        self._context = contextvars.copy_context()
        found = tuple(dict.fromkeys(futures_in((args, kwargs))))
        self._upstream, future.upstream = task.inputs(args, kwargs, within), found
        if run.policy.trigger != "all_completed":
            for each in found:
                each.look()  # a task that runs whatever they end as has taken note of it
        # Sync code that runs while a loop does, as in a notebook's cells, must not wait for it.
        self._runner = (within.runner if within else None) or DEFAULT_RUNNER
        is_here = self._runner.in_process and (within is None or within.is_async)
        if task.is_async and is_here:
            future.loop = running_loop()
        future.on_cancel = self._drop

    def start(self) -> None:
        """It begins as soon as all it waits for has finished: now, or told by the last of them."""
        waiting = [each for each in self._future.upstream if not each.done()]
        if not waiting:
            self._begin()
            return
        told = f"waits for {waiting[0].name}"
        if len(waiting) > 1:
            told += f" and {len(waiting) - 1} more"
        if self._run.state.seq == 0:
            self._run = self._orion.begin(self._run, NotReady(message=told), self._upstream)[0]
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
        if self._future.loop is not None:
            self._future.loop.call_soon_threadsafe(self._begin_on_loop)
            return
        if self._run.state.seq == 0 and self._task.is_plain and not self._task.is_async:
            self._future.joint = self
        self._future.give(lambda: self._context.run(self._work))
        self._runner.submit(self._future)

    def first(self) -> tuple[Run, Inputs]:
        """The run as it is written when it begins with the end of another one."""
        return self._run, self._upstream

    def began(self, run: Run) -> None:
        """It was written, with the report on its first proposal."""
        self._run = run

    def _begin_on_loop(self) -> None:
        assert self._future.loop is not None
        if self._future.begin():
            doing = self._future.loop.create_task(self._work_async(), context=self._context)
            _loop_tasks.add(doing)
            doing.add_done_callback(_loop_tasks.discard)

    def _work(self) -> None:
        try:
            if self._task.is_async and self._runner.in_process:
                finish = _run_to_end(self._live_async())
            else:
                finish = self._runner.live(self._task, *self._call())
            self._future.settle(finish)
        except BaseException as error:
            self._future.set_exception(error)

    async def _work_async(self) -> None:
        try:
            self._future.settle(await self._live_async())
        except BaseException as error:
            self._future.set_exception(error)

    async def _live_async(self) -> Finish:
        return await self._task.live_async(*self._call())

    def _call(self) -> tuple[Any, ...]:
        args, kwargs = resolved((self._args, self._kwargs))
        states = states_of(self._future.upstream)
        return self._orion, self._run, args, kwargs, self._upstream, self._within, states

    def _drop(self) -> Finish:
        """The run is Cancelled: it will not begin."""
        proposer = Proposer(self._orion, self._run, self._upstream)
        report = proposer.propose(Propose(Cancelled("cancelled before it began")))
        return Finish(proposer.run, report, NOTHING)


def _run_to_end(work: Coroutine[Any, Any, Finish]) -> Finish:
    """The coroutine is run on a loop of its own."""
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
