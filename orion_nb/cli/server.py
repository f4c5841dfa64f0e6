"""`orion-nb server`: a Jupyter server with Orion, in the foreground."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK, RUN_FAILED, UNREACHABLE, command
from orion_nb.cli.options import Browser, Json, flag

EXAMPLES = (
    "orion-nb server",
    "orion-nb server --lab --port 8890 --root notebooks",
    "orion-nb server --no-browser -- --ServerApp.base_url=/team/",
    "orion-nb server -- --allow-root",
)


def register(app: typer.Typer) -> None:
    command(app, "server", panel="Services", examples=EXAMPLES)(server)


def server(
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- JUPYTER OPTIONS]", help="Passed on to Jupyter as they are."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The port; the next free one if it is taken."),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to listen on.")
    ] = "localhost",
    root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder that Jupyter shows.")
    ] = None,
    lab: Annotated[bool, flag("--lab", help="With JupyterLab.")] = False,
    browser: Browser = True,
    as_json: Json = False,
) -> int:
    """Start a Jupyter server with Orion: it runs what is scheduled and shows the dashboard.

    It stays until Ctrl-C. As JSON: {"url", "dashboard", "token", "pid"}, once it answers.
    """
    from orion_nb.cli import jupyter

    if lab and not jupyter.has_lab():
        output.error("JupyterLab is not installed", "pip install 'orion-nb[lab]'")
        return UNREACHABLE
    jupyter.check_host(host)
    told = [f"--ServerApp.ip={host}", *([f"--ServerApp.port={port}"] if port else [])]
    told += [f"--ServerApp.root_dir={root.expanduser().absolute()}"] if root else []
    child = jupyter.Server.start([*told, *(options or ())], lab=lab, environ=os.environ)
    with jupyter.interrupted_by_signals():
        try:
            address = child.wait()
            _announce(address, as_json=as_json)
            if browser and has_screen():
                webbrowser.open(address.dashboard)
            return OK if child.process.wait() == 0 else RUN_FAILED
        except jupyter.ServerUnreachable as error:
            child.stop()
            if _is_root() and "--allow-root" not in (options or ()):
                hint = "Jupyter refuses root unless told `orion-nb server -- --allow-root`"
                raise jupyter.ServerUnreachable(f"{error}; {hint}") from error
            raise
        except KeyboardInterrupt:
            with jupyter.undisturbed(output.say):
                child.stop()
            return OK


def _announce(address: object, *, as_json: bool) -> None:
    from orion_nb.cli.jupyter import Address

    assert isinstance(address, Address)
    if as_json:
        told = {"url": address.url, "dashboard": address.dashboard}
        output.print_json({**told, "token": address.token, "pid": address.pid})
        sys.stdout.flush()
        return
    output.say(f"\n    Dashboard   {address.dashboard}")
    output.say(f"    Jupyter     {address.page('')}\n    Ctrl-C stops it.\n")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def has_screen() -> bool:
    """A browser can open a window; one in this terminal would be in the way."""
    if not sys.stderr.isatty():
        return False
    windows = sys.platform in ("darwin", "win32")
    return windows or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
