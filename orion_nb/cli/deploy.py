"""`orion-nb deploy`: a notebook or a flow gets a name, parameters and schedules."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from orion_nb.cli import completing, output
from orion_nb.cli.command import command
from orion_nb.cli.options import Json, flag
from orion_nb.schemas import deploy_options
from orion_nb.schemas.deploy_options import Option

EXAMPLES = (
    "orion-nb deploy daily.ipynb --name daily --cron '0 7 * * 1-5' --tz Europe/Prague",
    "orion-nb deploy watch.ipynb --name watch --every 15m -p city=Brno --retries 2",
    "orion-nb deploy etl.py:load --name load --every 1h --retries 2",
    "orion-nb deploy daily.ipynb --name daily --update --cron '30 6 * * *' --dry-run",
)
#: Under which heading help shows an option.
PANELS = {
    "Schedules": deploy_options.SCHEDULES,
    "Parameters": deploy_options.PARAMETERS,
    "Execution": deploy_options.EXECUTION,
    "Rules": deploy_options.RULES,
}


def register(app: typer.Typer) -> None:
    command(app, "deploy", panel="Deployments", examples=EXAMPLES)(deploy)


def deploy(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A notebook.ipynb, file.py:flow or module:flow.")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name", "-n", metavar="NAME", help="Its name; by default that of the file or flow."
        ),
    ] = None,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Deploy a notebook or a flow: give it a name, parameters and schedules.

    It runs while `orion-nb server`, a Jupyter server or `orion-nb worker` runs. Times without an
    offset are read in --tz, which is UTC unless given.
    """
    from orion_nb.api.deploying import deploy_as_said

    made = deploy_as_said(target, name, options)
    if as_json:
        return output.print_json(made)
    from orion_nb.cli.deployments import describe

    describe(made, zone=options["tz"])
    if options["dry_run"]:
        output.say("Nothing was written: this is what it would be.")
    return None


def typed(option: Option, panel: str | None = None) -> inspect.Parameter:
    """The option as typer reads it off a signature."""
    if not option.metavar:
        kind: Any = Annotated[bool, flag(*option.flags, help=option.help, panel=panel)]
        default: Any = False
    else:
        value: Any = option.kind
        told = typer.Option(
            *option.flags,
            metavar=option.metavar,
            help=option.help,
            show_default=option.default or False,
            rich_help_panel=panel,
            autocompletion=completing.of(option),
        )
        kind, default = Annotated[list[value] | None if option.many else value | None, told], None
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
    )


def _signature() -> inspect.Signature:
    """That of `deploy`, with the options that the magic takes as well."""
    panels = {each.name: panel for panel, options in PANELS.items() for each in options}
    own = inspect.signature(deploy, eval_str=True)
    first = [each for each in own.parameters.values() if each.kind is not each.VAR_KEYWORD]
    more = [typed(each, panels.get(each.name)) for each in deploy_options.OPTIONS]
    target, name, as_json = first
    last = as_json.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    return own.replace(parameters=[target, name, *more, last])


deploy.__signature__ = _signature()  # type: ignore[attr-defined]
deploy.__annotations__ = {
    name: each.annotation
    for name, each in deploy.__signature__.parameters.items()  # type: ignore[attr-defined]
}
