"""`orion-nb schedule`: when a schedule would run."""

from __future__ import annotations

from typing import Annotated

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command, group
from orion_nb.cli.options import Json, Tz

EXAMPLES = (
    "orion-nb schedule preview '0 7 * * 1-5' --tz Europe/Prague",
    "orion-nb schedule preview 90m -n 10 --json",
    "orion-nb schedule preview 'FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=16' --tz America/New_York",
    "orion-nb schedule preview 'team.ics#Stand-up'",
)


def register(app: typer.Typer) -> None:
    schedule = group(app, "schedule", "Try out schedules.", panel="Deployments")
    command(schedule, "preview", examples=EXAMPLES)(preview)


def preview(
    expression: Annotated[
        str,
        typer.Argument(
            metavar="SCHEDULE",
            help="A cron expression, a duration such as 15m, an RFC 5545 rule, a calendar "
            "file.ics or file.ics#EVENT, a date and time, or a JSON object as in the REST API.",
        ),
    ],
    tz: Tz = None,
    starts: Annotated[
        str | None, typer.Option(metavar="TIME", help="It runs from then on: 2030-01-31.")
    ] = None,
    ends: Annotated[
        str | None, typer.Option(metavar="TIME", help="It runs until then; a date is included.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many times to show: 1 to 100.")] = 5,
    as_json: Json = False,
) -> None:
    """Show the next times of a schedule, in local time and in UTC."""
    from orion_nb.api.connect import connect
    from orion_nb.schemas.deploy_options import read_schedule

    told = connect().preview_schedules([read_schedule(expression, tz, starts, ends)], n, tz)
    if as_json:
        return output.print_json(told)
    from orion_nb.cli.looks import times_table

    console = output.console()
    console.print(output.plain(told["schedules"][0]["words"]))
    if not told["next_times"]:
        return output.say("It never runs again.")
    return console.print(times_table(told["next_times"], zone=tz or told["timezone"]))
