"""`orion-nb run`: a notebook, a flow of a Python file, or a deployment is run now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orion_nb.cli import completing, output
from orion_nb.cli.command import command, exit_code
from orion_nb.cli.options import (
    AllowUntagged,
    CellTimeout,
    Grace,
    Json,
    Kernel,
    OutputLimit,
    Parameters,
    ParametersFile,
    StartTimeout,
    Timeout,
    Variables,
    flag,
    parameters_of,
    variables_of,
)
from orion_nb.errors import InvalidInput

EXAMPLES = (
    "orion-nb run daily.ipynb -p day=2026-01-31 --out today.ipynb",
    "orion-nb run etl.py:nightly -p limit=100",
    "orion-nb run daily -p day=2026-01-31 --json",
    "orion-nb run daily --kernel python3.13 --env STAGE=test",
)


def register(app: typer.Typer) -> None:
    command(app, "run", panel="Start here", examples=EXAMPLES)(run)


def run(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="notebook.ipynb, file.py:flow, or the name of a deployment.",
            autocompletion=completing.targets,
        ),
    ],
    param: Parameters = None,
    params_file: ParametersFile = None,
    allow_untagged: AllowUntagged = False,
    kernel: Kernel = None,
    env: Variables = None,
    timeout: Timeout = None,
    cell_timeout: CellTimeout = None,
    start_timeout: StartTimeout = None,
    grace: Grace = None,
    output_limit: OutputLimit = None,
    cwd: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where it works, instead of the notebook's folder."),
    ] = None,
    isolated: Annotated[
        bool, flag("--isolated", help="Work in a copy of that folder, kept with the run.")
    ] = False,
    retries: Annotated[
        int | None, typer.Option(help="How often a failed notebook is tried again.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put the executed notebook here.")
    ] = None,
    wait: Annotated[
        bool, flag("--wait/--no-wait", help="Wait for the run of a deployment.")
    ] = True,
    as_json: Json = False,
) -> int:
    """Run a notebook, a flow or a deployment, and end with the run's exit code.

    A notebook runs here, in a kernel of its own, and needs no server; the executed notebook is
    kept, whatever happens. A flow is imported and called in this process. For a deployment a run
    is scheduled for now, which a server or a worker executes; --kernel and --env are said of this
    run alone, and hold when it is rerun.

    As JSON: {"run_id", "state", "notebook", "tasks": [{"name", "state", "attempts"}]}.
    """
    own: dict[str, Any] = {"kernel": kernel, "env": variables_of(env)}
    given: dict[str, Any] = {"timeout": timeout, "cell_timeout": cell_timeout}
    given |= {"start_timeout": start_timeout, "grace": grace, "retries": retries}
    given |= {"output_limit": output_limit, "cwd": cwd, "isolated": isolated or None}
    here = {"no_wait": None if wait else True}
    if _is_notebook(target):
        _takes_none_of(here, f"{target} is run here; deploy it to have it run elsewhere")
        values = parameters_of(target, param, params_file, allow_untagged=allow_untagged)
        given["allow_untagged"] = allow_untagged or None
        return _notebook(Path(target), values, {**own, **given}, out, as_json)
    given["out"] = out
    given["allow_untagged"] = allow_untagged or None
    if target.partition(":")[0].endswith(".py"):
        from orion_nb.cli.flows import run_flow

        _takes_none_of(here, f"{target} is run here, in this process")
        _takes_none_of(own, f"{target} is a flow: it is run in this process, with its environment")
        _takes_none_of(given, f"{target} is a flow: its options are those of @flow")
        return run_flow(target, param, params_file, as_json=as_json)
    from orion_nb.api.connect import connect
    from orion_nb.api.parameter_files import read_parameters
    from orion_nb.cli.waiting import run_deployed

    _is_no_other_file(target)
    told = f"{target} is a deployment: change it with `orion-nb deploy --update`"
    _takes_none_of({**given, "out": out if not wait else None}, told)
    values = read_parameters(param, params_file)  # what runs knows best of what types they are
    return run_deployed(connect(), target, values, own, wait=wait, as_json=as_json, out=out)


def _is_notebook(target: str) -> bool:
    return target.endswith(".ipynb")


def _is_no_other_file(target: str) -> None:
    """A file that is neither of those that are run, unless a deployment is called like it."""
    from orion_nb.api.naming import names

    if Path(target).is_file() and target not in names("deployments"):
        says = f"path: {target!r} is no notebook (.ipynb) and no Python file with a flow (.py)"
        raise InvalidInput(says, field="path")


def _takes_none_of(given: dict[str, Any], why: str) -> None:
    for name, value in given.items():
        if value is not None:
            option = name.replace("_", "-")
            raise InvalidInput(f"--{option}: {why}", field=name)


def _notebook(
    path: Path,
    values: dict[str, Any],
    given: dict[str, Any],
    out: Path | None,
    as_json: bool,
) -> int:
    """The notebook is run in the foreground, and what happens is shown on stderr meanwhile."""
    from orion_nb.api.connect import connect
    from orion_nb.cli.follow import Follower
    from orion_nb.cli.waiting import check_out, print_end
    from orion_nb.deployments.kernel import find_kernel
    from orion_nb.deployments.runner import Interrupted, run_notebook

    out = check_out(out)
    if given["kernel"] is not None:
        find_kernel(given["kernel"])
    orion = connect(label="run")
    console = output.console(err=True)
    key = f"notebook:{path.expanduser().absolute()}"
    follower = Follower(orion, console, lambda root: root.key == key, after=orion.last_event())
    options = {name: value for name, value in given.items() if value is not None}
    with follower.looking(table=console.is_terminal):
        try:
            outcome = run_notebook(path, values, orion=orion, out=out, **options)
        except Interrupted as interrupted:
            outcome = interrupted.outcome
    if as_json:
        output.print_json(outcome.as_json())
    else:
        print_end(outcome.run, outcome.notebook)
    return exit_code(outcome.state)
