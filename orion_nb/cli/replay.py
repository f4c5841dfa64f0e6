"""`orion-nb replay`: what a run of a deployment did, done once more as a new run."""

from __future__ import annotations

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK, command
from orion_nb.cli.options import Json, Parameters, ParametersFile, RunRef, Wait, parameters_of
from orion_nb.schemas.runs import short

EXAMPLES = (
    "orion-nb replay 4f2a9c01",
    "orion-nb replay 4f2a9c01 -p day=2026-01-31 --wait",
)


def register(app: typer.Typer) -> None:
    command(app, "replay", panel="Runs", examples=EXAMPLES)(replay)


def replay(
    run: RunRef,
    param: Parameters = None,
    params_file: ParametersFile = None,
    wait: Wait = False,
    as_json: Json = False,
) -> int:
    """Do what a run of a deployment did once more, as a new run with the same parameters.

    Parameters that are given are laid over those of the run. A server or a worker executes it.
    `orion-nb runs rerun` instead goes on with the same run, and keeps what it has completed.
    """
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
