"""`orion-nb explain`: what happened to a run and why, or what would come of a proposal."""

from __future__ import annotations

from typing import Annotated

import typer

from orion_nb.cli import output
from orion_nb.cli.actions import state_named
from orion_nb.cli.command import command
from orion_nb.cli.options import Json, RunRef

EXAMPLES = (
    "orion-nb explain 4f2a9c01",
    "orion-nb explain daily --json",
    "orion-nb explain 4f2a9c01 --propose running",
)


def register(app: typer.Typer) -> None:
    command(app, "explain", panel="Runs", examples=EXAMPLES)(explain)


def explain(
    run: RunRef,
    to: Annotated[
        str | None,
        typer.Option(
            "--propose",
            "--to",
            metavar="STATE",
            help="What if this state were proposed? Nothing is written.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain what happened to a run: each state, and what each rule said about it.

    With --propose it is a dry run: what the rules would say to that state now.
    """
    from orion_nb.cli.lookout import connect_and_look
    from orion_nb.cli.stories import full_story, verdict

    orion = connect_and_look()
    if to is None:
        told = orion.why(run)
        return output.print_json(told) if as_json else output.console().print(full_story(told))
    kind, name = state_named(to)
    found = orion.find(run)
    report = orion.propose(found.id, kind, name=name, explain=True).as_json()
    if as_json:
        return output.print_json({"run_id": found.id, **report, "token": None})
    return output.console().print(verdict(found.as_json(), report))
