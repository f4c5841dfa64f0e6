"""A run that has ended, or was left behind by a dead process, is run once more."""

from __future__ import annotations

from typing import Any, Protocol

from orion_nb.api.orion import Orion
from orion_nb.engine.context import RunContext, current, here
from orion_nb.engine.lead import Finish
from orion_nb.errors import Conflict, InvalidInput
from orion_nb.schemas.runs import Kind, Run


class Lives(Protocol):
    """What is asked of a flow."""

    @property
    def kind(self) -> Any: ...

    @property
    def name(self) -> str: ...

    def defaults(self) -> dict[str, Any]: ...

    def live(
        self,
        orion: Orion,
        run: Run,
        finish: None,
        context: RunContext | None,
        args: Any,
        kwargs: Any,
    ) -> Finish: ...

    async def live_async(
        self,
        orion: Orion,
        run: Run,
        finish: None,
        context: RunContext | None,
        args: Any,
        kwargs: Any,
    ) -> Finish: ...


class Rerun:
    """One more attempt of a run, where its code is at hand."""

    def __init__(self, work: Lives, ref: str, args: Any, kwargs: Any) -> None:
        kind: Kind = work.kind
        orion, _, _ = here(kind)
        orion.reap()  # a run whose process is gone is not running any more
        run = orion.find(ref)
        if (run.kind, run.name) != (kind, work.name):
            says = f"run: {ref!r} is a run of {run.kind} {run.name!r}, not of {kind} {work.name!r}"
            raise InvalidInput(says, field="run")
        if not run.state.is_terminal and run.attempt and run.state.type != "SCHEDULED":
            raise Conflict(f"run {ref} is {run.state.name}: cancel it, or wait for its end")
        if not args and not kwargs and run.parameters and run.parameters != work.defaults():
            args, kwargs = orion.inputs_of(run.id)
        self._work, self._orion, self._run = work, orion, run
        self._args, self._kwargs = args, kwargs

    def live(self) -> Any:
        """The value of the new attempt; its exception is raised."""
        return _value(self._work.live(*self._told()))

    async def live_async(self) -> Any:
        """The same for code that is awaited."""
        return _value(await self._work.live_async(*self._told()))

    def _told(self) -> tuple[Any, ...]:
        return self._orion, self._run, None, current(), self._args, self._kwargs


def _value(finish: Finish) -> Any:
    if (error := finish.error) is not None:
        raise error
    return finish.outcome.value
