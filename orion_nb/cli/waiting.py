"""Runs of deployments that a command starts, waits for and reports; and how any run is reported."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion_nb.cli import output
from orion_nb.cli.command import OK, exit_code
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import COMPLETED, SCHEDULED
from orion_nb.store.listing import RunFilter

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

#: A run that nobody has taken after so many seconds: perhaps nobody is there.
PATIENCE = 3.0
PAGE = 200
NOBODY = (
    "Nobody has taken the run yet; is `orion-nb server` or `orion-nb worker` running? Waiting ..."
)


def run_deployed(
    orion: Orion,
    deployment: str,
    values: dict[str, Any],
    own: dict[str, Any],
    *,
    wait: bool,
    as_json: bool,
    out: Path | None = None,
) -> int:
    """A run of a deployment is made, waited for if so asked, and reported; gives the exit code.

    `own` are the kernel and the variables that are said of this run alone.
    """
    out = check_out(out)
    known = orion.find_deployment(deployment)
    before = orion.last_event()
    run = orion.run_deployment(known.id, values, **own)
    if not wait:
        if as_json:
            output.print_json(as_answer(orion, run.id, None))
        else:
            output.console().print(f"{known.name} {short(run.id)} is scheduled.")
        return OK
    run = wait_for(orion, run, before)
    notebook = executed_notebook(orion, run, out)
    return report(orion, run.id, notebook, as_json=as_json)


def wait_for(orion: Orion, run: Run, after: int) -> Run:
    """The run when it has ended; what happens until then is shown on stderr."""
    from orion_nb.cli.follow import LOOK, Follower

    console = output.console(err=True)
    follower = Follower(orion, console, lambda root: root.id == run.id, after=after)
    started, told = time.monotonic(), False
    try:
        with follower.showing(table=console.is_terminal):
            while not (now := orion.find(run.id)).state.is_terminal:
                follower.look()
                late = time.monotonic() - started > PATIENCE
                if late and not told and now.state.type is SCHEDULED and now.run_count == 0:
                    told = True
                    output.say(NOBODY)
                time.sleep(LOOK)
    except KeyboardInterrupt:
        output.say(f"The run goes on; `orion-nb runs cancel {short(run.id)}` stops it.")
        raise
    return now


def report(orion: Orion, run_id: str, notebook: Path | None, *, as_json: bool) -> int:
    """How a run ended is printed; gives the exit code."""
    run = orion.find(run_id)
    if as_json:
        output.print_json(as_answer(orion, run_id, notebook))
    else:
        print_end(run, notebook)
    return exit_code(run.state)


def as_answer(orion: Orion, run_id: str, notebook: Path | None) -> dict[str, Any]:
    """A run as the commands that start one print it."""
    from orion_nb.deployments.adhoc import Outcome

    run = orion.find(run_id)
    return Outcome(run, run.state, notebook, tuple(tasks_of(orion, run.id))).as_json()


def tasks_of(orion: Orion, root: str) -> list[Run]:
    """All task runs in a flow run, oldest first."""
    found: list[Run] = []
    cursor = None
    while True:
        page = orion.list_runs(RunFilter(kind="task", root=root, cursor=cursor), PAGE)
        found += page
        if len(page) < PAGE:
            return found[::-1]
        cursor = page[-1].id


def executed_notebook(orion: Orion, run: Run, out: Path | None) -> Path | None:
    """Where the executed notebook of a run is; it is copied to `out` if that is given."""
    from orion_nb.deployments.files import notebook_of

    found = notebook_of(orion.settings, run.id)
    if out is not None and found is not None:
        shutil.copyfile(found, out)
    return found


def check_out(out: Path | None) -> Path | None:
    """The path that an executed notebook is to be copied to; nothing has been run yet.

    Raises:
        InvalidInput: no file can be there.
    """
    if out is None:
        return None
    path = out.expanduser().absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise InvalidInput(f"out: {str(out)!r} can't be a file: check the folder", field="out")
    return path


def print_end(run: Run, notebook: Path | None) -> None:
    """How a run ended, for a person: its headline, its message, its notebook, and how to go on."""
    from orion_nb.cli.stories import headline

    console = output.console()
    console.print(headline(run.as_json()))
    if run.state.message:
        console.print(output.plain(run.state.message.strip()), soft_wrap=True)
    if notebook is not None:
        console.print(f"notebook  {output.plain(str(notebook))}", soft_wrap=True)
    if run.state.is_terminal and run.state.type is not COMPLETED:
        console.print(f"why       orion-nb explain {short(run.id)}", style="dim")
