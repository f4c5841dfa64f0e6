"""Options that several commands share, and how parameters are read from them."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from orion_nb.api.parameter_files import read_parameters
from orion_nb.cli import completing


def flag(*names: str, help: str, panel: str | None = None) -> Any:
    """An option that is there or not; help names no type for it."""
    return typer.Option(*names, help=help, metavar="", rich_help_panel=panel)


Json = Annotated[bool, flag("--json", help="Print one JSON value on stdout.")]
Browser = Annotated[bool, flag("--browser/--no-browser", help="Open the dashboard in a browser.")]
RunRef = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its id, the last digits of it, or the name of the newest.",
        autocompletion=completing.runs,
    ),
]
DeploymentRef = Annotated[
    str,
    typer.Argument(
        metavar="DEPLOYMENT",
        help="The name of a deployment.",
        autocompletion=completing.deployments,
    ),
]
Watch = Annotated[
    bool, flag("--watch", "-w", help="Show it anew whenever it changes, until Ctrl-C.")
]
Wait = Annotated[bool, flag("--wait/--no-wait", help="Wait for the run of a deployment to end.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        help="A parameter: a JSON value, or else text. Can be given many times.",
        autocompletion=completing.parameters,
    ),
]
ParametersFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Parameters from a YAML, JSON or TOML file, or from - (stdin); -p goes before them.",
    ),
]
AllowUntagged = Annotated[
    bool,
    flag(
        "--allow-untagged",
        help="Set parameters even in a notebook without a parameters cell, in a new first cell.",
    ),
]
Kernel = Annotated[
    str | None, typer.Option(metavar="NAME", help="The kernel, instead of the notebook's own.")
]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME=VALUE",
        help="An environment variable for this run alone. Can be given many times.",
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="The longest an attempt may take: 90s, 10m, 1h30m."),
]
CellTimeout = Annotated[
    str | None, typer.Option(metavar="DURATION", help="The longest a cell may take.")
]
StartTimeout = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION", help="The longest the kernel may take to answer.", show_default="60s"
    ),
]
Grace = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long a cell that was interrupted may go on, before it is killed.",
        show_default="10s",
    ),
]
OutputLimit = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="How many characters of what each cell prints are kept, and of what it shows.",
    ),
]
Tz = Annotated[
    str | None, typer.Option(metavar="ZONE", help="The IANA time zone, such as Europe/Prague.")
]


def variables_of(env: list[str] | None) -> dict[str, str] | None:
    """The variables that are said of a run; None if none are."""
    from orion_nb.schemas.parameters import parse_pairs

    return parse_pairs(env, "--env") if env else None


def parameters_of(
    path: str,
    pairs: list[str] | None,
    file: Path | None,
    *,
    flow: str | None = None,
    allow_untagged: bool = False,
) -> dict[str, Any]:
    """The parameters for a notebook or flow, of the types it names as far as JSON has them.

    Raises:
        NotebookNotFound, FlowNotFound, InvalidNotebook, ParameterError, InvalidInput.
    """
    from orion_nb.api.sources import inspect

    known = inspect(path, flow, allow_untagged=allow_untagged)
    return known.taken(read_parameters(pairs, file))


def values_of(pairs: list[str] | None, file: Path | None, texts: frozenset[str]) -> dict[str, Any]:
    """The parameters for a function: `-p` gives JSON values, or else text; always for `texts`."""
    given = read_parameters(pairs, file)
    named = {pair.partition("=")[0].strip() for pair in pairs or ()} - texts
    return {name: _value(value) if name in named else value for name, value in given.items()}


def suggestion(word: str, known: list[str]) -> str:
    """` (did you mean 'daily'?)`, or nothing when no known word is close."""
    close = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
