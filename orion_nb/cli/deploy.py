"""`orion-nb deploy`: a notebook or a flow gets a name, parameters and schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command
from orion_nb.cli.options import (
    AllowUntagged,
    CellTimeout,
    Grace,
    Json,
    Kernel,
    Parameters,
    ParametersFile,
    StartTimeout,
    Timeout,
    Tz,
    flag,
    parameters_of,
)
from orion_nb.errors import ScheduleError

EXAMPLES = (
    "orion-nb deploy daily.ipynb --name daily --cron '0 7 * * 1-5' --tz Europe/Prague",
    "orion-nb deploy watch.ipynb --name watch --every 15m -p city=Brno --retries 2",
    "orion-nb deploy etl.py:load --name load --every 1h --retries 2",
    "orion-nb deploy daily.ipynb --name daily --update --cron '30 6 * * *'",
)


def register(app: typer.Typer) -> None:
    command(app, "deploy", panel="Deployments", examples=EXAMPLES)(deploy)


def deploy(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A notebook.ipynb, file.py:flow or module:flow.")
    ],
    name: Annotated[
        str, typer.Option("--name", "-n", metavar="NAME", help="The name of the deployment.")
    ],
    cron: Annotated[
        list[str] | None,
        typer.Option(metavar="EXPR", help="Run when this cron expression says. Can be repeated."),
    ] = None,
    every: Annotated[
        list[str] | None,
        typer.Option(metavar="DURATION", help="Run at this interval: 15m, 1h30m, 1d."),
    ] = None,
    rrule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE", help="Run when this RFC 5545 rule says: FREQ=WEEKLY;BYDAY=MO."
        ),
    ] = None,
    ics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE[#EVENT]",
            help="Run when an event of this calendar file begins; EVENT is its UID or summary.",
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="TIME", help="Run once, at this date and time: 2030-01-31T09:00."),
    ] = None,
    tz: Tz = None,
    param: Parameters = None,
    params_file: ParametersFile = None,
    allow_untagged: AllowUntagged = False,
    kernel: Kernel = None,
    cwd: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where its runs work, instead of the notebook's own."),
    ] = None,
    track: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="latest: run what is on disk then; pinned: run the file as it is now.",
            show_default="latest",
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="An environment variable for its runs."),
    ] = None,
    timeout: Timeout = None,
    cell_timeout: CellTimeout = None,
    start_timeout: StartTimeout = None,
    grace: Grace = None,
    retries: Annotated[
        int | None, typer.Option(help="How often a failed run is tried again.", show_default="0")
    ] = None,
    retry_delay: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="The wait before each retry.", show_default="0s"),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tags", metavar="TAG,TAG", help="Tags of its runs.")
    ] = None,
    overlap: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="While a run of it is under way, another one: allow, queue, skip, cancel_running.",
            show_default="allow",
        ),
    ] = None,
    catch_up: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="Of times missed while nobody was there, make up for: latest, all, none.",
            show_default="latest",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="NAME", help="A concurrency limit that counts its runs."),
    ] = None,
    sla: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="From due to done; who is later is marked."),
    ] = None,
    paused: Annotated[
        bool, flag("--paused", help="Create no runs by schedule until it is resumed.")
    ] = False,
    update: Annotated[
        bool,
        flag("--update", help="Change the deployment if the name exists; what is not given stays."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Deploy a notebook or a flow: give it a name, parameters and schedules.

    It runs while `orion-nb server`, a Jupyter server or `orion-nb worker` runs. Times without an
    offset are read in --tz, which is UTC unless given.
    """
    from orion_nb.api.sources import file_of, target_of
    from orion_nb.schemas.parameters import parse_pairs

    file, flow = target_of(file_of(target))
    given: dict[str, Any] = {
        "parameters": parameters_of(
            file, param, params_file, flow=flow, allow_untagged=allow_untagged
        )
        or None,
        "allow_untagged": allow_untagged or None,
        "schedules": _schedules(cron, every, rrule, ics, at, tz) or None,
        "kernel": kernel,
        "cwd": None if cwd is None else str(cwd.expanduser().absolute()),
        "track": track,
        "env": parse_pairs(env or (), "--env") or None,
        "timeout": timeout,
        "cell_timeout": cell_timeout,
        "start_timeout": start_timeout,
        "grace": grace,
        "retries": retries,
        "retry_delay": retry_delay,
        "tags": _words(tag) or None,
        "overlap": overlap,
        "catch_up": catch_up,
        "concurrency": _words(limit) or None,
        "sla": sla,
        "paused": paused or None,
        "update": update,
    }
    from orion_nb.api.connect import connect
    from orion_nb.schemas.targets import joined

    made = connect().create_deployment(name, joined(file, flow), **given)
    if as_json:
        return output.print_json(made)
    from orion_nb.cli.deployments import describe

    return describe(made, zone=tz)


def _words(given: list[str] | None) -> list[str]:
    return [word.strip() for each in given or () for word in each.split(",") if word.strip()]


def _schedules(
    cron: list[str] | None,
    every: list[str] | None,
    rrule: list[str] | None,
    ics: list[str] | None,
    at: list[str] | None,
    tz: str | None,
) -> list[Any]:
    from orion_nb.schemas import zones
    from orion_nb.schemas.calendars import from_file
    from orion_nb.schemas.recurring import RRule
    from orion_nb.schemas.schedules import Cron, Interval

    zone = zones.zone(tz or "UTC").key
    return [
        *(Cron(expression, timezone=zone) for expression in cron or ()),
        *(Interval(interval, timezone=zone) for interval in every or ()),
        *(RRule(rule, timezone=zone) for rule in rrule or ()),
        *(from_file(calendar, timezone=tz) for calendar in ics or ()),
        *(_once(moment, zone) for moment in at or ()),
    ]


def _once(moment: str, zone: str) -> Any:
    from orion_nb.schemas.schedules import Once, parse_schedule

    try:
        schedule = parse_schedule(moment, timezone=zone)
    except ScheduleError:
        schedule = None
    if not isinstance(schedule, Once):
        example = "try 2030-01-31T09:00 or 2030-01-31T09:00Z"
        raise ScheduleError(f"at: {moment!r} is not a date and time ({example})", field="at")
    return schedule
