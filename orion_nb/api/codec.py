"""Runs, states, reports and events as JSON values, and back: what client and server send."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from orion_nb.rules import SAYS
from orion_nb.schemas.policies import DEFAULT_POLICY, RunPolicy
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State, StateType
from orion_nb.schemas.values import evolve
from orion_nb.store.events import Event
from orion_nb.store.runs import plain

_STATE = tuple((each.name, each.default) for each in fields(State))
_TYPES = {kind.value: kind for kind in StateType}
_REPORT = ("reason", "retry_after", "until", "proposed")
#: What a transition may change of a run, besides its state.
MOVES = (
    *("attempt", "run_count", "created", "scheduled_time", "start_time", "end_time"),
    *("total_time", "marks", "session"),
)
#: What a run is from its beginning on.
BORN = ("id", "kind", "name", "parent", "run_name", "key", "tags", "parameters", "scheduled_time")


def dump(value: Any) -> bytes:
    """The value as JSON in UTF-8; what JSON has not is written as a text."""
    write = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), default=repr)
    try:
        return write(value, allow_nan=False).encode()
    except (ValueError, UnicodeEncodeError):  # a NaN, or half a pair of surrogates
        return write(finite(value, lambda text: plain(text) or "")).encode()


def finite(value: Any, text: Callable[[str], str] = str) -> Any:
    """The value with texts in place of the numbers that JSON has not; `text` is done to texts."""
    if isinstance(value, dict):
        return {
            text(name) if isinstance(name, str) else name: finite(each, text)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [finite(each, text) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return text(value) if isinstance(value, str) else value


def of_state(state: State) -> dict[str, Any]:
    """What differs from the default."""
    told = {}
    for name, default in _STATE:
        if (value := getattr(state, name)) != default:
            told[name] = value
    return told


def to_state(told: dict[str, Any]) -> State:
    """The state that `of_state` or `as_json` told."""
    return State(**{**told, "type": _TYPES[told["type"]]})


def of_report(report: Report) -> dict[str, Any]:
    """The report without its state; a rule that passed without a word is but a name."""
    told: dict[str, Any] = {"status": report.status}
    for name in _REPORT:
        if (value := getattr(report, name)) is not None:
            told[name] = value
    if report.replayed:
        told["replayed"] = True
    if report.attempt is not None:
        told |= {"attempt": report.attempt, "token": report.token}
    told["rules"] = [_of_line(line) for line in report.rules]
    return told


def to_report(told: dict[str, Any], state: State) -> Report:
    """The report that `of_report` or `as_json` told, on the entry into this state."""
    return Report(
        status=Status(told["status"]),
        state=state,
        replayed=bool(told.get("replayed")),
        rules=tuple(_to_line(line) for line in told.get("rules", ())),
        attempt=told.get("attempt"),
        token=told.get("token"),
        reason=told.get("reason"),
        retry_after=told.get("retry_after"),
        until=told.get("until"),
        proposed=told.get("proposed"),
    )


def read_report(told: dict[str, Any]) -> Report:
    """The report that `Report.as_json` told."""
    return to_report(told, to_state(told["state"]))


def read_run(told: dict[str, Any]) -> Run:
    """The run that `Run.as_json` told: all but its token and its session."""
    state = to_state(told["state"])
    blocked, report = told.get("blocked"), told.get("report")
    return Run(
        id=told["id"],
        kind=told["kind"],
        name=told["name"],
        state=state,
        root=told["root"],
        parent=told.get("parent"),
        run_name=told.get("run_name"),
        key=told.get("key"),
        deployment=told.get("deployment"),
        parameters=told.get("parameters"),
        scheduled_time=told.get("scheduled_time"),
        attempt=told["attempt"],
        run_count=told["run_count"],
        created=told["created"],
        start_time=told["start_time"],
        end_time=told["end_time"],
        total_time=told["total_time"],
        policy=RunPolicy.of(told["policy"]),
        marks=tuple(told.get("marks") or ()),
        blocked=read_report(blocked) if blocked else None,
        report=read_report(report) if report else None,
        source=told.get("source"),
        tags=tuple(told.get("tags") or ()),
    )


def of_born(run: Run) -> dict[str, Any]:
    """A run that is not written yet, as it is to be."""
    told: dict[str, Any] = {name: value for name in BORN if (value := getattr(run, name))}
    if run.policy != DEFAULT_POLICY:
        told["policy"] = run.policy.told()
    if run.deployment:
        told["deployment"] = run.deployment
    return told | {"state": of_state(run.state)}


def of_moves(run: Run) -> dict[str, Any]:
    """What a transition has made of a run that the other side knows."""
    told: dict[str, Any] = {name: value for name in MOVES if (value := getattr(run, name))}
    return told | {"state": of_state(run.state)}


def moved(run: Run, told: dict[str, Any]) -> Run:
    """The run with what `of_moves` told."""
    changes: dict[str, Any] = {name: told.get(name, _UNTOLD.get(name)) for name in MOVES}
    changes["marks"] = tuple(changes["marks"])
    return evolve(run, state=to_state(told["state"]), **changes)


def read_event(told: dict[str, Any]) -> Event:
    return Event(**told)


def _of_line(line: Line) -> Any:
    if line.verdict == "pass" and line.reason is None and not line.facts:
        return line.rule
    return [line.rule, line.verdict, line.reason, dict(line.facts)]


def _to_line(told: Any) -> Line:
    if isinstance(told, dict):
        return Line(**told)
    if isinstance(told, str):
        return Line(told, SAYS.get(told, ""), "pass")
    name, verdict, reason, facts = told
    return Line(name, SAYS.get(name, name), verdict, reason, facts)


_UNTOLD: dict[str, Any] = {
    "attempt": 0, "run_count": 0, "created": 0, "total_time": 0, "marks": (),
}  # fmt: skip
