"""`orion-nb runs cancel`: a run is asked to stop, and it is told what became of all in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.actions import Why, as_answer, print_line
from orion_nb.cli.command import OK, RUN_FAILED, command
from orion_nb.cli.options import Json, RunRef
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import CANCELLED, CANCELLING

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

#: How often a run that was asked to stop is looked at (seconds), and how many in it are told.
LOOK = 0.05
MOST_TOLD = 10

EXAMPLES = (
    "orion-nb runs cancel 4f2a9c01 --why 'wrong day'",
    "orion-nb runs cancel daily --wait 0",
)


def register(runs: typer.Typer) -> None:
    command(runs, "cancel", examples=EXAMPLES)(cancel)


def cancel(
    run: RunRef,
    why: Why = None,
    wait: Annotated[
        str,
        typer.Option(metavar="DURATION", help="How long to wait for its code to stop; 0: not."),
    ] = "2s",
    as_json: Json = False,
) -> int:
    """Ask a run to stop, and all runs in it; what executes nothing is Cancelled at once.

    Says what became of the runs in it. Exit code 1 if the run had finished before.

    As JSON: the report, with {"inside": [{"id", "kind", "name", "state"}]}.
    """
    from orion_nb.api.connect import connect
    from orion_nb.schemas.durations import seconds

    patience = seconds(wait, field="wait")
    orion = connect()
    found = orion.find(run)
    open_ones = {each["id"] for each in _inside(orion, found) if not _has_ended(each)}
    report = orion.cancel(found.id, why=why, by="cli")
    inside = _settled(orion, found, open_ones, patience)
    now = orion.find(found.id)
    if as_json:
        told = [{name: each[name] for name in ("id", "kind", "name", "state")} for each in inside]
        answer = {**as_answer(found, report), "state": now.state.as_json(), "inside": told}
        output.print_json(answer)
    else:
        _tell_cancelled(now, report, inside)
    stops = now.state.type in (CANCELLING, CANCELLED)
    return OK if stops and not found.state.is_terminal else RUN_FAILED


def _inside(orion: Orion, run: Run) -> Iterator[dict[str, Any]]:
    """The runs in a run, at any depth, in the order of their creation."""
    known = {run.id}
    for each in orion.graph(run.id)["runs"]:
        if each["parent"] in known:
            known.add(each["id"])
            yield each


def _has_ended(run: dict[str, Any]) -> bool:
    return run["end_time"] is not None


def _settled(orion: Orion, run: Run, ids: set[str], patience: float) -> list[dict[str, Any]]:
    """What became of the runs of these ids, when all have ended or patience has."""
    until = time.monotonic() + patience
    while True:
        inside = [each for each in _inside(orion, run) if each["id"] in ids]
        has_ended = orion.find(run.id).state.is_terminal and all(map(_has_ended, inside))
        if has_ended or time.monotonic() >= until:
            return inside
        time.sleep(LOOK)


def _tell_cancelled(run: Run, report: Report, inside: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from orion_nb.cli.looks import name_text, state_text

    state = run.state
    print_line(run, state.as_json(), report.reason or report.state.message)
    console = output.console()
    for each in inside[:MOST_TOLD]:
        line = Text("  in it, ").append_text(name_text(each)).append(f" {short(each['id'])}  ")
        console.print(line.append_text(state_text(each["state"])))
    if len(inside) > MOST_TOLD:
        console.print(f"  in it, {len(inside) - MOST_TOLD} more, {_counted(inside[MOST_TOLD:])}")
    left = sum(each["state"]["type"] == CANCELLING for each in (run.as_json(), *inside))
    if left:
        told = f"`orion-nb runs why {short(run.id)}` tells when it has"
        output.say(f"Code of {left} run{'s' * (left != 1)} has not stopped yet; {told}.")


def _counted(runs: list[dict[str, Any]]) -> str:
    names = [each["state"]["name"] for each in runs]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
