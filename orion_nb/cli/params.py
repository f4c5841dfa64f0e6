"""`orion-nb params`: the parameters that a notebook or a flow takes."""

from __future__ import annotations

from typing import Annotated

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command
from orion_nb.cli.options import Json, flag

EXAMPLES = (
    "orion-nb params daily.ipynb",
    "orion-nb params daily.ipynb --json-schema",
    "orion-nb params etl.py:load",
)


def register(app: typer.Typer) -> None:
    command(app, "params", panel="Deployments", examples=EXAMPLES)(params)


def params(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A notebook.ipynb, or file.py:flow.")
    ],
    as_schema: Annotated[
        bool, flag("--json-schema", help="Print them as one JSON Schema (2020-12).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the parameters that a notebook or a flow takes, without running it.

    Those of a notebook are read from its cell tagged `parameters`, or beginning with %%parameters
    or #| parameters. With --json: the same JSON Schema.
    """
    from orion_nb.api.sources import inspect, target_of

    found = inspect(*target_of(target)).parameters
    if as_json or as_schema:
        return output.print_json(found.json_schema())
    if not found.fields:
        return output.say(_none(found.taker, is_open=found.is_open, language=found.language))
    from orion_nb.cli.looks import plain_table

    table = plain_table("name", "type", "default", "")
    for field in found.fields:
        default = "required" if field.required else output.first_line(field.source)
        table.add_row(field.name, str(field.annotation), default, output.first_line(field.help))
    return output.console().print(table)


def _none(taker: str, *, is_open: bool, language: str) -> str:
    if language != "python":
        return f"It is in {language} and finds parameters in the JSON file ORION_NB_PARAMS names."
    if is_open:
        return "It takes any parameters, as far as can be read without running it."
    if taker == "flow":
        return "It takes no parameters."
    return "It takes no parameters: no cell is tagged `parameters`."
