"""`orion-nb notifications`: who is told when a run fails, and what became of each delivery."""

from __future__ import annotations

import shlex
import time
from typing import Annotated, Any

import typer

from orion_nb.api.plainly import dead_of, goal_of, headers_of, tells
from orion_nb.cli import output
from orion_nb.cli.command import OK, RUN_FAILED, command, group
from orion_nb.cli.options import Json, flag
from orion_nb.errors import InvalidInput

#: How long `test` waits for a server or worker to make the delivery (seconds).
PATIENCE = 30.0
LOOK = 0.1

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a notification.")]


def register(app: typer.Typer) -> None:
    noun = group(app, "notifications", "Be told when a run fails.", panel="Deployments")
    command(noun, "ls", examples=("orion-nb notifications ls",))(ls)
    added = (
        "orion-nb notifications add team --webhook https://example.com/hook --on failed,crashed",
        "orion-nb notifications add desk --deployment daily --on late --command 'notify-send Late'",
    )
    command(noun, "add", examples=added)(add)
    command(noun, "rm", examples=("orion-nb notifications rm team",))(rm)
    command(noun, "pause", examples=("orion-nb notifications pause team",))(pause)
    command(noun, "resume", examples=("orion-nb notifications resume team",))(resume)
    command(noun, "test", examples=("orion-nb notifications test team",))(try_out)
    listed = ("orion-nb notifications deliveries", "orion-nb notifications deliveries --dead")
    command(noun, "deliveries", examples=listed)(deliveries)
    again = ("orion-nb notifications retry 0198c2…", "orion-nb notifications retry --all")
    command(noun, "retry", examples=again)(retry)


def ls(as_json: Json = False) -> None:
    """List the notifications: what each is about, and where it goes.

    As JSON: {"notifications": [...]}, without secrets.
    """
    told = _api().list_notifications()
    if as_json:
        return output.print_json(told)
    if not told["notifications"]:
        return output.say("No notifications; `orion-nb notifications add` makes one.")
    from orion_nb.cli.looks import plain_table

    table = plain_table("notification", "on", "about", "goes to", "")
    for each in told["notifications"]:
        about = each["flow"] or (_deployment(each["deployment"]) if each["deployment"] else "all")
        paused = "paused" if each["paused"] else ""
        cells = (each["name"], ", ".join(each["on"]), about, goal_of(each), paused)
        table.add_row(*map(output.plain, cells))
    return output.console().print(table)


def add(
    name: Name,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="WORD,WORD",
            help="When: failed, crashed, completed, cancelled, late, recovered, any, or another "
            "type of state.",
            show_default="failed,crashed",
        ),
    ] = None,
    deployment: Annotated[
        str | None, typer.Option(metavar="NAME", help="About the runs of this deployment alone.")
    ] = None,
    flow: Annotated[
        str | None, typer.Option(metavar="NAME", help="About the runs of this name alone.")
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="POST it there, signed.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(metavar="whsec_…", help="Sign with this; else one is made up and printed."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A header of the webhook. Can be repeated."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--command", metavar="COMMAND", help="Run this program, without a shell; JSON on stdin."
        ),
    ] = None,
    call: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Call this, in a process of its own."),
    ] = None,
    apprise: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="An address of apprise. Can be repeated."),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="The longest a try may take.", show_default="30s"),
    ] = None,
    retries: Annotated[
        int | None, typer.Option(help="How often it is tried again.", show_default="8")
    ] = None,
    retry_delay: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="The first wait; each is twice the last.", show_default="10s"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """From now on somebody is told when a run fails, is late, or whatever --on says.

    A server or a worker tells them, also of what happened while none was there. As JSON: the
    notification, with the secret that signs its webhook.
    """
    told = _api().add_notification(
        name,
        on=on.split(",") if on else None,
        deployment=deployment,
        flow=flow,
        webhook=webhook,
        secret=secret,
        headers=headers_of(header),
        command=shlex.split(run) if run else None,
        call=call,
        apprise=apprise,
        timeout=timeout,
        retries=retries,
        retry_delay=retry_delay,
    )
    if as_json:
        return output.print_json(told)
    output.say(tells(told))
    if told["secret"] and secret is None:
        output.say(f"It is signed with {told['secret']}, which is not shown again.")
    return None


def rm(name: Name, as_json: Json = False) -> None:
    """Remove a notification, with its deliveries."""
    told = _api().delete_notification(name)
    return output.print_json(told) if as_json else output.say(f"{told['deleted']} is removed.")


def pause(name: Name, as_json: Json = False) -> None:
    """Tell nobody until it is resumed, nor afterwards of what happened meanwhile."""
    told = _api().update_notification(name, paused=True)
    return output.print_json(told) if as_json else output.say(f"{name} is paused.")


def resume(name: Name, as_json: Json = False) -> None:
    """Tell again, of what happens from now on."""
    told = _api().update_notification(name, paused=False)
    return output.print_json(told) if as_json else output.say(f"{name} tells again.")


def try_out(name: Name, as_json: Json = False) -> int:
    """Make a delivery about no run, and wait until a server or worker has made it.

    As JSON: the delivery. The exit code is 1 if it was not taken at the first try.
    """
    api = _api()
    made = api.test_notification(name)
    end = time.monotonic() + PATIENCE
    told = made
    while told["error"] is None and told["status"] == "waiting" and time.monotonic() < end:
        time.sleep(LOOK)
        told = api.read_delivery(made["id"])
    if as_json:
        output.print_json(told)
    elif told["status"] == "delivered":
        output.say(f"{name}: delivered.")
    elif told["error"]:
        again = "It is tried again later." if told["status"] == "waiting" else "It is given up."
        output.error(f"{name}: {told['error']}", again)
    else:
        output.error(f"{name}: nobody made the delivery", "Start `orion-nb server` or `worker`.")
    return OK if told["status"] == "delivered" else RUN_FAILED


def deliveries(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of this notification alone.")
    ] = None,
    dead: Annotated[bool, flag("--dead", help="Those that were given up.")] = False,
    waiting: Annotated[bool, flag("--waiting", help="Those yet to be taken.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List the newest deliveries: to whom, of what, and what became of each.

    As JSON: {"deliveries": [...], "cursor"}.
    """
    if dead and waiting:
        raise InvalidInput("--dead, --waiting: give one of them", field="--dead")
    status = "dead" if dead else "waiting" if waiting else None
    told = _api().list_deliveries(name, status, limit=limit)
    if as_json:
        return output.print_json(told)
    if not told["deliveries"]:
        return output.say("No deliveries.")
    from orion_nb.cli.looks import plain_table

    table = plain_table("delivery", "notification", "of", "status", ("tries", "right"), "error")
    for each in told["deliveries"]:
        about = f"{each['condition']} {(each['run'] or '')[-8:]}".strip()
        error = output.first_line(each["error"], 80)
        cells = (each["id"], each["notification"], about, each["status"], str(each["attempts"]))
        table.add_row(*map(output.plain, (*cells, error)))
    return output.console().print(table)


def retry(
    delivery: Annotated[
        list[str] | None, typer.Argument(metavar="[DELIVERY]...", help="The ids of deliveries.")
    ] = None,
    every: Annotated[bool, flag("--all", help="All that were given up.")] = False,
    as_json: Json = False,
) -> None:
    """Try deliveries again that were given up.

    As JSON: {"retried": [ids]}.
    """
    if bool(delivery) == every:
        raise InvalidInput("DELIVERY: give ids, or --all", field="DELIVERY")
    api = _api()
    retried = [api.retry_delivery(each)["id"] for each in delivery or dead_of(api)]
    if as_json:
        return output.print_json({"retried": retried})
    return output.say(f"To be tried again: {len(retried)}.")


def _deployment(key: str) -> str:
    from orion_nb.errors import DeploymentNotFound

    try:
        return str(_api().find_deployment(key).name)
    except DeploymentNotFound:
        return key


def _api() -> Any:
    from orion_nb.api.connect import connect

    return connect()
