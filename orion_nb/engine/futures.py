"""Handles on task runs that may not have finished, and how they are found in arguments."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from orion_nb.engine.lead import Ending
from orion_nb.errors import RunStopped, UpstreamFailed
from orion_nb.schemas.states import COMPLETED, FAILED, State

R = TypeVar("R")


class TaskFuture(concurrent.futures.Future[R], Generic[R]):
    """A handle on a submitted task run: `result()`, `state`, `cancel()`, awaitable.

    It can be passed to other tasks before it is done. Whoever waits for a future that no thread
    has taken up yet runs it itself, so waiting inside tasks can't lock up the threads.
    """

    def __init__(self, run_id: str, name: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.name = name
        self.ending: Ending | None = None
        self.was_looked_at = False
        self._job: Callable[[], None] | None = None
        self._claim = threading.Lock()

    def result(self, timeout: float | None = None) -> R:
        """What the task returned; its original exception is raised if it failed.

        Raises:
            TimeoutError: it did not finish within `timeout` seconds; it goes on.
        """
        self.was_looked_at = True
        if timeout is None:
            self.help()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self.was_looked_at = True
        if timeout is None:
            self.help()
        return super().exception(timeout)

    @property
    def state(self) -> State | None:
        """The final state, None while the task has not finished."""
        self.was_looked_at = True
        return self.ending

    def __await__(self) -> Generator[Any, None, R]:
        self.was_looked_at = True
        return asyncio.wrap_future(self).__await__()

    def settle(self, ending: Ending) -> None:
        """The run has ended: whoever waits is told."""
        self.ending = ending
        error = error_of(ending)
        if error is None:
            self.set_result(ending.value)
        else:
            self.set_exception(error)

    def join(self) -> None:
        """The task has finished when this returns; that is no look at what came of it."""
        self.help()
        with contextlib.suppress(concurrent.futures.CancelledError):
            super().exception()

    def give(self, job: Callable[[], None]) -> None:
        """`job` settles this future; it is done once, by the first who calls `help`."""
        self._job = job

    def help(self) -> None:
        """The job is done on this thread, unless somebody has taken it up already."""
        with self._claim:
            job, self._job = self._job, None
        if job is not None and self.set_running_or_notify_cancel():
            job()

    def __repr__(self) -> str:
        word = self.ending.name if self.ending else "not finished"
        return f"<TaskFuture {self.name} {self.run_id[-8:]}: {word}>"


def error_of(ending: Ending) -> BaseException | None:
    """What a caller is to be told: nothing, its own exception, or that the run was stopped."""
    if ending.type is COMPLETED:
        return None
    if ending.error is not None:
        return ending.error
    why = ending.message or (ending.report.reason if ending.report else None) or ending.name
    if ending.type is FAILED and ending.name == "UpstreamFailed":
        return UpstreamFailed(why)
    return RunStopped(f"{ending.name}: {why}")


class unmapped(Generic[R]):  # noqa: N801 - reads as a word in a call of map
    """Within `.map`, the value is passed whole to every call instead of being iterated over."""

    def __init__(self, value: R) -> None:
        self.value = value


def futures_in(value: Any) -> Iterator[TaskFuture[Any]]:
    """All futures in an argument, through lists, tuples, sets and dicts."""
    if isinstance(value, TaskFuture):
        yield value
    elif type(value) in (list, tuple, set, frozenset):
        for each in value:
            yield from futures_in(each)
    elif type(value) is dict:
        for each in value.values():
            yield from futures_in(each)


def resolved(value: Any) -> Any:
    """The argument with each future replaced by its result, or by its exception if it failed."""
    if isinstance(value, TaskFuture):
        value.was_looked_at = True
        error = concurrent.futures.Future.exception(value)
        return error if error is not None else concurrent.futures.Future.result(value)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(resolved(each) for each in value)
    if type(value) is dict:
        return {key: resolved(each) for key, each in value.items()}
    return value


def wait(futures: Iterable[TaskFuture[Any]], timeout: float | None = None) -> list[State]:
    """All futures have finished when this returns; their final states, in the given order.

    Raises:
        TimeoutError: some did not finish within `timeout` seconds.
    """
    chosen = list(futures)
    if timeout is None:
        for future in chosen:
            future.help()
    _, waiting = concurrent.futures.wait(chosen, timeout)
    if waiting:
        raise TimeoutError(f"{len(waiting)} of {len(chosen)} tasks did not finish in {timeout} s")
    return [state for future in chosen if (state := future.state) is not None]


def as_completed(
    futures: Iterable[TaskFuture[R]], timeout: float | None = None
) -> Iterator[TaskFuture[R]]:
    """The futures in the order in which they finish."""
    for future in concurrent.futures.as_completed(list(futures), timeout):
        assert isinstance(future, TaskFuture)
        yield future
