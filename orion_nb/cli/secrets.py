"""`orion-nb secrets`: keep a secret, list their names, remove one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command, group
from orion_nb.cli.options import Json

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

Name = Annotated[str, typer.Argument(metavar="NAME", help="What code asks for: secret('NAME').")]


def register(app: typer.Typer) -> None:
    told = "Keep secrets for notebooks and flows, by name."
    made = group(app, "secrets", told, panel="Deployments")
    stored = ("orion-nb secrets set DB_PASSWORD", "cat key.pem | orion-nb secrets set KEY")
    command(made, "set", examples=stored)(set_)
    command(made, "ls", examples=("orion-nb secrets ls",))(ls)
    command(made, "rm", examples=("orion-nb secrets rm DB_PASSWORD",))(rm)


def set_(name: Name, as_json: Json = False) -> None:
    """Keep a secret in a file that only you may read; its value is asked for, or read from stdin.

    It is never given as an argument: others can see those. Where ORION_NB_API_URL is set, it is
    kept by the server there, in a file that only the server's user may read.
    """
    from orion_nb import secrets
    from orion_nb.api.connect import connect

    secrets.check_name(name)
    if sys.stdin.isatty():
        value = typer.prompt(f"The value of {name}", hide_input=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n")
    orion = connect()
    told = orion.set_secret(name, value)
    if as_json:
        return output.print_json(told)
    return output.say(f"{name} is kept{_place(orion)}.")


def ls(as_json: Json = False) -> None:
    """List the names of the secrets there are; no value is ever shown.

    Where ORION_NB_API_URL is set, they are those of the server there.
    """
    from orion_nb.api.connect import connect

    orion = connect()
    told = orion.list_secrets()
    if as_json:
        return output.print_json(told)
    found = told["secrets"]
    if not found:
        return output.say(f"No secrets yet{_place(orion)}; `orion-nb secrets set NAME` keeps one.")
    from orion_nb.cli.looks import plain_table

    table = plain_table("name", "where")
    for each in found:
        table.add_row(output.plain(each["name"]), each["where"])
    return output.console().print(table)


def rm(name: Name, as_json: Json = False) -> None:
    """Remove a secret that is kept in a file, here or by the server at ORION_NB_API_URL."""
    from orion_nb.api.connect import connect

    orion = connect()
    orion.delete_secret(name)
    if as_json:
        return output.print_json({"removed": name})
    return output.say(f"{name} is removed{_place(orion)}.")


def _place(orion: Orion) -> str:
    """Where that is, if it isn't here."""
    return f" at {orion.settings.api_url}" if orion.settings.api_url else ""
