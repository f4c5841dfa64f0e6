"""What flows and tasks share: a function whose every call is a run, and how it is called."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, Self, TypeVar

from orion_nb.api.answers import Answer, Proposal
from orion_nb.api.orion import Orion
from orion_nb.engine.attempts import Attempt
from orion_nb.engine.context import RunContext, current
from orion_nb.engine.drive import Proposer, drive, drive_async, in_turns
from orion_nb.engine.futures import Inputs, resolved
from orion_nb.engine.lead import (
    Ending,
    Finish,
    Outcome,
    Plan,
    Propose,
    describe,
    ending_of,
    lead,
    state_of,
)
from orion_nb.engine.lineage import Origins, inputs_of, sources_of
from orion_nb.engine.options import OnChange, Options, revise
from orion_nb.engine.recall import recall_of, why_again
from orion_nb.engine.remembering import Given
from orion_nb.engine.runners import ThreadRunner
from orion_nb.errors import Interruption, InvalidInput, OrionError
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Kind, Run, new_id
from orion_nb.schemas.states import Pending, Running, State
from orion_nb.schemas.values import evolve
from orion_nb.settings import is_disabled

if TYPE_CHECKING:
    from orion_nb.engine.caching import CacheKey

P = ParamSpec("P")
R = TypeVar("R")


class Work(Generic[P, R]):
    """A function whose calls are runs. Call it as the function; `.fn` is the function itself."""

    kind: ClassVar[Kind]

    #: Called with the run and the report after each proposal: how cells show what happens.
    on_state: Callable[[Run, Report], None] | None = None

    def __init__(self, fn: Callable[P, R], options: Options) -> None:
        self.is_stream = inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn)
        if self.is_stream and self.kind == "flow":
            raise InvalidInput(
                f"{options.name!r} is a generator function; only tasks can be: return a list, or "
                "call a flow for each item",
                field="fn",
            )
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.options = options
        self._plainly = Plan(options.retriable)
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
        that the time of an enclosing run is up, that it is to stop or to go back to an earlier
        task, and that its asyncio task is cancelled.
        """
        if self.is_async:
            return self._run_async(args, kwargs)
        if current() is None and is_disabled():
            return _plain_ending(lambda: self(*args, **kwargs))
        finish = self._execute(args, kwargs)
        if isinstance(finish.error, Interruption):
            raise finish.error
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
        import asyncio

        if current() is None and is_disabled():
            value: Any = self(*args, **kwargs)
            return await _plain_ending_async(value)
        finish = await self._execute_async(args, kwargs)
        error, doing = finish.error, asyncio.current_task()
        is_cancelled = isinstance(error, asyncio.CancelledError) and doing and doing.cancelling()
        if error is not None and (is_cancelled or isinstance(error, Interruption)):
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
        other._plainly = Plan(other.options.retriable)
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
            state=_PENDING,
            root=parent.root if parent else run_id,
            parent=parent.id if parent else None,
            run_name=options.run_name,
            key=options.key,
            policy=options.policy,
            tags=options.tags,
            parameters=parameters,
        )

    def opened(
        self,
        orion: Orion,
        parent: Run | None,
        context: RunContext | None,
        args: Any = (),
        kwargs: Any = MappingProxyType({}),
        parameters: dict[str, Any] | None = None,
    ) -> tuple[Run, Finish | None]:
        """The run of a call made here: a new one, or the one that an earlier attempt made.

        With how it ended, if that attempt has completed it already.
        """
        recall = context.recall if context is not None else recall_of(orion, parent)
        if recall is not None:
            origins = context.origins if context else Origins()
            inputs = frozenset(run for run, _ in inputs_of(self._names, args, kwargs, origins))
            known = recall.take(self.kind, self.options.key or self.name, inputs)
            if known is not None:
                sources = partial(sources_of, self._names, args, kwargs, origins)
                return known, recall.finished(orion, known, sources)
        return self.new_run(parent, parameters), None

    def pulled(self, states: list[State]) -> bool | None:
        """What the trigger says to these upstream states, if it is a function."""
        trigger = self.options.trigger
        return None if trigger is None else bool(trigger(states))

    def plan(self, run: Run, args: Any, kwargs: Any, pulled: bool | None = None) -> Plan:
        """What is known of the life of a call with these arguments."""
        rerun = run.state.is_terminal
        if not self.options.cache and pulled is None and not rerun:
            return self._plainly
        state, parts = Running(), None
        if self.options.cache:
            state, parts = self._cache_key(run, args, kwargs)
        around = current() if rerun else None
        if around is not None and (why := why_again(run, around.recall)) is not None:
            state = evolve(state, message=f"{why}; {state.message}" if state.message else why)
        start = Propose(state, rerun=rerun, pulled=pulled)
        return Plan(self.options.retriable, start, parts)

    def _cache_key(self, run: Run, args: Any, kwargs: Any) -> tuple[State, CacheKey | None]:
        """The state to start with, and what its key is made of; without one it says why."""
        from orion_nb.engine.caching import Unhashable

        try:
            made = self.cache_key_of(args, kwargs)
        except Unhashable as why:
            return Running(message=f"not cached: {why}"), None
        return Running(cache_key=made.key), made

    def cache_key_of(self, args: Any, kwargs: Any) -> CacheKey:
        """The cache key of a call with these arguments, and what it is made of.

        Raises:
            Unhashable: an argument, or something the function reaches, has no print.
        """
        from orion_nb.engine.caching import key_for, key_for_custom

        custom = self.options.cache_key
        if custom is None:
            return key_for(self.fn, self.name, args, kwargs)
        return key_for_custom(self.name, custom, self.fn, args, kwargs)

    def _life(
        self,
        orion: Orion,
        run: Run,
        body: Callable[[], Any],
        runner: ThreadRunner | None,
        upstream: Inputs = (),
        plan: Plan | None = None,
        given: Given | None = None,
    ) -> Finish:
        """The run is lived on this thread; each attempt calls `body`."""
        proposer = Proposer(orion, run, upstream, self.told())
        attempt = Attempt(self, proposer, runner, given)
        finish = drive(lead(plan or self._plainly), proposer, partial(attempt.call, body))
        _remember(orion, finish, plan, self.options)
        return finish

    @property
    def is_plain(self) -> bool:
        """Its first proposal is Running, and nothing else: it takes no time to make."""
        return not self.options.cache and self.options.trigger is None

    def _life_in_turns(
        self,
        orion: Orion,
        run: Run,
        body: Callable[[], Any],
        runner: ThreadRunner | None,
        upstream: Inputs = (),
        plan: Plan | None = None,
        given: Given | None = None,
    ) -> Generator[Proposal, Answer, Finish]:
        """The same, with its proposals put to the API by the runner."""
        proposer = Proposer(orion, run, upstream, self.told())
        attempt = Attempt(self, proposer, runner, given)
        life = lead(plan or self._plainly)
        finish = yield from in_turns(life, proposer, partial(attempt.call, body))
        _remember(orion, finish, plan, self.options)
        return finish

    async def _life_async(
        self,
        orion: Orion,
        run: Run,
        body: Callable[[], Awaitable[Any]],
        runner: ThreadRunner | None,
        upstream: Inputs = (),
        plan: Plan | None = None,
        given: Given | None = None,
    ) -> Finish:
        """The run is lived on the caller's loop; each attempt awaits `body()`."""
        proposer = Proposer(orion, run, upstream, self.told())
        attempt = Attempt(self, proposer, runner, given)
        life = lead(plan or self._plainly)
        finish = await drive_async(life, proposer, partial(attempt.call_async, body))
        _remember(orion, finish, plan, self.options)
        return finish

    def told(self) -> OnChange | None:
        """Who is told of each proposal: the notebook's cell, and what `on_change` names."""
        calls = self.options.on_change
        if not calls:
            return self.on_state
        return partial(_tell, (*calls, self.on_state) if self.on_state else calls)


_PENDING = Pending()


def _tell(calls: tuple[OnChange, ...], run: Run, report: Report) -> None:
    for call in calls:
        try:
            call(run, report)
        except Exception as error:
            warnings.warn(f"on_change of {run.name!r} raised {describe(error)}", stacklevel=2)


def _remember(orion: Orion, finish: Finish, plan: Plan | None, options: Options) -> None:
    """What the cache key was made of, so that the next other key can be explained."""
    if plan is None or plan.parts is None or finish.report.state.name != "Completed":
        return
    with contextlib.suppress(OrionError):
        orion.keep_cache_parts(plan.parts.key, options.key or options.name, plan.parts.parts)


def _positional_names(fn: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters that can be given by position."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None:
        return ()
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names[1:] if inspect.ismethod(fn) else names


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
