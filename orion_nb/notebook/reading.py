"""`%orion logs`: what a run has logged and printed, in the notebook."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from orion_nb import clock
from orion_nb.api.colours import only_colours
from orion_nb.api.connect import connect
from orion_nb.api.following import CELL, Following
from orion_nb.api.outputs import nothing_logged
from orion_nb.errors import InvalidInput
from orion_nb.notebook.deploying import Parser, Told
from orion_nb.schemas.runs import short

PAGE = 1000
#: So many lines are shown when nobody says how many.
LAST = 100


def logs(words: Sequence[str]) -> Told:
    """The last lines that a run has logged and printed, oldest first."""
    told = _parser().parse_args(words)
    orion = connect()
    found = orion.find(told.run)
    lines = _last(
        orion, {"run": found.id, "level": told.level, "tree": told.tree}, told.limit or LAST
    )
    said = [_text(line, named=told.tree) for line in lines] or [
        nothing_logged(orion.settings, found.id)
    ]
    return said, f"{found.kind} {found.name} ({short(found.id)})", lines


def follow(words: Sequence[str]) -> bool:
    """With `--follow` the lines of a run are printed as they come, until it ends; else False.

    What its cells print is among them, in its colours. Interrupting the cell ends it.
    """
    if not {"--follow", "-f"} & set(words):
        return False
    told = _parser().parse_args(words)
    if told.limit is not None:
        raise InvalidInput("limit: --follow shows all lines, give no --limit", field="limit")
    orion = connect()
    query = {"run": orion.find(told.run).id, "level": told.level, "tree": told.tree}
    with suppress(KeyboardInterrupt):
        for line in Following(orion, query, lambda: None):
            text = _text(line, named=told.tree)
            print(only_colours(text), flush=True)  # noqa: T201 - it is the cell that speaks
    return True


def _parser() -> Parser:
    parser = Parser("%orion logs", "What a run has logged and printed.")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--level", metavar="LEVEL", help="the least to show: debug, info, warning")
    parser.add_argument("--tree", action="store_true", help="what the runs in it have logged, too")
    parser.add_argument("--limit", type=int, help="how many lines, the last ones: 100")
    says = "go on until the run has ended, with what its cells print"
    parser.add_argument("-f", "--follow", action="store_true", help=says)
    return parser


def _last(orion: Any, query: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """The last lines; a server may need to be asked more than once to find them."""
    found: list[dict[str, Any]] = []
    before: int | None = None
    while len(found) < limit:
        most = min(PAGE, limit - len(found))
        page = orion.filter_logs(**query, before=before, newest=True, limit=most)
        found = page["lines"] + found
        before = page["cursor"]
        if before is None:
            break
    return found


def _text(line: dict[str, Any], *, named: bool) -> str:
    time = clock.iso(line["timestamp"])[11:19]
    if line["logger"] == CELL:
        cell = "" if line["cell"] is None else f"cell {line['cell']}: "
        return f"{time}  {cell}{line['message']}"
    who = f"{line['name']}  " if named else ""
    return f"{time}  {logging.getLevelName(line['level']):<8} {who}{line['message']}"
