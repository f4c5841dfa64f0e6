"""What flows and tasks share: a function whose every call is a run, and how it is called."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, ParamSpec, Self, TypeVar

from orion_nb.api.orion import Orion
from orion_nb.engine.context import RunContext, current, entered
from orion_nb.engine.deadline import within
from orion_nb.engine.drive import Proposer, drive, drive_async
from orion_nb.engine.futures import error_of
from orion_nb.engine.lead import Ending, Outcome, lead
from orion_nb.engine.runners import ThreadRunner
from orion_nb.errors import InvalidInput, TaskTimeout
from orion_nb.schemas.durations import seconds
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Kind, Run, RunPolicy, new_id
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
        if not isinstance(error, Exception):
            return False
        if isinstance(self.retry_on, type | tuple):
            return isinstance(error, self.retry_on)
        return bool(self.retry_on(error))


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
        self.is_async = inspect.iscoroutinefunction(fn)

    @property
    def name(self) -> str:
        return self.options.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs the function as a run of its own; returns its value, raises its exception."""
        __tracebackhide__ = True  # IPython and pytest show the user's frames only
        if current() is None and is_disabled():
            return self.fn(*args, **kwargs)
        if self.is_async:
            return self._call_async(args, kwargs)  # type: ignore[return-value] # it is R: a coroutine
        ending = self._execute(args, kwargs)
        error = error_of(ending)
        if error is not None:
            raise error
        value: R = ending.value
        return value

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """The final state of a run of the function; it never raises what the function raises.

        The state has `.value`, `.error` (the original exception) and `.run_id`. For an async
        function this is a coroutine.
        """
        if self.is_async:
            return self._execute_async(args, kwargs)
        return self._execute(args, kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        """As a method, the function is bound to its instance."""
        if instance is None:
            return self
        bound = copy.copy(self)
        bound.fn = self.fn.__get__(instance, owner)
        return bound

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    async def _call_async(self, args: Any, kwargs: Any) -> Any:
        __tracebackhide__ = True
        ending = await self._execute_async(args, kwargs)
        error = error_of(ending)
        if error is not None:
            raise error
        return ending.value

    def _execute(self, args: Any, kwargs: Any) -> Ending:
        raise TypeError(f"{self!r} can't be executed")

    def _execute_async(self, args: Any, kwargs: Any) -> Coroutine[Any, Any, Ending]:
        raise TypeError(f"{self!r} can't be executed")

    def _changed(self, changes: dict[str, Any]) -> Self:
        other = copy.copy(self)
        other.options = revise(self.options, changes)
        return other

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
        upstream: tuple[str, ...] = (),
    ) -> Ending:
        """The run is lived on this thread; each attempt calls `body`."""
        timeout, name = self.options.policy.timeout, self.name
        proposer = Proposer(orion, run, upstream, self.on_state)

        def call(current: Run) -> Outcome:
            context = RunContext(orion, current, runner)
            try:
                with entered(context):
                    value = body() if timeout is None else within(timeout, name, body)
                    self._close(context)
                    return Outcome(value)
            except BaseException as error:
                self._abandon(context)
                return Outcome(error=without_our_frames(error))

        return drive(lead(self.options.retriable), proposer, call)

    async def _life_async(
        self,
        orion: Orion,
        run: Run,
        body: Callable[[], Awaitable[Any]],
        runner: ThreadRunner | None,
        upstream: tuple[str, ...] = (),
    ) -> Ending:
        """The run is lived on the caller's loop; each attempt awaits `body()`."""
        import asyncio

        timeout, name = self.options.policy.timeout, self.name
        proposer = Proposer(orion, run, upstream, self.on_state)

        async def call(current: Run) -> Outcome:
            context = RunContext(orion, current, runner)
            try:
                with entered(context):
                    async with asyncio.timeout(timeout) as scope:
                        value = await body()
                        await self._close_async(context)
                return Outcome(value)
            except BaseException as error:
                self._abandon(context)
                if isinstance(error, TimeoutError) and scope.expired():
                    error = TaskTimeout(f"{name!r} exceeded {timeout:g} s")
                return Outcome(error=without_our_frames(error))

        return await drive_async(lead(self.options.retriable), proposer, call)

    def _close(self, context: RunContext) -> None:
        """The body has returned: what it started is waited for."""

    async def _close_async(self, context: RunContext) -> None:
        """The same, on a loop."""

    def _abandon(self, context: RunContext) -> None:
        """The body has raised: what it started and nobody took up is dropped."""


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
    from orion_nb.api.runs import check_text, read_policy

    told = {"retries": retries, "retry_delay": retry_delay, "timeout": timeout, "trigger": trigger}
    chosen: str = name or getattr(fn, "__name__", None) or type(fn).__name__
    check_text("name", chosen)
    if isinstance(tags, str):
        tags = (tags,)
    key = f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', chosen)}"
    return Options(chosen, read_policy(told), retry_on, tuple(tags), run_name, key)


def revise(options: Options, changes: dict[str, Any]) -> Options:
    """The options with some of them changed, checked in the same way."""
    policy = options.policy
    if changes.get("timeout", 0) is not None and "timeout" in changes:
        changes["timeout"] = seconds(changes["timeout"])
    told = {
        "name": options.name,
        "tags": options.tags,
        "retry_on": options.retry_on,
        "run_name": options.run_name,
        **policy.as_json(),
    }
    if unknown := set(changes) - set(told):
        raise InvalidInput(f"{sorted(unknown)[0]}: not known; there are {', '.join(sorted(told))}")
    return replace(options_of(revise, **{**told, **changes}), key=options.key)


def without_our_frames(error: BaseException) -> BaseException:
    """The exception with its traceback beginning in the user's code, where it has such frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(
        "orion_nb."
    ):
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else error
