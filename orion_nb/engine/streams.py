"""Generator tasks: what they yield can be taken while they go on."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from orion_nb.api.orion import Orion
from orion_nb.engine import cancelling
from orion_nb.engine.context import RunContext, current, entered, here
from orion_nb.engine.drive import Proposer, answered, answered_async
from orion_nb.engine.futures import Inputs, TaskFuture, futures_in, resolved
from orion_nb.engine.lead import Call, Finish, Outcome, Plan, lead
from orion_nb.engine.logs import collect, flush
from orion_nb.engine.remembering import Given, Memory
from orion_nb.errors import TaskTimeout
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State

if TYPE_CHECKING:
    from orion_nb.engine.work import Work

R = TypeVar("R")

#: A submitted generator is at most so many items ahead of whoever takes them.
AHEAD = 256


class Stream:
    """One run of a generator task. Its code runs within the run's context, only while it is asked.

    It can't be tried again once somebody has an item of it.
    """

    def __init__(
        self,
        task: Work[Any, Any],
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: Inputs,
        taker: RunContext | None,
        states: list[State],
    ) -> None:
        self.task, self.orion, self.taker = task, orion, taker
        self.args, self.kwargs = args, kwargs
        self.proposer = Proposer(orion, run, upstream, task.told())
        trigger = task.pulled(states)
        plan = task.plan(run, args, kwargs, trigger)
        self.life = lead(Plan(self._retriable, plan.start))
        self.count = 0

    def items(self) -> Generator[Any, None, Finish]:
        """Yields the items; returns how the run ended."""
        answer: Any = None
        try:
            while True:
                step = self.life.send(answer)
                if isinstance(step, Call):
                    try:
                        answer = yield from self._attempt(self.proposer.run)
                    except GeneratorExit:
                        answer = Outcome()  # whoever took its items wants no more of them
                else:
                    answer = answered(step, self.proposer)
        except StopIteration as end:
            return Finish(self.proposer.run, *end.value)
        except BaseException as error:
            self.proposer.give_up(error)
            raise

    async def items_async(self) -> AsyncIterator[Any]:
        """The same for an async generator; raises what it raised."""
        answer: Any = None
        try:
            while True:
                step = self.life.send(answer)
                if not isinstance(step, Call):
                    answer = await answered_async(step, self.proposer)
                    continue
                answer = Outcome()
                memory = self._memory()
                made = self.task.fn(*self.args, **self.kwargs)
                context, until = self._context(self.proposer.run), self._until()
                collect()
                try:
                    while True:
                        with entered(context):
                            item = await anext(made)
                        self._note(item, until)
                        yield item
                except StopAsyncIteration:
                    pass
                except GeneratorExit:
                    await made.aclose()
                except BaseException as error:
                    memory.failed(context.run, error)
                    answer = Outcome(error=error)
                finally:
                    flush(context.run.id)
        except StopIteration as end:
            finish = Finish(self.proposer.run, *end.value)
        except BaseException as error:
            self.proposer.give_up(error)
            raise
        finally:
            self._forget()
        if (told := finish.error) is not None:
            raise told

    def _attempt(self, run: Run) -> Generator[Any, None, Outcome]:
        memory = self._memory()
        made = self.task.fn(*self.args, **self.kwargs)
        context, until = self._context(run), self._until()
        collect()
        try:
            while True:
                with entered(context), cancelling.may_stop(self.orion, run):
                    try:
                        item = next(made)
                    except StopIteration:
                        return Outcome()
                self._note(item, until)
                yield item
        except GeneratorExit:
            made.close()
            raise
        except BaseException as error:
            memory.failed(run, error)
            return Outcome(error=error)
        finally:
            flush(context.run.id)
            self._forget()

    def _memory(self) -> Memory:
        given = Given(self.args, self.kwargs) if self.args or self.kwargs else None
        return Memory(self.orion, self.task.options, given)

    def _context(self, run: Run) -> RunContext:
        return RunContext(self.orion, run, self.taker.runner if self.taker else None)

    def _until(self) -> float | None:
        timeout = self.task.options.policy.timeout
        return None if timeout is None else time.monotonic() + timeout

    def _note(self, item: Any, until: float | None) -> None:
        self.count += 1
        if self.taker is not None:
            self.taker.origins.stream(item, self.proposer.run.id)
        if until is not None and time.monotonic() > until:
            timeout = self.task.options.policy.timeout
            raise TaskTimeout(f"{self.task.name!r} exceeded {timeout:g} s")

    def _forget(self) -> None:
        if self.taker is not None:
            self.taker.origins.ended(self.proposer.run.id)

    def _retriable(self, error: BaseException) -> bool:
        return self.count == 0 and self.task.options.retriable(error)


def called(task: Work[Any, Any], args: Any, kwargs: Any) -> Generator[Any, None, None]:
    """A call of a generator task: its run begins with the first item that is asked for."""
    orion, parent, context = here("task")
    found = list(futures_in((args, kwargs)))
    upstream = task.inputs(args, kwargs, context)
    for each in found:
        each.look()
        each.join()
    given, named = resolved((args, kwargs), raising=True)
    run = task.new_run(parent)
    made = Stream(task, orion, run, given, named, upstream, context, [])
    finish = yield from made.items()
    if (error := finish.error) is not None:
        raise error


async def called_async(task: Work[Any, Any], args: Any, kwargs: Any) -> AsyncIterator[Any]:
    """The same for an async generator."""
    orion, parent, context = here("task")
    upstream = task.inputs(args, kwargs, context)
    for each in list(futures_in((args, kwargs))):
        each.look()
        await each.finished()
    given, named = resolved((args, kwargs), raising=True)
    run = task.new_run(parent)
    made = Stream(task, orion, run, given, named, upstream, context, [])
    async for item in made.items_async():
        yield item


class Streamer:
    """A generator task as a job knows it: what it yields goes to the stream's handle."""

    is_async = False
    is_plain = False

    def __init__(self, task: Work[Any, Any], handle: TaskStream[Any]) -> None:
        self.task, self.handle = task, handle
        self.inputs, self.on_state = task.inputs, task.on_state

    def live(
        self,
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: Inputs,
        context: RunContext | None,
        states: list[State],
    ) -> Finish:
        """Its items are put into the handle, until there is no more."""
        source = Stream(self.task, orion, run, args, kwargs, upstream, None, states).items()
        while True:
            try:
                self.handle.put(next(source))
            except StopIteration as end:
                finish: Finish = end.value
                return finish

    def live_in_turns(self, *told: Any) -> Any:
        """It is lived as a whole: its items are put while it goes on."""
        raise TypeError(f"{self.task!r} is not lived in turns")

    async def live_async(self, *told: Any) -> Finish:
        """As `live`: it is not asked for."""
        import asyncio

        return await asyncio.to_thread(self.live, *told)


class TaskStream(TaskFuture[R]):
    """A handle on a submitted generator task: iterate over it for its items, while it goes on.

    It is at most 256 items ahead of whoever takes them. `result()` is a list of the items that
    nobody has taken. A flow that ends without having taken them waits for its end.
    """

    def __init__(self, run_id: str, name: str) -> None:
        super().__init__(run_id, name)
        self._items: queue.Queue[Any] = queue.Queue(AHEAD)
        self._is_unwanted = threading.Event()

    def put(self, item: Any) -> None:
        """The next item; waits while there are too many that nobody has taken."""
        while not self._is_unwanted.is_set():
            try:
                self._items.put(item, timeout=0.05)
                return
            except queue.Full:
                continue

    def __iter__(self) -> Iterator[R]:
        self.look()
        context = current()
        while True:
            try:
                item = self._items.get(timeout=0.02)
            except queue.Empty:
                if self.done() and self._items.empty():
                    break
                if not self.running():
                    self.help()  # a thread of a runner does what no other has taken up
                continue
            if context is not None:
                context.origins.stream(item, self.run_id)
            yield item
        if context is not None:
            context.origins.ended(self.run_id)
        if (error := self.exception()) is not None:
            raise error

    def __aiter__(self) -> AsyncIterator[R]:
        return self._each()

    async def _each(self) -> AsyncIterator[R]:
        import asyncio

        taken, end = iter(self), object()
        while (item := await asyncio.to_thread(next, taken, end)) is not end:
            yield item  # type: ignore[misc]

    def result(self, timeout: float | None = None) -> Any:
        """The items that nobody has taken, once it has ended; its exception if it failed."""
        if timeout is not None:
            return super().result(timeout)
        return list(self)

    def join(self) -> None:
        """It has ended when this returns; items that nobody takes are let go."""
        self._is_unwanted.set()
        super().join()

    async def finished(self) -> None:
        self._is_unwanted.set()
        await super().finished()
