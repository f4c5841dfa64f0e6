"""`orion-nb params`: the parameters that a notebook takes."""

from __future__ import annotations

from typing import Annotated

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command
from orion_nb.cli.options import Json

EXAMPLES = ("orion-nb params daily.ipynb", "orion-nb params daily.ipynb --json")


def register(app: typer.Typer) -> None:
    command(app, "params", panel="Deployments", examples=EXAMPLES)(params)


def params(
    notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="A notebook.ipynb.")],
    as_json: Json = False,
) -> None:
    """Show the parameters that a notebook takes, without running it.

    They are read from its cell tagged `parameters`. As JSON: a JSON Schema.
    """
    from orion_nb.api.deployments import read_notebook
    from orion_nb.schemas.parameters import read_parameters

    found = read_parameters(read_notebook(notebook))
    if as_json:
        return output.print_json(found.json_schema())
    if not found.fields:
        return output.say("It takes no parameters: no cell is tagged `parameters`.")
    from orion_nb.cli.looks import plain_table

    table = plain_table("name", "type", "default", "")
    for field in found.fields:
        default = "required" if field.required else output.first_line(field.source)
        table.add_row(field.name, str(field.annotation), default, output.first_line(field.help))
    return output.console().print(table)
