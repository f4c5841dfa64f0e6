"""`orion-nb dashboard`: the dashboard of a server that runs already, opened in a browser."""

from __future__ import annotations

import json
import os
import webbrowser
from collections.abc import Iterator

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK, UNREACHABLE, command
from orion_nb.cli.jupyter import Address, runtime_folder
from orion_nb.cli.options import Browser, Json
from orion_nb.cli.server import has_screen


def register(app: typer.Typer) -> None:
    examples = ("orion-nb dashboard", "orion-nb dashboard --no-browser")
    command(app, "dashboard", panel="Services", examples=examples)(dashboard)


def dashboard(browser: Browser = True, as_json: Json = False) -> int:
    """Open the dashboard of the server that runs on this data, or say how to start one.

    As JSON: {"url", "dashboard", "pid"}.
    """
    found = next(_servers(), None)
    if found is None:
        output.error("no Jupyter server with Orion runs on this data", "Start one: orion-nb server")
        return UNREACHABLE
    if as_json:
        told = {"url": found.url, "dashboard": found.dashboard, "pid": found.pid}
        output.print_json(told)
    else:
        typer.echo(found.dashboard)
    if browser and has_screen():
        webbrowser.open(found.dashboard)
    return OK


def _servers() -> Iterator[Address]:
    """The servers of this user whose Orion has this database, newest first."""
    from orion_nb.api.connect import connect

    orion = connect(api_url="")
    ours = {each["pid"] for each in orion.services() if each["process"] == "server"}
    files = runtime_folder(os.environ).glob("jpserver-*.json")
    for file in sorted(files, key=lambda each: each.stat().st_mtime, reverse=True):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            address = Address(told["url"], told["token"], told["pid"])
            if address.pid in ours and address.get("orion/api/v1/health"):
                yield address
        except (OSError, ValueError, KeyError):
            continue  # it has ended, or is another program's
