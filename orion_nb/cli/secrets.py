"""`orion-nb secrets`: keep a secret, list their names, remove one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command, group
from orion_nb.cli.options import Json
from orion_nb.errors import SecretNotFound

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

    It is never given as an argument: others can see those.
    """
    from orion_nb import secrets

    secrets.check_name(name)
    if sys.stdin.isatty():
        value = typer.prompt(f"The value of {name}", hide_input=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n")
    secrets.keep(name, value)
    if as_json:
        return output.print_json({"name": name, "where": "file"})
    return output.say(f"{name} is kept.")


def ls(as_json: Json = False) -> None:
    """List the names of the secrets there are; no value is ever shown."""
    from orion_nb import secrets

    found = [{"name": name, "where": where} for name, where in secrets.names().items()]
    if as_json:
        return output.print_json({"secrets": found})
    if not found:
        return output.say("No secrets yet; `orion-nb secrets set NAME` keeps one.")
    from orion_nb.cli.looks import plain_table

    table = plain_table("name", "where")
    for each in found:
        table.add_row(output.plain(each["name"]), each["where"])
    return output.console().print(table)


def rm(name: Name, as_json: Json = False) -> None:
    """Remove a secret that is kept in a file."""
    from orion_nb import secrets

    if not secrets.forget(name):
        raise SecretNotFound(f"no secret {name!r} is kept in a file")
    return output.print_json({"removed": name}) if as_json else output.say(f"{name} is removed.")
