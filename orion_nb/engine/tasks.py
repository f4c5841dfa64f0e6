"""`@task`: a function whose calls are task runs, one by one, submitted, or mapped."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, ClassVar, ParamSpec, TypeVar, overload

from orion_nb.api.orion import Orion
from orion_nb.engine.context import RunContext, here
from orion_nb.engine.futures import TaskFuture, futures_in, resolved, unmapped
from orion_nb.engine.lead import Ending
from orion_nb.engine.runners import DEFAULT_RUNNER
from orion_nb.engine.work import Options, Retriable, Work, options_of
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import Kind, Run
from orion_nb.schemas.states import Running
from orion_nb.settings import is_disabled

P = ParamSpec("P")
R = TypeVar("R")


class Task(Work[P, R]):
    """A function whose calls are task runs."""

    kind: ClassVar[Kind] = "task"

    def with_options(self, **changes: Any) -> Task[P, R]:
        """The same task with some options changed: `fetch.with_options(retries=5)`.

        Raises:
            InvalidInput: an option is not known, or its value can't be accepted.
        """
        return self._changed(changes)

    def submit(self, *args: Any, **kwargs: Any) -> TaskFuture[Any]:
        """The task runs on a thread (an async one on the caller's loop); a future answers at once.

        Futures among the arguments, also in lists and dicts, are waited for first: their results
        are passed, and their runs become this run's upstream.
        """
        if is_disabled():
            return self._done_at_once(args, kwargs)
        orion, parent, context = here(self.kind)
        run = self.new_run(parent)
        future: TaskFuture[Any] = TaskFuture(run.id, self.name)
        if context is not None:
            _keep(context, future)
        upstream = list({id(each): each for each in futures_in([args, kwargs])}.values())
        job = _Job(self, orion, run, future, args, kwargs, tuple(up.run_id for up in upstream))
        waiting = [each for each in upstream if not each.done()]
        if waiting:
            job.run = orion.begin(run, Running(), job.upstream)[0]
            job.is_written = True
        job.start_after(waiting, context)
        return future

    def map(self, *args: Any, **kwargs: Any) -> list[TaskFuture[Any]]:
        """One submitted run for each item of the iterable arguments; the others are passed whole.

        Strings, bytes, mappings, futures and what is wrapped in `unmapped` are passed whole.

        Raises:
            InvalidInput: nothing to iterate over, or iterables of different lengths.
        """
        many = {key: list(value) for key, value in _named(args, kwargs) if _is_mapped(value)}
        lengths = {key: len(items) for key, items in many.items()}
        if not many:
            raise InvalidInput(f"{self.name}.map: no argument can be iterated over; use .submit")
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key}: {length}" for key, length in lengths.items())
            raise InvalidInput(f"{self.name}.map: arguments of different lengths ({told})")
        return [self._submit_item(args, kwargs, many, i) for i in range(max(lengths.values()))]

    def _submit_item(
        self, args: Any, kwargs: Any, many: dict[int | str, list[Any]], i: int
    ) -> TaskFuture[Any]:
        def item(key: int | str, value: Any) -> Any:
            if key in many:
                return many[key][i]
            return value.value if isinstance(value, unmapped) else value

        return self.submit(
            *(item(at, value) for at, value in enumerate(args)),
            **{key: item(key, value) for key, value in kwargs.items()},
        )

    def _done_at_once(self, args: Any, kwargs: Any) -> TaskFuture[Any]:
        """Disabled: the plain function is called, here and now."""
        future: TaskFuture[Any] = TaskFuture("", self.name)
        try:
            value: Any = self.fn(*resolved(args), **resolved(kwargs))
            future.set_result(asyncio.run(value) if self.is_async else value)
        except Exception as error:
            future.set_exception(error)
        return future

    def _execute(self, args: Any, kwargs: Any) -> Ending:
        orion, parent, context = here(self.kind)
        upstream = _finished(args, kwargs)
        run = self.new_run(parent)
        if upstream:
            args, kwargs = resolved(args), resolved(kwargs)
        return self._live(orion, run, args, kwargs, upstream, context)

    async def _execute_async(self, args: Any, kwargs: Any) -> Ending:
        orion, parent, context = here(self.kind)
        found = list(futures_in([args, kwargs]))
        for each in found:
            await asyncio.wait([asyncio.wrap_future(each)])
        upstream = tuple(each.run_id for each in found)
        run = self.new_run(parent)
        args, kwargs = resolved(args), resolved(kwargs)
        return await self._live_async(orion, run, args, kwargs, upstream, context)

    def _live(
        self,
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: tuple[str, ...],
        context: RunContext | None,
    ) -> Ending:
        runner = context.runner if context else None
        body = _call_of(self.fn, args, kwargs)
        return self._life(orion, run, body, runner=runner, upstream=upstream)

    async def _live_async(
        self,
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: tuple[str, ...],
        context: RunContext | None,
    ) -> Ending:
        runner = context.runner if context else None
        body: Callable[[], Any] = _call_of(self.fn, args, kwargs)
        return await self._life_async(orion, run, body, runner=runner, upstream=upstream)


class _Job:
    """A submitted call: it waits for its upstream, then runs on a thread or on the loop."""

    def __init__(
        self,
        task: Task[..., Any],
        orion: Orion,
        run: Run,
        future: TaskFuture[Any],
        args: Any,
        kwargs: Any,
        upstream: tuple[str, ...],
    ) -> None:
        self.task, self.orion, self.run, self.future = task, orion, run, future
        self.args, self.kwargs, self.upstream = args, kwargs, upstream
        self.is_written = False
        self._context = contextvars.copy_context()
        self._within: RunContext | None = None
        self._left = 0
        self._loop = _running_loop() if task.is_async else None

    def start_after(self, waiting: list[TaskFuture[Any]], context: RunContext | None) -> None:
        self._within = context
        if not waiting:
            self._start()
            return
        import threading

        lock, self._left = threading.Lock(), len(waiting)

        def one_done(_: Any) -> None:
            with lock:
                self._left -= 1
                last = self._left == 0
            if last:
                self._start()

        for each in waiting:
            each.add_done_callback(one_done)

    def _start(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._start_on_loop)
            return
        self.future.give(lambda: self._context.run(self._work))
        runner = self._within.runner if self._within else None
        (runner or DEFAULT_RUNNER).submit(self.future)

    def _start_on_loop(self) -> None:
        assert self._loop is not None
        if not self.future.set_running_or_notify_cancel():
            return
        doing = self._loop.create_task(self._work_async(), context=self._context)
        _loop_tasks.add(doing)
        doing.add_done_callback(_loop_tasks.discard)

    def _work(self) -> None:
        try:
            args, kwargs = resolved(self.args), resolved(self.kwargs)
            if self.task.is_async:
                ending = asyncio.run(self._live_async(args, kwargs))
            else:
                ending = self.task._live(
                    self.orion, self.run, args, kwargs, self.upstream, self._within
                )
            self.future.settle(ending)
        except BaseException as error:
            self.future.set_exception(error)

    async def _work_async(self) -> None:
        try:
            args, kwargs = resolved(self.args), resolved(self.kwargs)
            self.future.settle(await self._live_async(args, kwargs))
        except BaseException as error:
            self.future.set_exception(error)

    def _live_async(self, args: Any, kwargs: Any) -> Coroutine[Any, Any, Ending]:
        return self.task._live_async(
            self.orion, self.run, args, kwargs, self.upstream, self._within
        )


_loop_tasks: set[asyncio.Task[None]] = set()


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    fn: None = None,
    /,
    *,
    name: str | None = None,
    retries: int = 0,
    retry_delay: Any = 0.0,
    retry_on: Retriable = Exception,
    timeout: Any = None,
    tags: Iterable[str] | str = (),
    trigger: str = "all_completed",
    run_name: str | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(fn: Callable[P, R] | None = None, /, **options: Any) -> Any:  # noqa: D417
    """The function is a task: each call is a task run, retried as `retries` says.

    Args:
        fn: the function; `task(fn)` works for methods and lambdas too.
        name: what the task is called; the function's name by default.
        retries: how often a failed run is tried again, 0 to 100.
        retry_delay: the wait before a retry: seconds, a text like "10s" or "1m30s", a timedelta,
            or a list of them, one per retry (the last repeats).
        retry_on: exception class or classes that are retried, or a function of the exception.
        timeout: how long one attempt may take; it then fails as TimedOut.
        tags: words to find its runs by.
        trigger: when it starts after its upstream runs: "all_completed", "all_finished" (whatever
            they ended as; a failed one's exception is passed in place of its result) or
            "any_failed".
        run_name: a name for its runs.

    Raises:
        InvalidInput: an option's value can't be accepted; the message says what may.

    Example:
        >>> @task(retries=3, retry_delay="10s")
        ... def download(url):
        ...     ...
    """
    if fn is not None and not callable(fn):
        raise InvalidInput(f"task: {fn!r} is not a function", field="fn")

    def make(function: Callable[P, R]) -> Task[P, R]:
        made: Options = options_of(function, **{"name": None, **options})
        return Task(function, made)

    return make if fn is None else make(fn)


def _call_of(fn: Callable[..., Any], args: Any, kwargs: Any) -> Callable[[], Any]:
    return lambda: fn(*args, **kwargs)


def _finished(args: Any, kwargs: Any) -> tuple[str, ...]:
    """The futures among the arguments have finished when this returns; their run ids."""
    found = list(futures_in([args, kwargs])) if args or kwargs else []
    for each in found:
        each.exception()
    return tuple(dict.fromkeys(each.run_id for each in found))


def _keep(context: RunContext, future: TaskFuture[Any]) -> None:
    """The flow waits for the future at its end; one that ended well is forgotten at once."""
    context.futures.add(future)

    def forget(done: Any) -> None:
        if not done.cancelled() and done.ending is not None and done.ending.error is None:
            context.futures.discard(done)

    future.add_done_callback(forget)


def _named(args: Any, kwargs: Any) -> list[tuple[int | str, Any]]:
    return [*enumerate(args), *kwargs.items()]


def _is_mapped(value: Any) -> bool:
    whole = (str, bytes, bytearray, Mapping, TaskFuture, unmapped)
    return isinstance(value, Iterable) and not isinstance(value, whole)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
