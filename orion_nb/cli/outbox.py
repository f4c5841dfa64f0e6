"""`orion-nb outbox`: what waits for a server that was away, and what it has refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK, UNREACHABLE, command, group
from orion_nb.cli.options import Json
from orion_nb.clock import iso
from orion_nb.errors import InvalidInput, OrionError


def register(app: typer.Typer) -> None:
    outbox = group(
        app, "outbox", "See and deliver what a server is yet to be told.", panel="Services"
    )
    command(outbox, "ls", examples=("orion-nb outbox ls", "orion-nb outbox ls --json"))(ls)
    command(outbox, "flush", examples=("orion-nb outbox flush",))(flush)
    command(outbox, "clear", examples=("orion-nb outbox clear",))(clear)


def ls(as_json: Json = False) -> None:
    """List what waits for a server that was away, process by process, and what was refused.

    As JSON: {"outboxes": [{"file", "server", "host", "pid", "waiting", "refused": [{"run", "what",
    "why", "noted"}]}]}.
    """
    from orion_nb.store.outbox import outboxes

    told = [_told(path) for path in outboxes(_folder())]
    if as_json:
        return output.print_json({"outboxes": told})
    if not told:
        return output.say("Nothing waits for a server.")
    from orion_nb.cli.looks import plain_table

    table = plain_table("process", "server", ("waiting", "right"), ("refused", "right"))
    for each in told:
        process = output.plain(f"{each['host']} {each['pid']}")
        numbers = (str(each["waiting"]), str(len(each["refused"])))
        table.add_row(process, output.plain(each["server"]), *numbers)
    output.console().print(table)
    for each in told:
        for refused in each["refused"]:
            run = (refused["run"] or "")[-8:]
            output.say(f"{iso(refused['noted'])} {run} {refused['what']}: {refused['why']}")
    return None


def flush(as_json: Json = False) -> int:
    """Deliver what processes that have ended left for the server of ORION_NB_API_URL.

    A process that runs delivers its own. The exit code is 6 if the server can't be reached.
    """
    from orion_nb.api.client import Client
    from orion_nb.api.delivery import deliver_left
    from orion_nb.settings import Settings

    settings = Settings.load()
    if settings.api_url is None:
        says = "ORION_NB_API_URL: not set; it names the server that is to be told"
        raise InvalidInput(says, field="ORION_NB_API_URL")
    client = Client(settings.api_url, settings.api_token)
    try:
        client.ask("GET", "/health")
        delivered = deliver_left(client, settings.home / "outbox")
    finally:
        client.close()
    left = sum(_told(path)["waiting"] for path in _paths())
    if as_json:
        output.print_json({"delivered": delivered, "left": left})
    else:
        output.say(f"{delivered} delivered, {left} left.")
    return OK if not left else UNREACHABLE


def clear(as_json: Json = False) -> None:
    """Forget what a server has refused; what waits stays."""
    from orion_nb.store.outbox import Box

    told = [_told(path) for path in _paths()]
    count = sum(len(each["refused"]) for each in told)
    for path in _paths():
        box = Box.adopt(path)
        if box is not None:
            box.forget_refused()
            box.close()
    if as_json:
        return output.print_json({"forgotten": count})
    return output.say(f"{count} forgotten.")


def _folder() -> Path:
    from orion_nb.settings import Settings

    return Settings.load().home / "outbox"


def _paths() -> list[Path]:
    from orion_nb.store.outbox import outboxes

    return outboxes(_folder())


def _told(path: Path) -> dict[str, Any]:
    from orion_nb.store.outbox import peek

    try:
        url, session, waiting, refused = peek(path)
    except OrionError as error:
        noted = [{"run": None, "what": "outbox", "why": str(error), "noted": 0}]
        return {"file": str(path), "server": "?", "host": "?", "pid": 0, "waiting": 0,
                "refused": noted}  # fmt: skip
    return {
        "file": str(path),
        "server": url,
        "host": session.get("host"),
        "pid": session.get("pid"),
        "waiting": len(waiting),
        "refused": [
            {"run": each.run, "what": _what(each.told), "why": each.why, "noted": each.written}
            for each in refused
        ],
    }


def _what(told: dict[str, Any]) -> str:
    """What a letter says, in a word or two."""
    if "path" in told:
        return str(told["path"])
    state = told.get("state") or {}
    return str(state.get("name") or told.get("op"))
