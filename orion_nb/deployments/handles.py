"""`get_run`: any run, at hand: how it is, what came of it, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any

from orion_nb.api.aside import aside
from orion_nb.api.connect import connect
from orion_nb.api.following import logged
from orion_nb.api.orion import Orion
from orion_nb.deployments.awaiting import stopped_when_cancelled
from orion_nb.deployments.files import notebook_of
from orion_nb.deployments.lookout import look_after
from orion_nb.deployments.summaries import as_html, as_text
from orion_nb.errors import Conflict, NotFound, OrionError, RunStopped, ServerUnreachable
from orion_nb.schemas.durations import seconds
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import COMPLETED, SCHEDULED, State
from orion_nb.store.listing import RunFilter

#: How often a run is looked at that is waited for, and whether processes live (seconds).
LOOK, LOOKOUT = 0.1, 2.0
MANY = 100_000

Duration = float | str | timedelta


class RunHandle:
    """A run of a notebook, a flow or a task, in this process or elsewhere.

    What it tells is asked for when it is read, here or of the server that `ORION_NB_API_URL` names:
    it is so now. Times are microseconds since the epoch, UTC. The blocking calls that take a while
    have a form to be awaited: `wait_async`, `result_async`, `cancel_async`, `rerun_async`.
    """

    def __init__(self, orion: Orion, run_id: str) -> None:
        self._orion = orion
        #: 32 hexadecimal digits.
        self.id = run_id

    @property
    def run(self) -> Run:
        """All that is known of it as one value, which does not change any more.

        Raises:
            RunNotFound: it was deleted.
            ServerUnreachable: the server can't be asked.
        """
        return self._orion.find(self.id)

    @property
    def state(self) -> State:
        """How it is now."""
        return self.run.state

    @property
    def name(self) -> str:
        """That of its notebook, flow, task or deployment."""
        return self.run.name

    @property
    def kind(self) -> str:
        """`flow`, which a notebook is too, or `task`."""
        return self.run.kind

    @property
    def parameters(self) -> dict[str, Any]:
        """The values it was given, by name, as JSON has them."""
        return dict(self.run.parameters or {})

    @property
    def created(self) -> int:
        """When it was made."""
        return self.run.created

    @property
    def start_time(self) -> int | None:
        """When its first attempt began; None before."""
        return self.run.start_time

    @property
    def end_time(self) -> int | None:
        """When it ended; None before."""
        return self.run.end_time

    @property
    def why(self) -> str:
        """What happened to it and why, in sentences, one a line."""
        return "\n".join(self._orion.why(self.id)["summary"])

    @property
    def tasks(self) -> tuple[Run, ...]:
        """The runs of tasks that it has called itself, oldest first."""
        chosen = RunFilter(kind="task", parent=self.id, root=self.run.root)
        return tuple(self._orion.list_runs(chosen, MANY)[::-1])

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells of its notebook, as `GET /runs/{id}/cells` has them; none if it is no notebook.

        Of each its `state`, `start`, `end`, `seconds`, `output_bytes` and `attempts`.
        """
        try:
            told: list[dict[str, Any]] = self._orion.read_cells(self.id)["cells"]
        except NotFound:
            self.run  # noqa: B018 - it may be the run itself that is not there
            return []
        return told

    @property
    def notebook(self) -> Path | None:
        """The file of its executed notebook, as far as it came; None if there is none on this disk.

        `read_notebook` asks a server too.
        """
        return notebook_of(self._orion.settings, self.id)

    def read_notebook(self) -> dict[str, Any]:
        """Its executed notebook in nbformat 4, as far as it came.

        Raises:
            NotebookNotFound: it has none.
            InvalidNotebook: it can't be read.
        """
        return self._orion.executed_notebook(self.id)

    def logs(self, *, level: int | str | None = None, tree: bool = False) -> list[dict[str, Any]]:
        """The lines it has logged, oldest first: their `timestamp`, `level`, `logger`, `message`.

        `level` is the least to give (`"warning"`); with `tree` what the runs in it have logged too.
        """
        return list(logged(self._orion, {"run": self.id, "level": level, "tree": tree}))

    def result(self) -> Any:
        """What it returned, or its notebook declared by `result(value)`; None if it was nothing.

        Raises:
            RunStopped: it has not completed; `wait` waits until it has ended.
            ResultUnavailable, TamperedResult: the value can't be had.
        """
        run = self.run
        if run.state.type is not COMPLETED:
            hint = "" if run.state.is_terminal else "; wait() waits until it has ended"
            raise RunStopped(f"{run.name} is {run.state}{hint}")
        if run.state.result is None and run.kind == "flow" and self._is_notebook(run):
            return None
        return self._orion.load(run.state.result)

    @property
    def result_schema(self) -> dict[str, Any] | None:
        """The JSON Schema (2020-12) of its result: as it was declared, or read off the value.

        None if it has no result yet, or one that is not JSON.
        """
        told = self._orion.read_result(self.id)["result"] or {}
        found: dict[str, Any] | None = told.get("schema")
        return found

    def wait(self, timeout: Duration | None = None) -> State:
        """The run has ended when this returns: the state it ended in. Never raises for a failure.

        Ctrl-C ends the waiting; the run goes on.

        Args:
            timeout: the longest to wait, in seconds, or as text like `"10m"`; default: for ever.

        Raises:
            InvalidInput: `timeout` is no duration.
            TimeoutError: it has not ended by then; it goes on.
        """
        for pause in (looks := _Looks(self, timeout)):
            time.sleep(pause)
        return looks.state

    async def wait_async(self, timeout: Duration | None = None) -> State:  # noqa: ASYNC109
        """The same as `wait`, to be awaited; who is cancelled waits no longer, the run goes on."""
        import asyncio

        looks = _Looks(self, timeout)
        # Who ends the run is another process: it sets no event.
        while (pause := await asyncio.to_thread(next, looks, None)) is not None:  # noqa: ASYNC110
            await asyncio.sleep(pause)
        return looks.state

    def cancel(self, why: str | None = None) -> Report:
        """It was asked to stop, and all runs within it; the report says whether it does.

        `wait` waits until it has stopped.
        """
        return self._orion.cancel(self.id, why=why, by="python")

    def rerun(self, *, from_failed: bool = False) -> RunHandle:
        """It is run once more, in a new attempt; tasks that completed are not executed again.

        A run of a deployment is then Scheduled, and a server or a worker executes it: `wait`. One
        of `run_notebook` has been executed here when this returns.

        Args:
            from_failed: refuse if what a completed task made was not kept.

        Raises:
            Conflict: it has not ended; what a task made was not kept; or it is of code that no
                deployment knows: `flow.rerun(run)` reruns it where its code is.
        """
        run = self.run
        if run.deployment is None and self._is_notebook(run):
            from orion_nb.deployments.adhoc import rerun_notebook

            rerun_notebook(run.id, from_failed=from_failed, orion=self._orion)
            return self
        report = self._orion.rerun(run.id, by="python", from_failed=from_failed)
        if report.state.type is not SCHEDULED:
            raise Conflict(f"run {run.id} can't be rerun: {report.reason or report.state}")
        return self

    @staticmethod
    def _is_notebook(run: Run) -> bool:
        return (run.key or "").startswith("notebook:")

    def __repr__(self) -> str:
        try:
            run = self.run
        except OrionError as error:
            return f"<RunHandle {short(self.id)}: {error}>"
        return as_text(run, self.notebook)

    def _repr_html_(self) -> str:
        try:
            run = self.run
        except OrionError as error:
            return f"<div>run <code>{short(self.id)}</code>: {escape(str(error))}</div>"
        return as_html(run, self.notebook)

    result_async = aside(result, "The same as `result`, to be awaited.")
    cancel_async = aside(cancel, "The same as `cancel`, to be awaited.")
    rerun_async = aside(
        rerun,
        "The same as `rerun`, to be awaited; who is cancelled stops it.",
        stopped_when_cancelled,
    )


class _Looks(Iterator[float]):
    """Pauses (seconds) until a run has ended; then `state` is the one it ended in."""

    state: State

    def __init__(self, handle: RunHandle, timeout: Duration | None) -> None:
        self._handle = handle
        self._until = None if timeout is None else time.monotonic() + _number(timeout)
        self._looked = time.monotonic()
        self._seen: Any = None

    def __next__(self) -> float:
        now = self._handle._orion.version_seen()
        if now is None or now != self._seen:
            self._look(now)
            if self.state.is_terminal:
                raise StopIteration
        left = LOOK
        if self._until is not None and (left := self._until - time.monotonic()) <= 0:
            raise TimeoutError(f"run {short(self._handle.id)} is still {self.state.name}")
        if time.monotonic() - self._looked > LOOKOUT:
            self._looked = time.monotonic()
            look_after(self._handle._orion)
        return min(left, LOOK)

    def _look(self, now: Any) -> None:
        try:
            self.state, self._seen = self._handle.state, now
        except ServerUnreachable:
            if self._seen is None:  # nothing was ever heard of the run
                raise


def _number(timeout: Duration) -> float:
    """In seconds; a number stays as it is: what is left of some time may be less than nothing."""
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    return float(timeout) if is_number else seconds(timeout, field="timeout")  # type: ignore[arg-type]


def get_run(ref: str) -> RunHandle:
    """A run of a notebook, a flow or a task is at hand, wherever it was or is executed.

    Where `ORION_NB_API_URL` names a server, it is one that the server knows.

    Args:
        ref: its id, the end of one (4 digits or more), or its name: the newest run of it.

    Raises:
        RunNotFound: there is no such run.
        InvalidInput: the ids of several end so; the message lists them.

    Example:
        >>> run = get_run("daily")
        >>> run.wait().type, run.result(), run.tasks
    """
    orion = connect()
    return RunHandle(orion, orion.find(ref).id)


get_run_async = aside(get_run, "The same as `get_run`, to be awaited.")
