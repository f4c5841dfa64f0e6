"""`@flow`: a function whose calls are flow runs, and what is called in it its children."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, TypeVar, overload

from orion_nb.api.orion import Orion
from orion_nb.engine.attempts import Attempt
from orion_nb.engine.context import RunContext, here, observed
from orion_nb.engine.drive import Proposer
from orion_nb.engine.futures import futures_in, resolved
from orion_nb.engine.lead import Finish, Outcome
from orion_nb.engine.options import OnChange, Options, Retriable, options_of
from orion_nb.engine.parameters import coerced, coerced_named, preview
from orion_nb.engine.remembering import Given
from orion_nb.engine.rerunning import Rerun
from orion_nb.engine.runners import ThreadRunner
from orion_nb.engine.work import Work
from orion_nb.errors import InvalidInput, ParameterError
from orion_nb.schemas.reports import Report
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

    def rerun(self, run: str, *args: Any, **kwargs: Any) -> Any:
        """A run of this flow is run once more, in a new attempt; what completed is not executed.

        Without arguments it is given those it had. Returns the flow's value, raises its exception;
        for an async flow this is a coroutine.

        Raises:
            RunNotFound: there is no such run.
            InvalidInput: the run is not one of this flow.
            ResultUnavailable: its arguments were not kept: give them.
        """
        again = Rerun(self, run, args, kwargs)
        return again.live_async() if self.is_async else again.live()

    def _execute(self, args: Any, kwargs: Any) -> Finish:
        for future in list(futures_in((args, kwargs))):
            future.look()
            future.join()
        return self.live(*self._begun(args, kwargs), args, kwargs)

    async def _execute_async(self, args: Any, kwargs: Any) -> Finish:
        for future in list(futures_in((args, kwargs))):
            future.look()
            await future.finished()
        return await self.live_async(*self._begun(args, kwargs), args, kwargs)

    def live(
        self,
        orion: Orion,
        run: Run,
        finish: Finish | None,
        context: RunContext | None,
        args: Any,
        kwargs: Any,
    ) -> Finish:
        """The given run is lived on this thread."""
        if finish is not None:
            return finish
        runner = self.runner or (context.runner if context else None)
        plan, given = self.plan(run, args, kwargs), self._given(args, kwargs)
        with observed(orion, run, context):
            return self._life(
                orion, run, lambda: self._call(args, kwargs), runner, plan=plan, given=given
            )

    async def live_async(
        self,
        orion: Orion,
        run: Run,
        finish: Finish | None,
        context: RunContext | None,
        args: Any,
        kwargs: Any,
    ) -> Finish:
        """The same on the caller's loop."""
        if finish is not None:
            return finish
        runner = self.runner or (context.runner if context else None)
        plan, given = self.plan(run, args, kwargs), self._given(args, kwargs)
        with observed(orion, run, context):
            return await self._life_async(
                orion, run, lambda: self._call(args, kwargs), runner, plan=plan, given=given
            )

    def deploy(self, name: str | None = None, **told: Any) -> dict[str, Any]:
        """The flow runs by schedule from now on, from the file that it is defined in.

        `told` is what `orion_nb.deploy` takes: `cron="0 7 * * *"`, `params={...}`, `update=True`.

        Raises:
            InvalidInput: it is not defined at the top of a Python file.
        """
        from orion_nb.api.deploying import deploy
        from orion_nb.schemas.targets import joined

        fn = inspect.unwrap(self.fn)
        file, at = inspect.getsourcefile(fn) or "", getattr(fn, "__qualname__", "")
        if not file.endswith(".py") or not Path(file).is_file() or not at.isidentifier():
            says = (
                f"{self.name!r} is defined in no Python file, or within a function: put it at the "
                "top of one, or deploy the notebook that calls it"
            )
            raise InvalidInput(says, field="path")
        return deploy(joined(file, at), name or self.name, **told)

    def attempt(self, orion: Orion, run: Run, kwargs: dict[str, Any]) -> Outcome:
        """The flow is called once for a run that is RUNNING already; nothing is proposed.

        For who owns the run and proposes what this comes to: its retries and its timeout are
        theirs, too.
        """
        work = self._changed({"timeout": None})
        given = Given((), kwargs) if kwargs else None
        attempt = Attempt(work, Proposer(orion, run), self.runner, given)
        if self.is_async:
            awaited: Any = lambda: self._call((), kwargs)  # noqa: E731 - each attempt has its own
            import asyncio

            return asyncio.run(attempt.call_async(awaited, run))
        return attempt.call(lambda: self._call((), kwargs), run)

    def tell(self, run: Run, report: Report) -> None:
        """What `on_change` names is called: for who proposes the states of an `attempt`."""
        if (told := self.told()) is not None:
            told(run, report)

    def checked(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """These parameters as the flow takes them.

        Raises:
            ParameterError: one is unknown or missing, or its value doesn't fit.
        """
        try:
            inspect.signature(self.fn).bind(**kwargs)
        except TypeError as error:
            raise ParameterError(f"parameters of {self.name}: {error}") from None
        return coerced_named(self.fn, kwargs) if self.validates else kwargs

    def _begun(self, args: Any, kwargs: Any) -> tuple[Orion, Run, Finish | None, RunContext | None]:
        orion, parent, context = here(self.kind)
        given, named = resolved((args, kwargs))
        run, finish = self.opened(
            orion, parent, context, args, kwargs, preview(self.fn, given, named)
        )
        return orion, run, finish, context

    def defaults(self) -> dict[str, Any]:
        """The parameters of a call without arguments, as a run shows them."""
        return preview(self.fn, (), {})

    def _given(self, args: Any, kwargs: Any) -> Given | None:
        if not args and not kwargs:
            return None
        given, named = resolved((args, kwargs))
        return Given(given, named)

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
    retry_backoff: float = 1.0,
    retry_delay_max: Any = None,
    retry_jitter: float = 0.0,
    retry_on: Retriable = Exception,
    retry_crashes: int = 0,
    timeout: Any = None,
    validate: bool = True,
    runner: ThreadRunner | None = None,
    concurrency: Any = (),
    persist: bool | None = None,
    tags: Iterable[str] | str = (),
    sla: Any = None,
    sla_start: Any = None,
    sla_action: str = "mark",
    run_name: str | None = None,
    on_change: OnChange | Iterable[OnChange] = (),
    frames: bool | None = None,
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
        retry_delay: the wait before a retry: seconds, a text like "10s", or a list of them; see
            `task` for retry_backoff, retry_delay_max, retry_jitter, retry_on and retry_crashes.
            Tasks and flows called in it that have completed are not executed again.
        timeout: how long one attempt may take; it then fails as TimedOut.
        validate: arguments are checked and coerced by pydantic as the annotations say.
        runner: where submitted tasks run; `ThreadRunner(max_workers=8)` for example.
        concurrency, persist, tags, sla, sla_start, sla_action, on_change, frames: as those of
            `task`.
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
    for option, is_given in (("cache", options.cache), ("rerun_from", options.policy.rerun_from)):
        if is_given:
            raise InvalidInput(f"{option}: only tasks have it, flows have not", field=option)


def _check_runner(runner: Any) -> None:
    if runner is not None and not isinstance(runner, ThreadRunner):
        raise InvalidInput(f"runner: {runner!r} is no runner; use ThreadRunner()", field="runner")
