"""`orion-nb results`: what runs returned, and what of it could not be kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pprint import pformat
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb import clock
from orion_nb.cli import output
from orion_nb.cli.command import OK, RUN_FAILED, command, group
from orion_nb.cli.options import Json, RunRef, flag
from orion_nb.errors import ResultUnavailable
from orion_nb.schemas.runs import short

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

#: Of a value that was loaded, so many characters are printed.
LONGEST = 100_000
LONGEST_SCHEMA = 300

HOW = {
    "inline": "in the database",
    "stored": "stored",
    "spooled": "on its way: `orion-nb results flush` takes it on",
    "unpersisted": "not kept",
}


def register(app: typer.Typer) -> None:
    results = group(app, "results", "Look at what runs returned, and repair it.", panel="Runs")
    shown = ("orion-nb results show 4f2a9c01", "orion-nb results show load --load --json")
    command(results, "show", examples=shown)(show)
    listed = ("orion-nb results problems", "orion-nb results problems --json")
    command(results, "problems", examples=listed)(problems)
    command(results, "flush", examples=("orion-nb results flush --timeout 5m",))(flush)


def show(
    run: RunRef,
    load: Annotated[bool, flag("--load", help="Load the value itself, not only its preview.")] = (
        False
    ),
    as_json: Json = False,
) -> None:
    """Show what a run returned: where it is kept, and a preview that was made when it was written.

    With --load the value is read. Its signature is verified first: nothing is decoded that was not
    written with the key of this data folder. A value of your own classes needs their modules.

    As JSON: {"run", "result"}, with --load also "value", or "text" if JSON can't hold it.
    """
    from orion_nb.api.connect import connect

    orion = connect()
    found = orion.find(run)
    told = _as_it_is_now(orion, orion.read_result(found.id))
    if load:
        if found.state.result is None:
            raise ResultUnavailable(_nothing(told["result"], found.state.name, found.id))
        told |= _as_json(orion.load(found.state.result))
    if as_json:
        return output.print_json(told)
    console = output.console()
    from orion_nb.cli.stories import headline

    console.print(headline(found.as_json()))
    if told["result"] is None:
        return output.say(_nothing(told["result"], found.state.name, found.id))
    console.print(_facts(told["result"]))
    text = told.get("text") or told["result"]["preview"]
    if "value" in told:
        text = _text(told["value"])
    return console.print(output.plain(_shortened(text)), soft_wrap=True)


def problems(
    limit: Annotated[int, typer.Option(help="How many to list: 1 to 1000.")] = 100,
    as_json: Json = False,
) -> None:
    """List the results and inputs that were not kept, or wait to be taken to where they belong.

    As JSON: {"problems": [{"run", "what", "reason", "reference", "created"}]}.
    """
    from orion_nb.api.connect import connect

    orion = connect()
    told = orion.result_problems(limit)
    if as_json:
        return output.print_json(told)
    if not told["problems"]:
        return output.say("No problems: what runs returned is where it belongs.")
    from orion_nb.cli.looks import cut, plain_table, relative

    table, now = plain_table("run", "name", "what", "is", "when", "reason"), clock.now()
    waiting = 0
    for each in told["problems"]:
        waits = _waits(each)
        waiting += waits
        table.add_row(
            short(each["run"]),
            output.plain(orion.find(each["run"]).name),
            each["what"],
            "on its way" if waits else "not kept",
            relative(each["created"], now),
            cut(output.first_line(each["reason"])),
        )
    output.console().print(table)
    if waiting:
        output.say("`orion-nb results flush` takes on what is on its way.")
    return None


def flush(
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="The longest to try: 90s, 10m.")
    ] = "60s",
    as_json: Json = False,
) -> int:
    """Take what waits in the spool to where it belongs, now. Exit code 1 if something is left.

    As JSON: {"stored", "left"}.
    """
    from orion_nb.api.connect import connect
    from orion_nb.schemas.durations import seconds

    told = connect().flush_results(seconds(timeout, field="timeout"))
    if as_json:
        output.print_json(told)
    else:
        left = f", {told['left']} left: `orion-nb results problems` says why"
        output.say(f"{told['stored']} stored{left if told['left'] else ''}.")
    return RUN_FAILED if told["left"] else OK


def _as_it_is_now(orion: Orion, told: dict[str, Any]) -> dict[str, Any]:
    """A reference says how it was when it was written: since then the value may have arrived."""
    result = told["result"]
    if result is None or result["status"] != "spooled":
        return told
    if any(each["what"] == "result" for each in orion.why(told["run"])["problems"]):
        return told
    return {**told, "result": {**result, "status": "stored", "problem": None}}


def _waits(problem: Mapping[str, Any]) -> bool:
    """It lies in the spool, and can be taken to its place."""
    reference = json.loads(problem["reference"]) if problem["reference"] else {}
    return bool(reference.get("spooled"))


def _nothing(result: Any, state: str, run_id: str) -> str:
    """Why a run has no result to be shown."""
    if state in ("Completed", "Cached"):
        return "the value was not kept; persist=True keeps it"
    return f"it has no result: it is {state}; `orion-nb runs why {short(run_id)}` tells more"


def _facts(result: Mapping[str, Any]) -> Any:
    from rich.table import Table
    from rich.text import Text

    from orion_nb.store.serializers import size_text

    table = Table.grid(padding=(0, 2))
    shown = {
        "kept": HOW[result["status"]],
        "as": result.get("serializer"),
        "size": size_text(result["size"]) if result.get("size") else None,
        "at": result.get("url"),
        "key": result.get("key"),
        "problem": result.get("problem"),
    }
    if schema := result.get("schema"):
        from orion_nb.schemas.described import brief

        shown["schema"] = _cut(brief(schema))
    for name, value in shown.items():
        if value:
            table.add_row(Text(name, style="dim"), Text(output.plain(str(value))))
    return table


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SCHEMA else f"{text[:LONGEST_SCHEMA]}…"


def _as_json(value: Any) -> dict[str, Any]:
    """The value, if JSON can hold it as it is, or else its text."""
    from orion_nb.store.serializers import is_exact_json

    return {"value": value} if is_exact_json([value]) else {"text": _text(value)}


def _text(value: Any) -> str:
    """The value as people read it."""
    try:
        return (
            value
            if isinstance(value, str)
            else pformat(value, width=100, compact=True, sort_dicts=False)
        )
    except Exception as error:  # a value's own code may do anything
        return f"it can't be shown: {type(error).__name__}: {error}"


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… ({len(text) - LONGEST:,} characters more; --json has all)"
