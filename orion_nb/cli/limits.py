"""`orion-nb limits`: how many runs may execute at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb.api.plainly import limit_of
from orion_nb.cli import output
from orion_nb.cli.command import TakesNumbers, command, group
from orion_nb.cli.options import Json, Watch
from orion_nb.cli.watching import watch as watched

if TYPE_CHECKING:
    from rich.table import Table

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A name that runs give, or tag:NAME, task:NAME, flow:NAME for all runs of it.",
    ),
]


def register(app: typer.Typer) -> None:
    limits = group(app, "limits", "Limit how many runs execute at once.", panel="Runs")
    command(limits, "ls", examples=("orion-nb limits ls", "orion-nb limits ls --json"))(ls)
    given = ("orion-nb limits set database 10", "orion-nb limits set tag:gpu 1")
    command(limits, "set", examples=given, cls=TakesNumbers)(set_)
    command(limits, "rm", examples=("orion-nb limits rm database",))(rm)


def ls(watch: Watch = False, as_json: Json = False) -> None:
    """List the limits: slots, how many are in use, and how many runs wait for one.

    As JSON: {"limits": [{"name", "slots", "used", "waiting"}]}.
    """
    from orion_nb.api.connect import connect

    orion = connect()
    if watch:
        return watched(orion, lambda: _table(orion.all_limits()), as_json=as_json)
    told = orion.all_limits()
    if as_json:
        return output.print_json(told)
    if not told["limits"]:
        return output.say("No limits; `orion-nb limits set NAME SLOTS` makes one.")
    return output.console().print(_table(told))


def _table(told: dict[str, Any]) -> Table:
    from orion_nb.cli.looks import plain_table

    table = plain_table("limit", ("slots", "right"), ("used", "right"), ("waiting", "right"))
    for each in told["limits"]:
        numbers = (str(each[name]) for name in ("slots", "used", "waiting"))
        table.add_row(output.plain(each["name"]), *numbers)
    return table


def set_(
    name: Name,
    slots: Annotated[
        int, typer.Argument(metavar="SLOTS", help="How many runs at once; 0 lets none start.")
    ],
    as_json: Json = False,
) -> None:
    """Set a limit; runs that execute already go on."""
    from orion_nb.api.connect import connect

    told = connect().set_limit(name, slots)
    if as_json:
        return output.print_json(told)
    return output.say(limit_of(told))


def rm(name: Name, as_json: Json = False) -> None:
    """Remove a limit; runs that wait for it go on."""
    from orion_nb.api.connect import connect

    told = connect().delete_limit(name)
    return output.print_json(told) if as_json else output.say(f"{told['deleted']} is removed.")
