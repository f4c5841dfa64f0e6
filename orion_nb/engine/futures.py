"""Handles on task runs that may not have finished, and how they are found in arguments."""

from __future__ import annotations

import concurrent.futures
import contextlib
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from orion_nb.api.answers import Answer, Proposal
from orion_nb.api.orion import Orion
from orion_nb.engine.latches import Latch
from orion_nb.engine.lead import Ending, Finish, Outcome, ending_of
from orion_nb.engine.runner_threads import is_runner_thread, on_runner_thread
from orion_nb.errors import Interruption, InvalidInput
from orion_nb.schemas.states import State

if TYPE_CHECKING:
    import asyncio

R = TypeVar("R")
#: The runs that a call takes inputs from, each with the path of the argument: `rows[0].name`.
Inputs = tuple[tuple[str, str], ...]


class Lived(Protocol):
    """A submitted call, as a runner lives it: piece by piece, or as a whole."""

    orion: Orion
    future: TaskFuture[Any]
    #: What was answered to its last proposal.
    answer: Answer | None

    @property
    def is_whole(self) -> bool:
        """It proposes for itself: only `run` is called."""

    def first(self) -> Proposal | None:
        """What has to be in the file before it may run on; None: it is over."""

    def run_on(self) -> Proposal | None:
        """It runs on this thread until it proposes its end, which is given back; or it is over."""

    def goes_on(self) -> bool:
        """It hears the answer on its end; True: it is tried again."""

    def run(self) -> None:
        """All of it, or all that is left, is done on this thread."""


class TaskFuture(concurrent.futures.Future[R], Generic[R]):
    """A handle on a submitted task run: `result()`, `state`, `cancel()`, awaitable.

    It can be passed to other tasks before it is done. A thread of a runner that waits for a
    future runs its task itself if no other has taken it up: tasks that wait for tasks can't lock
    up the threads.
    """

    def __init__(self, run_id: str, name: str) -> None:
        super().__init__()
        self._condition = Latch()
        self.run_id = run_id
        self.name = name
        #: Its final state, and what its code came to: all that is kept of its run.
        self.final: State | None = None
        self._outcome: Outcome | None = None
        self._ending: Ending | None = None
        self._heed: Interruption | None = None
        self.was_looked_at = False
        #: What has to finish before it, kept until it has completed.
        self.upstream: tuple[TaskFuture[Any], ...] = ()
        #: The loop that runs it, if it does not run on a thread.
        self.loop: asyncio.AbstractEventLoop | None = None
        #: Writes down that the run never began; called once, by `cancel`.
        self.on_cancel: Callable[[], Finish] | None = None
        self._job: Lived | None = None
        self._is_dropped = False

    def result(self, timeout: float | None = None) -> R:
        """What the task returned; its original exception is raised if it failed.

        Raises:
            TimeoutError: it did not finish within `timeout` seconds; it goes on.
        """
        __tracebackhide__ = True
        self.look()
        self._wait(timeout)
        error = super().exception(0)
        if error is not None:
            raise error
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self.look()
        self._wait(timeout)
        return _heeded(super().exception(0))

    @property
    def state(self) -> State | None:
        """The final state, None while the task has not finished."""
        self.look()
        if self.final is not None:
            _heeded(self._heed)
        return self.ended

    @property
    def ended(self) -> Ending | None:
        """The same, which is no look at what came of it."""
        if self._ending is None and self.final is not None and self._outcome is not None:
            self._ending = ending_of(self.final, self._outcome, self.run_id)
        return self._ending

    def _end(self, finish: Finish) -> None:
        self.final, self._outcome = finish.report.state, finish.outcome

    def cancel(self) -> bool:
        """The task will not run and its run is Cancelled; False if it has begun already."""
        with self._condition:
            if self.running() or self.done() or self._is_dropped:
                return self.cancelled()
            self._is_dropped, self._job = True, None
        try:
            if self.on_cancel is not None:
                self._end(self.on_cancel())
        finally:
            super().cancel()
        return True

    def __await__(self) -> Generator[Any, None, R]:
        self.look()
        yield from self.finished().__await__()
        return self.result()

    def look(self) -> None:
        """Somebody asks what came of it, and thereby of what it depends on."""
        self.was_looked_at = True
        if not self.upstream:
            return
        for future in self._with_upstream():
            future.was_looked_at = True

    def settle(self, ended: Finish) -> None:
        """The run has ended: whoever waits is told."""
        self._end(ended)
        self.on_cancel = None  # it holds the call's arguments and context
        error = ended.error
        if isinstance(error, Interruption):
            self._heed = error
        if error is None:
            self.upstream = ()
            self.set_result(ended.outcome.value)
        else:
            self.set_exception(error)

    def fail(self, error: BaseException) -> None:
        """The run could not be lived to its end."""
        self.on_cancel = None
        self.set_exception(error)

    def join(self) -> None:
        """The task has finished when this returns; that is no look at what came of it."""
        self._wait(None)

    def give(self, job: Lived) -> None:
        """`job` settles this future; it is done once, by the first who takes it."""
        with self._condition:
            if not self._is_dropped:
                self._job = job
            self._condition.notify_all()

    def help(self) -> None:
        """The job is done on this thread, unless somebody has taken it up already."""
        if (job := self.take()) is not None:
            with on_runner_thread():
                job.run()

    def take(self) -> Lived | None:
        """The job, for whoever does it now; None if somebody has, or it was cancelled."""
        with self._condition:
            job, self._job = self._job, None
            return job if job is not None and self.begin() else None

    def begin(self) -> bool:
        """It is running from now on; False if it was cancelled."""
        with self._condition:
            if self._is_dropped:
                return False
            return self.running() or self.set_running_or_notify_cancel()

    def finish(self) -> None:
        """It is done when this returns; whatever it needs for that is run here, or waited for."""
        path = [(self, iter(self.upstream))]
        while path:
            first = next((each for each in path[-1][1] if not each.done()), None)
            if first is not None:
                path.append((first, iter(first.upstream)))
            else:
                path.pop()[0]._help_until_done()

    async def finished(self) -> None:
        """It is done when this returns; the loop goes on meanwhile."""
        import asyncio

        if self.done():
            return
        loop = asyncio.get_running_loop()
        if is_runner_thread():
            await loop.run_in_executor(None, self.finish)
            return
        # asyncio.wrap_future would ask for the error, as if somebody had looked at it.
        news = loop.create_future()

        def tell(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(_wake, news)

        self.add_done_callback(tell)
        await news

    def _wait(self, timeout: float | None) -> None:
        """It is done when this returns, or the time is up."""
        if self.done():
            return
        if (loop := running_loop()) is not None:
            for each in self._with_upstream():
                if each.loop is loop and not each.done():
                    says = f"task {each.name!r} runs on this thread's event loop"
                    raise RuntimeError(f"{says}: await its future instead of waiting for it")
        if timeout is None and is_runner_thread():
            self.finish()
        # `give` wakes up whoever waits: the wait of the base class would take that for the end.
        with self._condition:
            self._condition.wait_for(self.done, timeout)

    def _with_upstream(self) -> list[TaskFuture[Any]]:
        found: dict[TaskFuture[Any], None] = {self: None}
        asked = [self]
        while asked:
            fresh = [each for each in asked.pop().upstream if each not in found]
            found.update(dict.fromkeys(fresh))
            asked += fresh
        return list(found)

    def _help_until_done(self) -> None:
        while not self.done():
            self.help()
            with self._condition:
                if self._job is None and not self.done():
                    self._condition.wait()

    def __repr__(self) -> str:
        word = self.final.name if self.final else "not finished"
        return f"<TaskFuture {self.name} {self.run_id[-8:]}: {word}>"


class unmapped(Generic[R]):  # noqa: N801 - reads as a word in a call of map
    """Within `.map`, the value is passed whole to every call instead of being iterated over."""

    def __init__(self, value: R) -> None:
        self.value = value


class allow_failure(Generic[R]):  # noqa: N801 - reads as a word in a call
    """As an argument: the task runs even if this one failed, and is then given its exception."""

    def __init__(self, future: TaskFuture[R]) -> None:
        if not isinstance(future, TaskFuture):
            raise InvalidInput(f"allow_failure: {future!r} is no future", field="future")
        self.future = future


_CONTAINERS = (list, tuple, set, frozenset, dict)
_SEARCHED = frozenset({TaskFuture, allow_failure, *_CONTAINERS})


def futures_in(value: Any, inside: frozenset[int] = frozenset()) -> Iterator[TaskFuture[Any]]:
    """All futures in an argument, through lists, tuples, sets and dicts.

    `inside` are the ids of the containers around it: one may contain itself.
    """
    if isinstance(value, TaskFuture):
        yield value
    elif isinstance(value, allow_failure):
        value.future.look()  # whoever allows it to fail has taken note of it
        yield value.future
    elif type(value) in _CONTAINERS and id(value) not in inside:
        items = value.values() if type(value) is dict else value
        if not _SEARCHED.isdisjoint(map(type, items)):  # a long list of numbers is passed by fast
            around = inside | {id(value)}
            for each in items:
                yield from futures_in(each, around)


def resolved(value: Any, *, raising: bool = False) -> Any:
    """The argument with each future, which has finished, replaced by its result.

    That of a failed one is its exception, which is raised if so wished. What holds no future is
    the very same object.
    """
    if isinstance(value, TaskFuture):
        error = _heeded(_error_in(value))
        if error is not None and raising:
            raise error
        return error if error is not None else concurrent.futures.Future.result(value)
    if isinstance(value, allow_failure):
        return resolved(value.future)
    if type(value) not in _CONTAINERS or next(futures_in(value), None) is None:
        return value
    if type(value) is dict:
        return {key: resolved(each, raising=raising) for key, each in value.items()}
    return type(value)(resolved(each, raising=raising) for each in value)


def states_of(futures: Iterable[TaskFuture[Any]]) -> list[State]:
    """The final states of futures that have finished."""
    return [each.ended for each in futures if each.ended is not None]


def wait(futures: Iterable[TaskFuture[Any]], timeout: float | None = None) -> list[State]:
    """All futures have finished when this returns; their final states, in the given order.

    Raises:
        TimeoutError: some did not finish within `timeout` seconds.
    """
    chosen = list(futures)
    if timeout is None:
        # From the last on, so that this thread is not woken up by each of a thousand in turn.
        for future in chosen if is_runner_thread() else reversed(chosen):
            future.join()
    else:
        _, waiting = concurrent.futures.wait(chosen, timeout)
        if waiting:
            told = f"{len(waiting)} of {len(chosen)} tasks did not finish in {timeout} s"
            raise TimeoutError(told)
    return [state for future in chosen if (state := future.state) is not None]


def as_completed(
    futures: Iterable[TaskFuture[R]], timeout: float | None = None
) -> Iterator[TaskFuture[R]]:
    """The futures in the order in which they finish.

    Raises:
        TimeoutError: some did not finish within `timeout` seconds.
    """
    chosen = dict.fromkeys(futures)
    if timeout is not None or not is_runner_thread():
        for future in concurrent.futures.as_completed(chosen, timeout):
            assert isinstance(future, TaskFuture)
            yield future
        return
    while chosen:
        done = [each for each in chosen if each.done()]
        if not done:
            done = [next(iter(chosen))]
            done[0].finish()
        for each in done:
            del chosen[each]
            yield each


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs on this thread now: also around sync code in a notebook's cells."""
    if "asyncio" not in sys.modules:
        return None  # importing it takes longer than a task
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _wake(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)


def _heeded(error: BaseException | None) -> BaseException | None:
    """The error of a task, to be looked at; what the flow around has to heed is raised instead."""
    if isinstance(error, Interruption):
        raise error
    return error


def _error_in(future: TaskFuture[Any]) -> BaseException | None:
    try:
        return concurrent.futures.Future.exception(future)
    except concurrent.futures.CancelledError as cancelled:
        return cancelled
