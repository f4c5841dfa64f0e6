"""What commands print: JSON and tables on stdout, progress and messages on stderr.

Names, messages and all else that comes from data is shown as it is, never read as markup, and
without the characters that steer a terminal.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

#: A terminal's escape sequences: colours, cursor moves, titles, links.
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
#: What else steers a terminal, or turns the direction of text around.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

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


def plain(text: str) -> str:
    """The text without anything that steers a terminal; line ends and tabs stay."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _SEQUENCES.sub("", text))


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
