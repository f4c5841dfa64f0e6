"""`pause` and `stop`: a run waits for somebody, or has done enough."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from orion_nb import clock
from orion_nb.engine.context import RunContext, current, get_run_context
from orion_nb.engine.lead import Stopped
from orion_nb.engine.telling import STOP, is_notebooks_own, shell, tell_runner
from orion_nb.errors import InvalidInput, RunStopped, TaskTimeout
from orion_nb.schemas import durations
from orion_nb.schemas.pauses import Pause
from orion_nb.schemas.states import PAUSED, RUNNING, Paused, TimedOut

#: How often a paused run looks whether it goes on (seconds).
LOOK = 0.1


def stop(reason: str = "enough") -> NoReturn:
    """The flow around ends here, Completed: it has done enough. Tasks end with it.

    In a task outside any flow, the task ends so. A cell, and in a notebook that is executed the
    notebook: it is Completed, and the cells below are skipped.

    Raises:
        RuntimeError: no flow, task or cell is being executed here.
    """
    context = current()
    if is_notebooks_own(context) and shell() is not None:
        tell_runner(STOP, reason=reason)
    elif context is None:
        get_run_context()  # it says what is missing
    stopped = Stopped(reason)
    stopped._render_traceback_ = lambda: [f"stopped: {reason}"]  # type: ignore[attr-defined]
    raise stopped


def pause(
    message: str | None = None,
    *,
    input: Any = None,
    timeout: Any = None,
    key: str | None = None,
) -> Any:
    """The run is Paused until somebody resumes it; returns what they gave.

    Code that awaits uses `pause_async`. When the run is run once more, a pause that was answered
    gives the same answer again.

    Args:
        message: what people are asked; shown with the run.
        input: what to ask for: a type, a dict of names and types, or a pydantic model.
        timeout: the run is TimedOut when nobody has resumed it by then; seconds or "2h".
        key: the pause's name within its run; the first one is "pause", the next "pause-2".

    Raises:
        RuntimeError: no flow or task is being executed here.
        RunStopped: the run was cancelled, or ended by force, while it was paused.
        TaskTimeout: nobody resumed it in time.
    """
    asked = _Asked(get_run_context(), message, input, timeout, key)
    for piece in asked.waiting():
        time.sleep(piece)
    return asked.answer()


async def pause_async(
    message: str | None = None,
    *,
    input: Any = None,
    timeout: Any = None,  # noqa: ASYNC109 - of the pause, as people see it, not of the call
    key: str | None = None,
) -> Any:
    """The same as `pause`; the loop goes on meanwhile."""
    import asyncio

    asked = _Asked(get_run_context(), message, input, timeout, key)
    for piece in asked.waiting():
        await asyncio.sleep(piece)
    return asked.answer()


class _Asked:
    """One pause, from the question to the answer."""

    def __init__(
        self, context: RunContext, message: str | None, wanted: Any, timeout: Any, key: str | None
    ) -> None:
        self.context, self.wanted, self.message = context, wanted, message
        context.pauses += 1
        count = context.pauses
        self.key = key or ("pause" if count == 1 else f"pause-{count}")
        allowed = None if timeout is None else durations.seconds(timeout, field="timeout")
        self.until = None if allowed is None else clock.now() + round(allowed * clock.SECOND)

    def waiting(self) -> Iterator[float]:
        """Pieces of time to wait for; ends when the run is not paused any more."""
        orion, run = self.context.orion, self.context.run
        known = orion.find_pause(run.id, self.key)
        if known is not None and known.resumed is not None:
            return
        schema = _schema(self.wanted)
        now = clock.now()
        orion.ask_pause(Pause(run.id, self.key, self.message, schema, self.until, now))
        run = orion.find(run.id)
        run, report = orion.advance(run, Paused(self.until, message=self.message))
        if report.state.type is not PAUSED:
            raise RunStopped(f"{report.state.name}: {report.reason}")
        while (run := orion.find(run.id)).state.type is PAUSED:
            yield LOOK
            if self.until is not None and clock.now() > self.until:
                told = f"nobody resumed it in time: {self.message or self.key}"
                orion.advance(run, TimedOut(told))
                raise TaskTimeout(told)
        if run.state.type is not RUNNING:
            raise RunStopped(f"{run.state.name}: {run.state.message or 'while it was paused'}")

    def answer(self) -> Any:
        """What whoever resumed the run gave, checked and made what was asked for."""
        known = self.context.orion.find_pause(self.context.run.id, self.key)
        given = known.input if known is not None else None
        if self.wanted is None:
            return given
        return _made(self.wanted, given)


def _schema(wanted: Any) -> dict[str, Any] | None:
    """The JSON Schema of what a pause asks for: an object with its fields."""
    if wanted is None:
        return None
    adapter = _adapter(wanted)
    schema: dict[str, Any] = adapter.json_schema()
    if schema.get("type") != "object":
        schema = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    return schema


def _made(wanted: Any, given: Any) -> Any:
    adapter = _adapter(wanted)
    if adapter.json_schema().get("type") != "object":
        given = (given or {}).get("value")
    return adapter.validate_python(given)


def _adapter(wanted: Any) -> Any:
    from pydantic import TypeAdapter, create_model

    if isinstance(wanted, Mapping):
        fields: dict[str, Any] = {name: (kind, ...) for name, kind in wanted.items()}
        return (
            TypeAdapter(dict[str, Any]) if not fields else _Fields(create_model("Input", **fields))
        )
    try:
        return TypeAdapter(wanted)
    except Exception as error:
        says = f"input: {wanted!r} is no type, dict of types, or pydantic model: {error}"
        raise InvalidInput(says, field="input") from None


class _Fields:
    """Several named values: asked for as a model, answered as a dict."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def json_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = self.model.model_json_schema()
        return schema

    def validate_python(self, given: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.model.model_validate(given or {}).__dict__
        return dict(made)
