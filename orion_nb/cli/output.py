"""What commands print: JSON and tables on stdout, progress and messages on stderr.

Names, messages and all else that comes from data is shown as it is, never read as markup, and
without the characters that steer a terminal.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from orion_nb.api import colours

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

#: The text without anything that steers a terminal; line ends and tabs stay.
plain = colours.plain

#: How wide output is that goes to no terminal (columns), so that nothing is cut off.
WIDE = 200


def print_json(value: Any) -> None:
    """One JSON value on stdout, indented for a person who looks on."""
    indent = 2 if sys.stdout.isatty() else None
    typer.echo(json.dumps(value, indent=indent, default=str))


def say(message: str) -> None:
    """A message on stderr."""
    typer.echo(plain(message), err=True)


def error(message: str, remedy: str | None = None) -> None:
    """What went wrong and what to do about it, on stderr."""
    label = typer.style("error:", fg=typer.colors.RED, bold=True)
    typer.echo(f"{label} {plain(message)}", err=True)
    if remedy:
        typer.echo(f"       {plain(remedy)}", err=True)


def coloured(text: str) -> Text:
    """The text of one line in the colours that its escape sequences say, and without all others."""
    from rich.text import Text

    return Text.from_ansi(colours.only_colours(text), end="")


def first_line(text: str | None, most: int = 200) -> str:
    """The first line of a text that may have many."""
    first = plain(text or "").strip().partition("\n")[0]
    return first if len(first) <= most else first[: most - 1] + "…"


def console(*, err: bool = False) -> Console:
    """A rich console on stdout or stderr, as they are now."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    return console
