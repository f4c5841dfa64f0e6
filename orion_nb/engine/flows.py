"""`@flow`: a function whose calls are flow runs, and what is called in it its children."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, TypeVar, overload

from orion_nb.engine.context import RunContext, here, observed
from orion_nb.engine.futures import resolved
from orion_nb.engine.lead import Ending
from orion_nb.engine.parameters import coerced, preview
from orion_nb.engine.runners import ThreadRunner
from orion_nb.engine.work import Options, Work, options_of
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import Kind
from orion_nb.schemas.states import COMPLETED

P = ParamSpec("P")
R = TypeVar("R")


class Flow(Work[P, R]):
    """A function whose calls are flow runs."""

    kind: ClassVar[Kind] = "flow"

    def __init__(
        self,
        fn: Callable[P, R],
        options: Options,
        validate: bool = True,
        runner: ThreadRunner | None = None,
    ) -> None:
        super().__init__(fn, options)
        self.validates = validate
        self.runner = runner

    def with_options(self, **changes: Any) -> Flow[P, R]:
        """The same flow with some options changed.

        Raises:
            InvalidInput: an option is not known, or its value can't be accepted.
        """
        validates = changes.pop("validate", self.validates)
        runner = changes.pop("runner", self.runner)
        other = self._changed(changes)
        other.validates, other.runner = validates, runner
        return other

    def _prepared(self, args: Any, kwargs: Any) -> tuple[Any, Any, dict[str, Any]]:
        """The arguments, futures resolved and values coerced, and their preview."""
        args, kwargs = resolved(args), resolved(kwargs)
        if self.validates:
            args, kwargs = coerced(self.fn, args, kwargs)
        return args, kwargs, preview(self.fn, args, kwargs)

    def _execute(self, args: Any, kwargs: Any) -> Ending:
        args, kwargs, shown = self._prepared(args, kwargs)
        orion, parent, context = here(self.kind)
        run = self.new_run(parent, shown)
        runner = self.runner or (context.runner if context else None)
        with observed(orion, run, context):
            return self._life(orion, run, lambda: self.fn(*args, **kwargs), runner)

    async def _execute_async(self, args: Any, kwargs: Any) -> Ending:
        args, kwargs, shown = self._prepared(args, kwargs)
        orion, parent, context = here(self.kind)
        run = self.new_run(parent, shown)
        runner = self.runner or (context.runner if context else None)
        body: Callable[[], Any] = lambda: self.fn(*args, **kwargs)  # noqa: E731
        with observed(orion, run, context):
            return await self._life_async(orion, run, body, runner)

    def _close(self, context: RunContext) -> None:
        while left := [future for future in list(context.futures) if not future.done()]:
            for future in left:
                future.join()
        _raise_unseen(context)

    async def _close_async(self, context: RunContext) -> None:
        while left := [future for future in list(context.futures) if not future.done()]:
            await asyncio.wait([asyncio.wrap_future(future) for future in left])
        _raise_unseen(context)

    def _abandon(self, context: RunContext) -> None:
        for future in list(context.futures):
            future.cancel()


def _raise_unseen(context: RunContext) -> None:
    """A submitted task that failed, and whose future nobody looked at, fails the flow."""
    for future in list(context.futures):
        ending = future.ending
        if ending and ending.type is not COMPLETED and not future.was_looked_at:
            future.result()


@overload
def flow(fn: Callable[P, R], /) -> Flow[P, R]: ...
@overload
def flow(
    fn: None = None,
    /,
    *,
    name: str | None = None,
    retries: int = 0,
    retry_delay: Any = 0.0,
    timeout: Any = None,
    validate: bool = True,
    runner: ThreadRunner | None = None,
    run_name: str | None = None,
) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
def flow(  # noqa: D417 - the overload above names the options
    fn: Callable[P, R] | None = None,
    /,
    *,
    validate: bool = True,
    runner: ThreadRunner | None = None,
    **options: Any,
) -> Any:
    """The function is a flow: each call is a flow run; tasks and flows called in it belong to it.

    A flow ends when its submitted tasks have ended. One of them that failed, and whose future
    nobody looked at, fails the flow: nothing is lost silently.

    Args:
        fn: the function, sync or async.
        name: what the flow is called; the function's name by default.
        retries: how often a failed run is tried again as a whole, 0 to 100.
        retry_delay: the wait before a retry: seconds, a text like "10s", or a list of them.
        timeout: how long one attempt may take; it then fails as TimedOut.
        validate: arguments are checked and coerced by pydantic as the annotations say.
        runner: where submitted tasks run; `ThreadRunner(max_workers=8)` for example.
        run_name: a name for its runs.

    Raises:
        InvalidInput: an option's value can't be accepted; the message says what may.

    Example:
        >>> @flow
        ... def etl(day: date):
        ...     load(clean(extract(day)))
    """
    if fn is not None and not callable(fn):
        raise InvalidInput(f"flow: {fn!r} is not a function", field="fn")
    if runner is not None and not isinstance(runner, ThreadRunner):
        raise InvalidInput(f"runner: {runner!r} is no runner; use ThreadRunner()", field="runner")

    def make(function: Callable[P, R]) -> Flow[P, R]:
        made = options_of(function, **{"name": None, **options})
        return Flow(function, made, validate, runner)

    return make if fn is None else make(fn)
