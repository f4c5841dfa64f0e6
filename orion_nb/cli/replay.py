"""`orion-nb replay`: what a run did is done as a new run, or a failure is at hand here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK, command
from orion_nb.cli.options import Json, Parameters, ParametersFile, RunRef, Wait, flag, parameters_of
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import short

EXAMPLES = (
    "orion-nb replay 4f2a9c01",
    "orion-nb replay 4f2a9c01 -p day=2026-01-31 --wait",
    "orion-nb replay 4f2a9c01 --print",
    "orion-nb replay 4f2a9c01 --ipython",
)


def register(app: typer.Typer) -> None:
    command(app, "replay", panel="Runs", examples=EXAMPLES)(replay)


def replay(
    run: RunRef,
    param: Parameters = None,
    params_file: ParametersFile = None,
    wait: Wait = False,
    shows: Annotated[
        bool, flag("--print", help="Make no run: print the inputs, frames and code of a failure.")
    ] = False,
    ipython: Annotated[
        bool, flag("--ipython", help="Make no run: start IPython with the failure at hand.")
    ] = False,
    lab: Annotated[
        bool,
        flag("--lab", help="Make no run: open a notebook, replay-RUN.ipynb, beside the code."),
    ] = False,
    browser: Annotated[
        bool,
        flag("--browser/--no-browser", help="With --lab: start JupyterLab, or write it only."),
    ] = True,
    as_json: Json = False,
) -> int:
    """Do what a run of a deployment did once more, as a new run with the same parameters.

    Parameters that are given are laid over those of the run. A server or a worker executes it.
    `orion-nb runs rerun` instead goes on with the same run, and keeps what it has completed.

    With --print, --ipython or --lab no run is made: a run that failed, of a flow the task that
    failed in it last, is at hand with its inputs and its code, as by `%replay` in a notebook.
    """
    if shows or ipython or lab:
        others = {"param": param, "params-file": params_file, "wait": wait}
        return _here(run, shows, ipython, lab, browser, as_json, others)
    from orion_nb.cli.lookout import connect_and_look
    from orion_nb.cli.waiting import as_answer, report, wait_for

    orion = connect_and_look()
    found = orion.find(run)
    values = {}
    if found.deployment and (param or params_file):
        known = orion.find_deployment(found.deployment)
        values = parameters_of(
            known.path, param, params_file, flow=known.flow, allow_untagged=known.allow_untagged
        )
    before = orion.last_event()
    made = orion.replay_run(found.id, values, by="cli")
    if wait:
        wait_for(orion, made, before)
        return report(orion, made.id, None, as_json=as_json)
    if as_json:
        output.print_json(as_answer(orion, made.id, None))
    else:
        told = f"{output.plain(made.name)} {short(made.id)} is scheduled"
        output.console().print(f"{told}, a replay of {short(found.id)}.")
    return OK


def _here(
    ref: str,
    shows: bool,
    ipython: bool,
    lab: bool,
    browser: bool,
    as_json: bool,
    others: dict[str, Any],
) -> int:
    """The failure is at hand here, in the one way that was asked for."""
    from orion_nb.api.connect import connect
    from orion_nb.cli import replay_here

    if shows + ipython + lab > 1:
        raise InvalidInput("give one of --print, --ipython and --lab", field="print")
    if given := [name for name, value in others.items() if value]:
        says = "no run is made with --print, --ipython or --lab"
        raise InvalidInput(f"--{given[0]}: {says}", field=given[0])
    if as_json and not shows:
        raise InvalidInput("--json: only with --print, or where a run is made", field="json")
    orion = connect()
    run_id = orion.find(ref).id
    if shows:
        return replay_here.show(orion, run_id, as_json=as_json)
    if ipython:
        return replay_here.in_ipython(orion, run_id)
    return replay_here.in_lab(orion, run_id, starts=browser)
