"""`orion-nb runs logs`: what a run has logged and printed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command
from orion_nb.cli.lookout import connect_and_look
from orion_nb.cli.options import Json, RunRef, flag

if TYPE_CHECKING:
    from rich.text import Text

    from orion_nb.api.orion import Orion

EXAMPLES = (
    "orion-nb runs logs 4f2a9c01 --tree",
    "orion-nb runs logs daily --follow --level warning",
)
#: How often a look is taken at the log, and at whether processes live (seconds).
LOOK, LOOKOUT = 0.2, 2.0
PAGE = 1000
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

    What the cells of a notebook print is in its executed notebook, while it runs too.

    As JSON: {"lines": ..., "cursor": ...}; the cursor is null unless --limit left lines out.
    """
    from orion_nb.api.outputs import nothing_logged

    orion = connect_and_look()
    found = orion.find(run)
    query = {"run": found.id, "level": level, "tree": tree}
    wanted = _lines(orion, query, follow)
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
    made = Text(f"{clock_time(line['timestamp'], 12)}  ", style="dim")
    made.append(f"{level_name(line['level']):<8} ", style)
    if named:
        made.append(f"{output.plain(line['name'])}  ", "bold")
    if line["logger"] not in UNSAID:
        made.append(f"{output.plain(line['logger'])}: ", "dim")
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


def _lines(orion: Orion, query: dict[str, Any], follow: bool) -> Iterator[dict[str, Any]]:
    """The lines there are; with `follow` also those to come, until the run has ended."""
    after, looked = 0, time.monotonic()
    while True:
        # What a run has logged is written before its end is: asked in this order, nothing is lost.
        is_over = not follow or orion.find(query["run"]).state.is_terminal
        cursor: int | None = after
        while cursor is not None:
            page = orion.filter_logs(**query, after=cursor, limit=PAGE)
            yield from page["lines"]
            after = page["lines"][-1]["n"] if page["lines"] else cursor
            cursor = page["cursor"]
        if is_over:
            return
        time.sleep(LOOK)
        if time.monotonic() - looked > LOOKOUT:  # whose process has died does not go on for ever
            connect_and_look()
            looked = time.monotonic()
