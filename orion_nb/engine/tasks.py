"""`@task`: a function whose calls are task runs, one by one, submitted, or mapped."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, overload

from orion_nb.api.answers import Answer, Proposal
from orion_nb.api.orion import Orion
from orion_nb.engine.children import keep
from orion_nb.engine.context import RunContext, current, here
from orion_nb.engine.futures import (
    Inputs,
    TaskFuture,
    futures_in,
    resolved,
    running_loop,
    states_of,
    unmapped,
)
from orion_nb.engine.jobs import Job, Submitted
from orion_nb.engine.lead import Finish
from orion_nb.engine.options import OnChange, Options, Retriable, TriggerFunction, options_of
from orion_nb.engine.remembering import Given
from orion_nb.engine.streams import Streamer, TaskStream, called, called_async
from orion_nb.engine.work import Work
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import Kind, Run
from orion_nb.schemas.states import State
from orion_nb.settings import is_disabled

if TYPE_CHECKING:
    import asyncio

    from orion_nb.engine.explaining import CacheExplanation

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

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The task runs; its value is returned, its exception raised.

        A generator task returns a generator of its items: it runs while they are taken.
        """
        __tracebackhide__ = True
        if self.is_stream and not (current() is None and is_disabled()):
            made = called_async if inspect.isasyncgenfunction(self.fn) else called
            return made(self, args, kwargs)  # type: ignore[return-value] # it is R: a generator
        return super().__call__(*args, **kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> TaskFuture[Any]:
        """The task runs on a thread (an async one on the caller's loop); a future answers at once.

        Futures among the arguments, also in lists and dicts, are waited for first: their results
        are passed, and their runs become this run's upstream.
        """
        context = current()
        if context is None and is_disabled():
            return self._done_plainly(args, kwargs)
        orion, parent, _ = here(self.kind)
        run, finish = self.opened(orion, parent, context, args, kwargs)
        future: TaskFuture[Any] = TaskFuture(run.id, self.name)
        job: Submitted = self
        if self.is_stream:
            _check_stream(self, context)
            future = TaskStream(run.id, self.name)
            job = Streamer(self, future)
        if finish is not None:
            future.settle(self._recalled(finish, context))
            return future
        if context is not None:
            keep(context, future)
        Job(job, orion, run, future, args, kwargs, context).start()
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

    def _done_plainly(self, args: Any, kwargs: Any) -> TaskFuture[Any]:
        """Disabled: the plain function is called, here and now, or on the loop."""
        import asyncio

        future: TaskFuture[Any] = TaskFuture("", self.name)
        loop = running_loop() if self.is_async else None
        if loop is not None:
            future.loop = loop
            value: Any = self(*args, **kwargs)
            loop.create_task(value).add_done_callback(partial(_copy_outcome, future))
            return future
        try:
            value = self(*args, **kwargs)
            future.set_result(asyncio.run(value) if self.is_async else value)
        except Exception as error:
            future.set_exception(error)
        return future

    def explain_cache(self, *args: Any, **kwargs: Any) -> CacheExplanation:
        """Whether a call with these arguments would be answered by the cache, and why."""
        from orion_nb.engine.explaining import explain_cache

        return explain_cache(self, here(self.kind)[0], args, kwargs)

    def _execute(self, args: Any, kwargs: Any) -> Finish:
        orion, parent, context = here(self.kind)
        run, finish = self.opened(orion, parent, context, args, kwargs)
        if finish is not None:
            return self._recalled(finish, context)
        upstream = self.inputs(args, kwargs, context)
        states: list[State] = []
        if upstream and (found := list(futures_in((args, kwargs)))):
            for each in found:
                each.look()
                each.join()
            args, kwargs = resolved((args, kwargs))
            states = states_of(found)
        return self.live(orion, run, args, kwargs, upstream, context, states)

    async def _execute_async(self, args: Any, kwargs: Any) -> Finish:
        orion, parent, context = here(self.kind)
        run, finish = self.opened(orion, parent, context, args, kwargs)
        if finish is not None:
            return self._recalled(finish, context)
        upstream = self.inputs(args, kwargs, context)
        states: list[State] = []
        if upstream and (found := list(futures_in((args, kwargs)))):
            for each in found:
                each.look()
                await each.finished()
            args, kwargs = resolved((args, kwargs))
            states = states_of(found)
        return await self.live_async(orion, run, args, kwargs, upstream, context, states)

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
        """The given run is lived on this thread, with arguments that hold no futures."""
        runner = context.runner if context else None
        pulled, body = self._pulled(states, _call_of(self.fn, args, kwargs))
        plan = self.plan(run, args, kwargs, pulled)
        given = Given(args, kwargs) if args or kwargs else None
        finish = self._life(orion, run, body, runner, upstream, plan, given)
        return self._recalled(finish, context)

    def live_in_turns(
        self,
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: Inputs,
        context: RunContext | None,
        states: list[State],
    ) -> Generator[Proposal, Answer, Finish]:
        """The same, with its proposals put to the API by the runner."""
        runner = context.runner if context else None
        plan = self.plan(run, args, kwargs, self.pulled(states))
        given = Given(args, kwargs) if args or kwargs else None
        body = _call_of(self.fn, args, kwargs)
        life = self._life_in_turns(orion, run, body, runner, upstream, plan, given)
        return self._recalled((yield from life), context)

    async def live_async(
        self,
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: Inputs,
        context: RunContext | None,
        states: list[State],
    ) -> Finish:
        """The same on the caller's loop."""
        runner = context.runner if context else None
        pulled, body = self._pulled(states, _call_of(self.fn, args, kwargs))
        plan = self.plan(run, args, kwargs, pulled)
        given = Given(args, kwargs) if args or kwargs else None
        finish = await self._life_async(orion, run, body, runner, upstream, plan, given)
        return self._recalled(finish, context)

    def _pulled(
        self, states: list[State], body: Callable[[], Any]
    ) -> tuple[bool | None, Callable[[], Any]]:
        """What the trigger says, and what to call then; one that fails, fails the task."""
        try:
            return self.pulled(states), body
        except Exception as error:
            return True, partial(_raise, error)

    def _recalled(self, finish: Finish, context: RunContext | None) -> Finish:
        """The value is recognised when it is passed on in the code around."""
        if context is not None and finish.outcome.value is not None:
            context.origins.note(finish.outcome.value, finish.run.id)
        return finish


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
    retry_backoff: float = 1.0,
    retry_delay_max: Any = None,
    retry_jitter: float = 0.0,
    retry_on: Retriable = Exception,
    retry_crashes: int = 0,
    cache: Any = None,
    cache_key: str | Callable[[dict[str, Any]], Any] | None = None,
    cache_refresh: bool = False,
    timeout: Any = None,
    tags: Iterable[str] | str = (),
    concurrency: Any = (),
    trigger: str | TriggerFunction = "all_completed",
    persist: bool | None = None,
    rerun_from: str | None = None,
    rerun_max: int = 1,
    rerun_on: Retriable = Exception,
    sla: Any = None,
    sla_start: Any = None,
    sla_action: str = "mark",
    run_name: str | None = None,
    on_change: OnChange | Iterable[OnChange] = (),
    frames: bool | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(fn: Callable[P, R] | None = None, /, **options: Any) -> Any:  # noqa: D417
    """The function is a task: each call is a task run, retried as `retries` says.

    Args:
        fn: the function; `task(fn)` works for methods and lambdas too.
        name: what the task is called; the function's name by default.
        retries: how often a failed run is tried again, 0 to 100.
        retry_delay: the wait before a retry: seconds, a text like "10s" or "1m30s", a timedelta,
            or a list of them, one per retry (the last repeats).
        retry_backoff: once the delays are used up, each is so many times the one before.
        retry_delay_max: no delay is longer.
        retry_jitter: the part of a delay, 0 to 1, by which it varies at random.
        retry_on: exception class or classes that are retried, or a function of the exception.
        retry_crashes: how often a run is tried again whose process or machine failed.
        cache: how long a result is used again instead of running: "1w", seconds, True for ever.
            Calls are the same if source, arguments and what the function reaches are.
        cache_key: another key: a text that may name arguments ("{day}"), or a function of them.
        cache_refresh: run anyway, and put the result in the cache.
        timeout: how long one attempt may take; it then fails as TimedOut.
        tags: words to find its runs by; a limit named "tag:WORD" counts them.
        concurrency: limits it is subject to: "db", ["db", "api"], or {"db": 10} to say how many
            may run at once if nobody has set it.
        trigger: when it starts after its upstream runs: "all_completed", "all_finished" (whatever
            they ended as; a failed one's exception is passed in place of its result),
            "any_failed", or a function of the list of their final states.
        persist: True keeps results of any size, False none; by default those up to 1 MiB.
        rerun_from: when the task fails, its flow goes back to the last call of the task of this
            name, and does again what came of it; `rerun_max` times at most, for errors that
            `rerun_on` takes.
        sla: how long it may take from its due time to its end, `sla_start` to its start; who is
            late is marked, and with sla_action="cancel" stopped.
        run_name: a name for its runs.
        on_change: a function, or several, of the run and the report, called after each state.
        frames: True: a failure keeps what the names in its frames held, for `replay`; by default
            if the setting of this name is on.

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


def _check_stream(task: Task[Any, Any], context: RunContext | None) -> None:
    """A generator can be submitted where its items can come back from."""
    if inspect.isasyncgenfunction(task.fn):
        says = f"{task.name!r} is an async generator: iterate over the call itself"
        raise InvalidInput(says, field="fn")
    if context is not None and context.runner is not None and not context.runner.in_process:
        says = f"{task.name!r} is a generator: its items can't leave another process"
        raise InvalidInput(says, field="runner")


def _raise(error: Exception) -> Any:
    raise error


def _call_of(fn: Callable[..., Any], args: Any, kwargs: Any) -> Callable[[], Any]:
    return lambda: fn(*args, **kwargs)


def _named(args: Any, kwargs: Any) -> list[tuple[int | str, Any]]:
    return [*enumerate(args), *kwargs.items()]


def _is_mapped(value: Any) -> bool:
    whole = (str, bytes, bytearray, Mapping, TaskFuture, unmapped)
    return isinstance(value, Iterable) and not isinstance(value, whole)


def _copy_outcome(future: TaskFuture[Any], done: asyncio.Task[Any]) -> None:
    import asyncio

    error = asyncio.CancelledError() if done.cancelled() else done.exception()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
