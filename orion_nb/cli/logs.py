"""`orion-nb runs logs`: what a run has logged and printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb.api.following import CELL, Following, logged
from orion_nb.cli import output
from orion_nb.cli.command import command
from orion_nb.cli.lookout import connect_and_look
from orion_nb.cli.options import Json, RunRef, flag

if TYPE_CHECKING:
    from rich.text import Text

EXAMPLES = (
    "orion-nb runs logs 4f2a9c01 --tree",
    "orion-nb runs logs daily --follow --level warning",
)
#: From this level on a line has this style.
STYLES = ((50, "bold red"), (40, "red"), (30, "yellow"), (20, ""), (0, "dim"))
#: Loggers that go without saying.
UNSAID = frozenset({None, "print", "orion_nb.run", "orion_nb.over", "orion_nb.lost"})


def register(runs: typer.Typer) -> None:
    command(runs, "logs", examples=EXAMPLES)(show_logs)


def show_logs(
    run: RunRef,
    follow: Annotated[
        bool, flag("--follow", "-f", help="Go on until the run has ended, showing what is new.")
    ] = False,
    level: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="The least to show: debug, info, warning, error."),
    ] = None,
    tree: Annotated[
        bool, flag("--tree", help="Show what the runs in it have logged, too.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many lines to show at most.")] = 10_000,
    as_json: Json = False,
) -> None:
    """Show what a run has logged and printed, oldest first.

    What the cells of a notebook print is in its executed notebook, while it runs too; with --follow
    it is shown here as it comes, line by line.

    As JSON: {"lines": ..., "cursor": ...}; the cursor is null unless --limit left lines out.
    """
    from orion_nb.api.outputs import nothing_logged

    orion = connect_and_look()
    found = orion.find(run)
    query = {"run": found.id, "level": level, "tree": tree}
    # Whose process has died does not go on for ever.
    wanted = iter(Following(orion, query, connect_and_look)) if follow else logged(orion, query)
    if as_json:
        return output.print_json(_told(wanted, limit))
    console, shown = output.console(), 0
    for line in wanted:
        if shown == limit:
            return output.say(f"There are more: --limit {limit} was reached.")
        console.print(line_text(line, named=tree), soft_wrap=True)
        shown += 1
    if not shown:
        said = nothing_logged(orion.settings, found.id)
        output.say(f"{said[0].upper()}{said[1:]}.")
    return None


def line_text(line: dict[str, Any], *, named: bool = False) -> Text:
    """A line with its time, level, and with `named` the task or flow that wrote it."""
    from rich.text import Text

    from orion_nb.cli.looks import clock_time

    style = next(style for least, style in STYLES if line["level"] >= least)
    made = Text().append(f"{clock_time(line['timestamp'], 12)}  ", "dim")
    made.append(f"{level_name(line['level']):<8} ", style)
    if named:
        made.append(f"{output.plain(line['name'])}  ", "bold")
    if line["logger"] not in (*UNSAID, CELL):
        made.append(f"{output.plain(line['logger'])}: ", "dim")
    if line["logger"] == CELL:
        if line["cell"] is not None:
            made.append(f"cell {line['cell']}: ", "dim")
        return made.append_text(output.coloured(line["message"]))
    first, *rest = output.plain(line["message"]).splitlines() or [""]
    return made.append("\n    ".join([first, *rest]), style)


def level_name(level: int) -> str:
    """`WARNING`, or the number of a level that has no name."""
    import logging

    name = logging.getLevelName(level)
    return str(level) if " " in name else str(name)


def _told(lines: Iterator[dict[str, Any]], limit: int) -> dict[str, Any]:
    shown: list[dict[str, Any]] = []
    for line in lines:
        if len(shown) == limit:
            return {"lines": shown, "cursor": shown[-1]["n"]}
        shown.append(line)
    return {"lines": shown, "cursor": None}
