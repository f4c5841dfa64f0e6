"""A notebook is run here and now, in a runner's process of its own, and waited for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api import kernels
from orion_nb.api.aside import aside
from orion_nb.api.checks import check_text
from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.api.sources import absolute, inspect
from orion_nb.deployments.aftermath import settle_exit
from orion_nb.deployments.awaiting import stopped_when_cancelled, wait_for_exit, why_interrupted
from orion_nb.deployments.files import Spec, notebook_of, run_folder
from orion_nb.deployments.launch import ahead, launch
from orion_nb.deployments.summaries import as_html, as_text
from orion_nb.engine.context import RUN_ID_VARIABLE, current
from orion_nb.errors import Conflict, InvalidInput, RunStopped
from orion_nb.schemas.durations import seconds
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import COMPLETED, SCHEDULED, Scheduled, State
from orion_nb.schemas.variables import of_a_run
from orion_nb.store.listing import RunFilter

MANY = 100_000

Duration = float | str | timedelta


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """What came of a notebook that was run.

    `notebook` is the executed notebook, None if there was none to execute. `tasks` are the task
    runs in it, oldest first.
    """

    run: Run
    state: State
    notebook: Path | None
    tasks: tuple[Run, ...] = ()

    def result(self) -> Any:
        """What the notebook declared by `orion_nb.result(value)`; None if it declared nothing.

        Raises:
            RunStopped: it did not complete.
            ResultUnavailable, TamperedResult: the value can't be had.
        """
        if self.state.type is not COMPLETED:
            raise RunStopped(f"{self.run.name} is {self.state}")
        text = self.state.result
        return None if text is None else connect().load(text)

    def as_json(self) -> dict[str, Any]:
        return {
            "run_id": self.run.id,
            "state": _brief(self.state),
            "notebook": str(self.notebook) if self.notebook else None,
            "tasks": [
                {"name": task.name, "state": _brief(task.state), "attempts": task.run_count}
                for task in self.tasks
            ],
        }

    def __repr__(self) -> str:
        return as_text(self.run, self.notebook, self.tasks)

    def _repr_html_(self) -> str:
        return as_html(self.run, self.notebook, self.tasks)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while a notebook ran: the run was cancelled, and no process of it is left."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome.state))
        self.outcome = outcome


def run_notebook(
    path: str | Path,
    parameters: dict[str, Any] | None = None,
    *,
    kernel: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: Duration | None = None,
    cell_timeout: Duration | None = None,
    start_timeout: Duration = 60.0,
    retries: int = 0,
    retry_delay: Duration = 0.0,
    cwd: str | Path | None = None,
    isolated: bool = False,
    grace: Duration = 10.0,
    output_limit: int | None = None,
    orion: Orion | None = None,
    out: str | Path | None = None,
    allow_untagged: bool = False,
) -> Outcome:
    """The notebook has been executed as a flow run when this returns; its file is not touched.

    Called in a flow, a task, or a notebook that is executed, its run is a child of theirs.

    Args:
        path: the notebook.
        parameters: values for the names that its parameters cell declares.
        kernel: the name of a kernel; default: the notebook's.
        env: environment variables for its kernel, besides those of this process.
        timeout: of the run, in seconds or as text like `"10m"`.
        cell_timeout: of each cell.
        start_timeout: how long the kernel may take to answer.
        retries: how often a failed run is tried again, each time in a new kernel.
        retry_delay: between two attempts.
        cwd: where it works; default: the folder of the notebook.
        isolated: it works in a copy of that folder, which is kept with the run.
        grace: how long a cell that was interrupted may go on, before its kernel is killed.
        output_limit: how many characters of what a cell prints are kept, and of what it shows.
        orion: the API to use; default: `connect()`.
        out: a path that the executed notebook is copied to as well.
        allow_untagged: a notebook without parameters cell takes any, in a new first cell.

    Raises:
        NotebookNotFound, InvalidNotebook, KernelNotFound, InvalidInput: nothing was run.
        Interrupted: a KeyboardInterrupt; the run was cancelled first.
    """
    file, folder = _checked(path, kernel, cwd)
    orion, variables = orion or connect(), of_a_run(env or {})
    with ahead(orion.settings, str(file), kernel) as runner:
        inspect(str(file), allow_untagged=allow_untagged).taken(parameters or {})
        spec = Spec(
            str(file),
            kernel,
            folder,
            _limit("cell_timeout", cell_timeout),
            seconds(grace, field="grace"),
            _limit("start_timeout", start_timeout) or 60.0,
            allow_untagged,
            env=dict(variables),
            output_limit=output_limit,
            isolated=isolated,
        )
        _check_numbers(output_limit, retries)
        policy = RunPolicy(
            retries,
            (seconds(retry_delay, field="retry_delay"),),
            _limit("timeout", timeout),
            kernel=kernel,
            env=variables,
        )
        made = orion.new_run(
            "flow", file.stem, policy=policy, parameters=parameters, key=f"notebook:{file}",
            parent=_around(orion),
        )  # fmt: skip
        run = orion.begin(made)[0]
        process = launch(orion, run.id, spec, runner)
    outcome = _wait(orion, run, process)
    if out is not None and outcome.notebook is not None:
        shutil.copyfile(outcome.notebook, Path(out).expanduser())
    return outcome


run_notebook_async = aside(
    run_notebook,
    """The same as `run_notebook`, to be awaited; the event loop goes on.

    Who is cancelled meanwhile goes on when the run was cancelled and no process of it is left; a
    second cancellation does not wait for the grace.
    """,
    stopped_when_cancelled,
)


def _checked(
    path: str | Path, kernel: str | None, cwd: str | Path | None
) -> tuple[Path, str | None]:
    """The file, and the folder in which it is to work if that is told."""
    if kernel is not None:
        check_text("kernel", kernel)
        kernels.check(kernel)
    if not isinstance(path, str | Path):
        raise InvalidInput(f"path: expected that of a notebook, got {path!r}", field="path")
    folder = absolute(str(cwd)) if cwd else None
    if folder is not None and not Path(folder).is_dir():
        raise InvalidInput(f"cwd: {folder!r} is no folder", field="cwd")
    return Path(absolute(str(path))), folder


def _limit(name: str, value: Duration | None) -> float | None:
    found = None if value is None else seconds(value, field=name)
    if found == 0:
        raise InvalidInput(f"{name}: {value!r} leaves no time at all", field=name)
    return found


def _check_numbers(output_limit: int | None, retries: int) -> None:
    if output_limit is not None:
        _check_number("output_limit", output_limit, 1000, 100_000_000)
    _check_number("retries", retries, 0, 100)


def _check_number(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidInput(f"{name}: expected {least}..{most}, got {value!r}", field=name)


def _around(orion: Orion) -> str | None:
    """The run in which the notebook is called."""
    context = current()
    if context is not None:
        return context.run.id
    return os.environ.get(RUN_ID_VARIABLE) or None


def rerun_notebook(run: str, *, from_failed: bool = False, orion: Orion | None = None) -> Outcome:
    """The notebook of a finished run has been executed once more, in a new attempt of the run.

    Its task cells that completed are not executed again: what they made is restored, down to the
    first one that failed, was changed, or whose results were not kept. All other cells are.

    Args:
        run: the run: its id, the last digits of it, or a name.
        from_failed: refuse if what a completed task cell made was not kept.
        orion: the API to use; default: `connect()`.

    Raises:
        RunNotFound: there is no such run.
        Conflict: it has not ended, or what a task cell made was not kept.
        OrionError: nothing is known any more of how the notebook is executed.
    """
    orion = orion or connect()
    found = orion.find(run)
    if not found.state.is_terminal:
        raise Conflict(f"run {found.id} has not ended: it is {found.state}")
    spec = Spec.read(run_folder(orion.settings, found.id))
    if from_failed:
        orion.check_kept(found)
    again = Scheduled(clock.now(), message="rerun on request")
    # Of several who ask at the same time one gets it.
    after, report = orion.judge(found.id, again, rerun=True, expected_seq=found.state.seq)
    if after.state.type is not SCHEDULED:
        raise Conflict(f"run {found.id} can't be rerun: {report.reason or after.state}")
    return _wait(orion, after, launch(orion, found.id, spec))


def _wait(orion: Orion, run: Run, process: subprocess.Popen[bytes]) -> Outcome:
    try:
        wait_for_exit(process)
    except KeyboardInterrupt:
        _stop(orion, run, process)
        raise Interrupted(_outcome(orion, run, process)) from None
    return _outcome(orion, run, process)


def _stop(orion: Orion, run: Run, process: subprocess.Popen[bytes]) -> None:
    """The run is cancelled and its runner gone; a second Ctrl-C doesn't wait for the grace."""
    orion.cancel(run.id, why=why_interrupted())
    with suppress(KeyboardInterrupt):
        wait_for_exit(process)
    if process.poll() is None:
        process.kill()
        process.wait()


def _outcome(orion: Orion, run: Run, process: subprocess.Popen[bytes]) -> Outcome:
    settle_exit(orion, run.id, process)
    after = orion.find(run.id)
    below = orion.list_runs(RunFilter(kind="task", root=run.id), MANY)
    return Outcome(after, after.state, notebook_of(orion.settings, run.id), tuple(below[::-1]))


def _brief(state: State) -> dict[str, Any]:
    return {"type": state.type.value, "name": state.name, "message": state.message}
