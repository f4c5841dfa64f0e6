"""What flows and tasks share: a function whose every call is a run, and how it is called."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, ParamSpec, Self, TypeVar

from orion_nb.api.checks import check_text, read_policy
from orion_nb.api.orion import Orion
from orion_nb.engine.children import drop_all, join_all, join_all_async, raise_unseen
from orion_nb.engine.context import RunContext, current, entered
from orion_nb.engine.deadline import Deadline, within
from orion_nb.engine.drive import Proposer, drive, drive_async
from orion_nb.engine.futures import resolved
from orion_nb.engine.lead import Ending, Finish, Outcome, describe, ending_of, lead, state_of
from orion_nb.engine.lineage import Inputs, inputs_of
from orion_nb.engine.runners import ThreadRunner
from orion_nb.errors import InvalidInput, ParameterError, TaskTimeout
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Kind, Run, new_id
from orion_nb.schemas.states import Pending
from orion_nb.settings import is_disabled

P = ParamSpec("P")
R = TypeVar("R")
Retriable = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


@dataclass(frozen=True, slots=True)
class Options:
    """How the runs of a flow or task are named, what the rules may grant them."""

    name: str
    policy: RunPolicy
    retry_on: Retriable = Exception
    tags: tuple[str, ...] = ()
    run_name: str | None = None
    key: str | None = None

    def retriable(self, error: BaseException) -> bool:
        """The rules may try again after this error; wrong parameters stay wrong."""
        if not isinstance(error, Exception) or isinstance(error, ParameterError):
            return False
        if isinstance(self.retry_on, type | tuple):
            return isinstance(error, self.retry_on)
        try:
            return bool(self.retry_on(error))
        except Exception as trouble:
            error.add_note(f"not tried again: retry_on raised {describe(trouble)}")
            return False


class Work(Generic[P, R]):
    """A function whose calls are runs. Call it as the function; `.fn` is the function itself."""

    kind: ClassVar[Kind]

    #: Called with the run and the report after each proposal: how cells show what happens.
    on_state: Callable[[Run, Report], None] | None = None

    def __init__(self, fn: Callable[P, R], options: Options) -> None:
        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            raise InvalidInput(
                f"{options.name!r} is a generator function; return a list, or call a "
                f"{self.kind} for each item",
                field="fn",
            )
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.options = options
        called = type(fn).__call__  # an object that is called may have an async __call__
        self._names = _positional_names(fn)
        self.is_async = inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(called)

    @property
    def name(self) -> str:
        return self.options.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs the function as a run of its own; returns its value, raises its exception."""
        __tracebackhide__ = True  # IPython and pytest show the user's frames only
        if current() is None and is_disabled():
            given: Any = resolved((args, kwargs), raising=True)
            return self.fn(*given[0], **given[1])
        if self.is_async:
            return self._call_async(args, kwargs)  # type: ignore[return-value] # it is R: a coroutine
        finish = self._execute(args, kwargs)
        error = finish.error
        if error is not None:
            raise error
        value: R = finish.outcome.value
        return value

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """The final state of a run of the function; it never raises what the function raises.

        The state has `.value`, `.error` (the original exception) and `.run_id`. For an async
        function this is a coroutine. Only what concerns those around it as well goes on to them:
        that the time of an enclosing run is up, and that its asyncio task is cancelled.
        """
        if self.is_async:
            return self._run_async(args, kwargs)
        if current() is None and is_disabled():
            return _plain_ending(lambda: self(*args, **kwargs))
        finish = self._execute(args, kwargs)
        if isinstance(finish.outcome.error, Deadline):
            raise finish.outcome.error
        return finish.ending

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        """As a method, the function is bound to its instance."""
        if instance is None:
            return self
        bind = getattr(self.fn, "__get__", None)
        if bind is None:  # a partial or another object that is called binds to nothing
            return self
        bound = copy.copy(self)
        bound.fn = bind(instance, owner)
        return bound

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    async def _run_async(self, args: Any, kwargs: Any) -> Ending:
        if current() is None and is_disabled():
            value: Any = self(*args, **kwargs)
            return await _plain_ending_async(value)
        finish = await self._execute_async(args, kwargs)
        error, doing = finish.outcome.error, asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and doing and doing.cancelling():
            raise error
        return finish.ending

    async def _call_async(self, args: Any, kwargs: Any) -> Any:
        __tracebackhide__ = True
        finish = await self._execute_async(args, kwargs)
        error = finish.error
        if error is not None:
            raise error
        return finish.outcome.value

    def _execute(self, args: Any, kwargs: Any) -> Finish:
        raise TypeError(f"{self!r} can't be executed")

    def _execute_async(self, args: Any, kwargs: Any) -> Coroutine[Any, Any, Finish]:
        raise TypeError(f"{self!r} can't be executed")

    def _changed(self, changes: dict[str, Any]) -> Self:
        other = copy.copy(self)
        other.options = revise(self.options, changes)
        return other

    def inputs(self, args: Any, kwargs: Any, context: RunContext | None) -> Inputs:
        """The runs that these arguments come from."""
        return inputs_of(self._names, args, kwargs, context.origins if context else None)

    def new_run(self, parent: Run | None, parameters: dict[str, Any] | None = None) -> Run:
        """A run of this function as a value, not yet written."""
        run_id = new_id()
        options = self.options
        return Run(
            id=run_id,
            kind=self.kind,
            name=options.name,
            state=Pending(),
            root=parent.root if parent else run_id,
            parent=parent.id if parent else None,
            run_name=options.run_name,
            key=options.key,
            policy=options.policy,
            tags=options.tags,
            parameters=parameters,
        )

    def _life(
        self,
        orion: Orion,
        run: Run,
        body: Callable[[], Any],
        runner: ThreadRunner | None,
        upstream: Inputs = (),
    ) -> Finish:
        """The run is lived on this thread; each attempt calls `body`."""
        timeout, name = self.options.policy.timeout, self.name
        proposer = Proposer(orion, run, upstream, self.on_state)

        def call(current: Run) -> Outcome:
            context = RunContext(orion, current, runner)

            def attempt() -> Any:
                value = body()
                if context.futures:
                    join_all(context)
                    raise_unseen(context)
                return value

            try:
                with entered(context):
                    return Outcome(attempt() if timeout is None else within(timeout, name, attempt))
            except BaseException as error:
                if drop_all(context) and _waits_after(error):
                    join_all(context)
                return Outcome(error=without_our_frames(error))

        return drive(lead(self.options.retriable), proposer, call)

    async def _life_async(
        self,
        orion: Orion,
        run: Run,
        body: Callable[[], Awaitable[Any]],
        runner: ThreadRunner | None,
        upstream: Inputs = (),
    ) -> Finish:
        """The run is lived on the caller's loop; each attempt awaits `body()`."""
        timeout, name = self.options.policy.timeout, self.name
        proposer = Proposer(orion, run, upstream, self.on_state)

        async def call(current: Run) -> Outcome:
            context = RunContext(orion, current, runner, is_async=True)
            try:
                with entered(context):
                    async with asyncio.timeout(timeout) as scope:
                        value = await body()
                        await join_all_async(context)
                        raise_unseen(context)
                return Outcome(value)
            except BaseException as error:
                if isinstance(error, TimeoutError) and scope.expired():
                    error = TaskTimeout(f"{name!r} exceeded {timeout:g} s")
                if drop_all(context) and _waits_after(error):
                    await join_all_async(context)
                return Outcome(error=without_our_frames(error))

        return await drive_async(lead(self.options.retriable), proposer, call)


def options_of(
    fn: Callable[..., Any],
    *,
    name: str | None,
    retries: int = 0,
    retry_delay: Any = 0.0,
    timeout: Any = None,
    retry_on: Retriable = Exception,
    tags: Any = (),
    trigger: str = "all_completed",
    run_name: str | None = None,
) -> Options:
    """The options of a decorator, checked.

    Raises:
        InvalidInput: naming the option, its value and what it may be.
    """
    told = {"retries": retries, "retry_delay": retry_delay, "timeout": timeout, "trigger": trigger}
    plain = inspect.unwrap(fn.func if isinstance(fn, functools.partial) else fn)
    chosen: str = name or getattr(plain, "__name__", None) or type(fn).__name__
    tags = (tags,) if isinstance(tags, str) else tuple(tags)
    check_text("name", chosen)
    for tag in tags:
        check_text("tags", tag)
    if run_name is not None:
        check_text("run_name", run_name)
    _check_retry_on(retry_on)
    policy = read_policy(told)
    if policy.timeout == 0:
        raise InvalidInput(f"timeout: {timeout!r} leaves no time at all", field="timeout")
    key = f"{getattr(plain, '__module__', '')}.{getattr(plain, '__qualname__', chosen)}"
    return Options(chosen, policy, retry_on, tags, run_name, key)


def revise(options: Options, changes: dict[str, Any]) -> Options:
    """The options with some of them changed, checked in the same way."""
    told = {
        "name": options.name,
        "tags": options.tags,
        "retry_on": options.retry_on,
        "run_name": options.run_name,
        **options.policy.as_json(),
    }
    if unknown := set(changes) - set(told):
        raise InvalidInput(f"{sorted(unknown)[0]}: not known; there are {', '.join(sorted(told))}")
    return replace(options_of(revise, **{**told, **changes}), key=options.key)


def _positional_names(fn: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters that can be given by position."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None:
        return ()
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names[1:] if inspect.ismethod(fn) else names


def _check_retry_on(retry_on: Any) -> None:
    classes = retry_on if isinstance(retry_on, tuple) else (retry_on,)
    if all(isinstance(each, type) and issubclass(each, BaseException) for each in classes):
        return
    if isinstance(retry_on, tuple | type) or not callable(retry_on):
        says = "an exception class, a tuple of them, or a function of the exception"
        raise InvalidInput(f"retry_on: {retry_on!r} is not {says}", field="retry_on")


def _waits_after(error: BaseException) -> bool:
    """Submitted tasks that run already are waited for, unless time is up or somebody interrupts."""
    return isinstance(error, Exception) and not isinstance(error, TaskTimeout)


def _plain_ending(call: Callable[[], Any]) -> Ending:
    """Disabled: how a plain call ended."""
    try:
        outcome = Outcome(call())
    except Exception as error:
        outcome = Outcome(error=error)
    return ending_of(state_of(outcome), outcome)


async def _plain_ending_async(call: Awaitable[Any]) -> Ending:
    try:
        outcome = Outcome(await call)
    except Exception as error:
        outcome = Outcome(error=error)
    return ending_of(state_of(outcome), outcome)


def without_our_frames(error: BaseException) -> BaseException:
    """The exception with its traceback beginning in the user's code, where it has such frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(
        "orion_nb."
    ):
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else error
