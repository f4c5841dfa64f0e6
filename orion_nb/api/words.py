"""Sentences about runs: what happened to one, what it waits for, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orion_nb.clock import SECOND, utc
from orion_nb.rules import Other, Place
from orion_nb.schemas.durations import show
from orion_nb.schemas.pauses import Pause
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import SCHEDULED, State
from orion_nb.schemas.values import frozen

#: So many names are listed before the rest is counted.
MOST_NAMED = 3
#: What a value may look like on the command line, by its kind in a JSON Schema.
LOOKS_LIKE = {"string": "TEXT", "boolean": "true|false", "integer": "NUMBER", "number": "NUMBER"}


@frozen
class Sentence:
    """One sentence, with the moment it tells of (microseconds, UTC), if it is about one."""

    text: str
    at: int | None = None

    def __str__(self) -> str:
        return self.text if self.at is None else f"{_time(self.at)} {self.text}"

    def as_json(self) -> dict[str, Any]:
        return {"timestamp": self.at, "text": self.text}


def entered(state: State, report: Report | None) -> str:
    """How a state was entered: as proposed, or by which rule instead of what; and what was noted.

    A state that has no report is the one that the run was created in.
    """
    said = state.name
    if state.message and state.message not in (state.reason or ""):
        said += f" ({first_line(state.message)})"
    if report is None:
        return f"{said}: created" + (f", due {_moment(state)}" if state.scheduled_time else "")
    return "; ".join((f"{said}: {_how(state, report)}", *map(_note, _notes(report))))


def refused(report: Report) -> str:
    """A proposal that came to nothing, and the rule that said so."""
    rule = next((line.rule for line in reversed(report.rules) if line.verdict != "pass"), "")
    return f"{report.proposed} was proposed, {rule} said {report.status.value}: {report.reason}"


def waits_for_slot(place: Place, holders: Sequence[Other]) -> str:
    """Which limit has no slot for a run, who is in its slots, and who comes first."""
    said = f"waits for a slot of limit {place.name!r}: {place.used} of {place.slots} in use"
    if holders:
        said += f" by {_listed([f'{each.name} ({short(each.id)})' for each in holders])}"
    return said + (f", {place.ahead} ahead in the queue" if place.ahead else "")


def waits_for_runs(upstream: Sequence[Other]) -> str:
    """The runs that have to finish first."""
    left = [f"{up.name} ({up.state.name})" for up in upstream if not up.state.is_terminal]
    return f"waits for {_listed(left)}" if left else "all that it waits for has finished"


def paused(run: Run, pause: Pause | None, now: int) -> Iterator[str]:
    """What a paused run asks, for how long it does, and the command that resumes it."""
    if pause is None:
        yield "paused by hand: what runs in it goes on, nothing new starts"
    elif pause.schema:
        fields = pause.schema.get("properties", {})
        asked = [f"{name} ({kind_of(told)})" for name, told in fields.items()]
        yield f"it asks for {', '.join(asked)}"
    until = run.state.scheduled_time
    if until is not None and until > now:
        yield f"it waits for {show((until - now) / SECOND)} more, then it is TimedOut"
    elif until is not None:
        yield f"its pause was over {show((now - until) / SECOND)} ago: it can't be resumed any more"
        return
    yield f"resume it: `{resume_command(run.id, pause.schema if pause else None)}`"


def resume_command(run_id: str, schema: Mapping[str, Any] | None) -> str:
    """The command that resumes a run, with a place for each value that it asks for."""
    fields = (schema or {}).get("properties", {})
    needed = (schema or {}).get("required", [])
    given = [f"--input {name}={_example(fields[name])}" for name in fields if name in needed]
    return " ".join(("orion-nb runs resume", short(run_id), *given))


def kind_of(schema: Mapping[str, Any]) -> str:
    """What kind of value a JSON Schema asks for, in a word or two; its default, if it has one."""
    if choices := schema.get("enum"):
        said = " or ".join(map(str, choices[:6]))
    elif "anyOf" in schema:
        said = " or ".join(kind_of(each) for each in schema["anyOf"])
    else:
        said = schema.get("format") or schema.get("type") or "any"
    return f"{said}, or else {json.dumps(schema['default'])}" if "default" in schema else str(said)


def stopping(state: State, now: int) -> str:
    """How long the code of a run has not stopped that was asked to."""
    ago = show(max(0, now - state.timestamp) / SECOND)
    return f"it was asked to stop {ago} ago; its code has not stopped yet"


def tried_again(run: Run, has_died: bool, now: int) -> Iterator[str]:
    """When a run is tried again, and by whom."""
    at = run.state.scheduled_time or now
    if not has_died:
        left = at - now
        yield f"tried again in {show(left / SECOND)}" if left > 0 else "tried again any moment"
        return
    yield "the process that was to try it again is gone" + (
        "; a server or a worker does it instead" if run.deployment else ""
    )


def due(at: int, now: int) -> str:
    """When a scheduled run is to start."""
    return f"due in {show((at - now) / SECOND)}" if at > now else "due now"


def late(state: State, now: int) -> str:
    """By how much nobody has started a run, and what may be missing."""
    due = state.scheduled_time or now
    return (
        f"late by {(now - due) / SECOND:.0f} s: nobody has started it; "
        "is a server or a worker running?"
    )


def not_kept(what: str, reason: str, reference: str | None) -> str:
    """Why the result or the inputs of a run are not where they belong, and what that means."""
    if what == "inputs":
        return f"its inputs were not kept ({reason}): give them again to rerun it"
    if reference is not None and '"spooled":true' in reference:
        return f"its result waits in the spool ({reason}): `orion-nb results flush` takes it on"
    return f"its result is unpersisted ({reason}): when its flow is rerun it is executed again"


def how_to_rerun(run: Run, to: str) -> Iterator[str]:
    """The command that runs a run once more; what completed in it is not executed again.

    `to` says what that is good for: "run it once more".
    """
    key = run.key or ""
    if run.deployment:
        yield f"{to}: `orion-nb runs rerun {short(run.id)}`"
    elif key.startswith("__main__."):
        yield f"{to}, where its code is: `{_flow(key)}.rerun('{short(run.id)}')`"
    elif not key.startswith("notebook:"):
        yield f"{to}: `orion-nb runs rerun {short(run.id)} --code {code_of(run)}`"


def code_of(run: Run) -> str:
    """Where the code of a flow run is, as far as its key tells: `etl.py:nightly`."""
    module, _, name = (run.key or run.name).rpartition(".")
    is_file = module.isidentifier() and module != "__main__"
    return f"{module if is_file else 'FILE'}.py:{name}"


def named(run: Run) -> str:
    """A run by kind, name and digits."""
    return f"{run.kind} {run.run_name or run.name} ({short(run.id)})"


def brief(run: Run) -> str:
    """How a run ended: its state and the first line of its message."""
    state = run.state
    return f"{state.name}: {first_line(state.message)}" if state.message else state.name


def going_on(run: Run, now: int) -> str:
    """How a run stands that has not ended: for how long, what it waits for."""
    since = show(max(0, now - run.state.timestamp) / SECOND)
    if run.blocked is not None and run.blocked.reason:
        return f"{run.state.name}, for {since}: {first_line(run.blocked.reason)}"
    says = run.state.message if run.state.type is SCHEDULED else None
    return f"{run.state.name}, for {since}" + (f": {first_line(says)}" if says else "")


def first_line(text: str) -> str:
    """The first line of a text, or what of it is to be shown."""
    first = text.strip().partition("\n")[0]
    return first if len(first) <= 200 else first[:199] + "…"


def _how(state: State, report: Report) -> str:
    by = f" (by {state.by})" if state.by and state.by not in (state.reason or "") else ""
    if report.status is Status.REJECT:
        rule = next((line.rule for line in report.rules if line.verdict == "rewrite"), "a rule")
        instead = f"{report.proposed} was proposed; {rule} entered {state.name} instead"
        return f"{instead}: {report.reason}{by}"
    if state.reason:
        return f"{state.reason}{by}"
    passed = len(report.rules)
    return f"accepted, {passed} rule{'s' * (passed != 1)} asked{by}"


def _notes(report: Report) -> Iterator[Line]:
    """What rules said though they let the proposal pass; the first visit to a rule counts."""
    said = {line.rule: line for line in report.rules if line.verdict == "pass" and line.reason}
    yield from (line for line in said.values() if line.rule != "set_by_hand")


def _note(line: Line) -> str:
    return f"{line.rule}: {line.reason}"


def _listed(names: Sequence[str]) -> str:
    """`a, b and 3 more`."""
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else shown


def _example(schema: Mapping[str, Any]) -> str:
    if choices := schema.get("enum"):
        return "|".join(map(str, choices[:6]))
    return LOOKS_LIKE.get(schema.get("type", ""), "JSON")


def _flow(key: str) -> str:
    """The name that code knows a flow by."""
    return key.rpartition(".")[2]


def _moment(state: State) -> str:
    return f"{utc(state.scheduled_time or 0):%Y-%m-%d %H:%M:%S}Z"


def _time(micros: int) -> str:
    return utc(micros).isoformat(timespec="milliseconds")[11:23] + "Z"
