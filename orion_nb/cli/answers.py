"""`orion-nb runs pause` and `resume`: a paused run is given what it asks for, and goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb.api.pauses import problem
from orion_nb.cli import output
from orion_nb.cli.actions import Why, tell
from orion_nb.cli.command import OK, RUN_FAILED, command
from orion_nb.cli.options import Json, RunRef
from orion_nb.errors import Conflict, InvalidInput
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import PAUSED, RUNNING

if TYPE_CHECKING:
    from orion_nb.schemas.pauses import Pause

EXAMPLES = (
    "orion-nb runs resume 4f2a9c01",
    "orion-nb runs resume 4f2a9c01 --input ok=true --input note='looks right'",
    "orion-nb runs resume 4f2a9c01 --input-json '{\"ok\": true}'",
)


def register(runs: typer.Typer) -> None:
    command(runs, "pause", examples=("orion-nb runs pause 4f2a9c01 --why 'disk is full'",))(pause)
    command(runs, "resume", examples=EXAMPLES)(resume)


def pause(run: RunRef, why: Why = None, as_json: Json = False) -> int:
    """Pause a running run: what executes in it goes on, nothing new starts until it is resumed.

    Exit code 1 if it can't be paused.
    """
    from orion_nb.api.connect import connect

    orion = connect()
    found = orion.find(run)
    report = orion.pause(found.id, why=why, by="cli")
    tell(found, report, as_json)
    if report.status is not Status.ACCEPT or report.state.type is not PAUSED:
        return RUN_FAILED
    output.say(f"It goes on with `orion-nb runs resume {short(found.id)}`.")
    return OK


def resume(
    run: RunRef,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "-i",
            "--input",
            metavar="NAME=VALUE",
            help="A value that the run asks for. Can be given many times.",
        ),
    ] = None,
    given_json: Annotated[
        str | None,
        typer.Option(
            "--input-json",
            metavar="JSON",
            help="All values as one JSON object, or - to read it from stdin.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Let a paused run go on, with the input that it asks for.

    In a terminal you are asked for what is missing. Exit code 1 if it can't go on any more.
    """
    from orion_nb.cli.lookout import connect_and_look

    orion = connect_and_look()
    found = orion.find(run)
    if found.state.type is not PAUSED:
        raise Conflict(
            f"run {short(found.id)} is not paused: it is {found.state.name}; {_hint(found)}"
        )
    pause = orion.waiting_pause(found)
    values = _values(pause, given, given_json)
    if pause is not None and pause.schema is not None:
        values = _completed(found, pause, values or {}, asking=not as_json and sys.stdin.isatty())
    report = orion.resume(found.id, input=values, by="cli")
    tell(found, report, as_json)
    return OK if report.state.type is RUNNING else RUN_FAILED


def _hint(run: Run) -> str:
    return f"`orion-nb runs why {short(run.id)}` tells more"


def _values(
    pause: Pause | None, given: list[str] | None, given_json: str | None
) -> dict[str, Any] | None:
    """What was given on the command line, each value of the kind that is asked for."""
    if given is None and given_json is None:
        return None
    values = _read_object(given_json) if given_json is not None else {}
    schema = pause.schema if pause is not None else None
    for pair in given or ():
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"input: {pair!r} is no NAME=VALUE", field="input")
        name = name.strip()
        values[name] = _read(text, field_of(schema, name))
    return values


def _completed(run: Run, pause: Pause, values: dict[str, Any], *, asking: bool) -> dict[str, Any]:
    """The values with those that are missing asked for, and all of them checked.

    Raises:
        InvalidInput: one is missing, or is not what the run asks for.
    """
    schema = pause.schema or {}
    if wrong := problem(values, {**schema, "required": []}):
        raise InvalidInput(wrong, field="input")
    if asking:
        _ask_for_missing(pause, schema, values)
    missing = [name for name in schema.get("required", ()) if name not in values]
    if missing:
        from orion_nb.api.words import kind_of, resume_command

        asked = ", ".join(f"{name} ({kind_of(field_of(schema, name))})" for name in missing)
        says = f"input: it asks for {asked}: `{resume_command(run.id, schema)}`"
        raise InvalidInput(says, field="input")
    if wrong := problem(values, schema):
        raise InvalidInput(wrong, field="input")
    return values


def _ask_for_missing(pause: Pause, schema: Mapping[str, Any], values: dict[str, Any]) -> None:
    missing = [name for name in schema.get("properties", ()) if name not in values]
    if not missing:
        return
    if pause.message:
        typer.secho(output.plain(pause.message), bold=True, err=True)
    for name in missing:
        values[name] = _ask(name, field_of(schema, name), schema)


def _ask(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """The value that a person types; asked again until it is of the kind that the run wants."""
    from orion_nb.api.words import kind_of

    said = output.plain(str(field.get("description") or field.get("title") or ""))
    about = f": {said}" if said and said.lower() != name.replace("_", " ").lower() else ""
    if field.get("type") == "boolean":
        return typer.confirm(f"{name}{about}", default=field.get("default"), err=True)
    kind = kind_of({key: value for key, value in field.items() if key != "default"})
    default = field.get("default")
    shown = default if isinstance(default, str) or default is None else json.dumps(default)
    if "default" in field and default is None:
        shown = "null"
    while True:
        value = _read(typer.prompt(f"{name} ({kind}){about}", default=shown, err=True), field)
        wrong = problem({name: value}, {**schema, "required": [name]})
        if wrong is None:
            return value
        output.say(wrong)


def field_of(schema: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """The schema of one field; one that is defined elsewhere in the schema is looked up."""
    field: Mapping[str, Any] = (schema or {}).get("properties", {}).get(name, {})
    place = field.get("$ref", "")
    if place.startswith("#/$defs/"):
        return {**(schema or {}).get("$defs", {}).get(place.removeprefix("#/$defs/"), {}), **field}
    return field


def _read(text: str, field: Mapping[str, Any]) -> Any:
    """A value as the field wants it: text as it is for a text, else JSON, or else text."""
    if field.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_object(text: str) -> dict[str, Any]:
    told = sys.stdin.read() if text == "-" else text
    try:
        values = json.loads(told)
    except ValueError as error:
        raise InvalidInput(f"input-json: it is no JSON: {error}", field="input-json") from None
    if not isinstance(values, dict):
        says = f"input-json: expected an object of names and values, got {told.strip()[:60]!r}"
        raise InvalidInput(says, field="input-json")
    return values
