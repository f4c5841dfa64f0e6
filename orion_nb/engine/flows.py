"""`@flow`: a function whose calls are flow runs, and what is called in it its children."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, TypeVar, overload

from orion_nb.api.orion import Orion
from orion_nb.engine.context import RunContext, here, observed
from orion_nb.engine.futures import futures_in, resolved
from orion_nb.engine.lead import Finish
from orion_nb.engine.parameters import coerced, preview
from orion_nb.engine.runners import ThreadRunner
from orion_nb.engine.work import Options, Work, options_of
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import Kind, Run

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
        _check_heeded(options, runner)

    def with_options(self, **changes: Any) -> Flow[P, R]:
        """The same flow with some options changed.

        Raises:
            InvalidInput: an option is not known, or its value can't be accepted.
        """
        validates = changes.pop("validate", self.validates)
        runner = changes.pop("runner", self.runner)
        other = self._changed(changes)
        other.validates, other.runner = validates, runner
        _check_heeded(other.options, runner)
        return other

    def _execute(self, args: Any, kwargs: Any) -> Finish:
        for future in list(futures_in((args, kwargs))):
            future.look()
            future.join()
        orion, run, runner, context = self._begun(args, kwargs)
        with observed(orion, run, context):
            return self._life(orion, run, lambda: self._call(args, kwargs), runner)

    async def _execute_async(self, args: Any, kwargs: Any) -> Finish:
        for future in list(futures_in((args, kwargs))):
            future.look()
            await future.finished()
        orion, run, runner, context = self._begun(args, kwargs)
        with observed(orion, run, context):
            return await self._life_async(orion, run, lambda: self._call(args, kwargs), runner)

    def _begun(
        self, args: Any, kwargs: Any
    ) -> tuple[Orion, Run, ThreadRunner | None, RunContext | None]:
        orion, parent, context = here(self.kind)
        given, named = resolved((args, kwargs))
        run = self.new_run(parent, preview(self.fn, given, named))
        return orion, run, self.runner or (context.runner if context else None), context

    def _call(self, args: Any, kwargs: Any) -> Any:
        """The function's value, or coroutine: wrong arguments fail the run as its code would."""
        given, named = resolved((args, kwargs), raising=True)
        if self.validates:
            given, named = coerced(self.fn, given, named)
        return self.fn(*given, **named)


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
    _check_runner(runner)

    def make(function: Callable[P, R]) -> Flow[P, R]:
        made = options_of(function, **{"name": None, **options})
        return Flow(function, made, validate, runner)

    return make if fn is None else make(fn)


def _check_heeded(options: Options, runner: Any) -> None:
    """What a flow can't heed is refused, and not just passed over."""
    _check_runner(runner)
    if options.policy.trigger != "all_completed":
        says = "trigger: a flow waits for no upstream runs; only tasks have a trigger"
        raise InvalidInput(says, field="trigger")


def _check_runner(runner: Any) -> None:
    if runner is not None and not isinstance(runner, ThreadRunner):
        raise InvalidInput(f"runner: {runner!r} is no runner; use ThreadRunner()", field="runner")
