"""One proposal of a batch, read from JSON and checked: nothing else reaches the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orion_nb.api import codec
from orion_nb.api.checks import (
    check_id,
    check_moment,
    check_size,
    check_tags,
    check_text,
    read_policy,
)
from orion_nb.errors import InvalidInput
from orion_nb.schemas.policies import DEFAULT_POLICY
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import NAMES, PENDING, SCHEDULED, Pending, State, StateType
from orion_nb.schemas.values import frozen

#: What there may be in a proposal, in its run and in its state, and of which kind.
PROPOSAL: dict[str, type] = {
    "op": str, "run": object, "state": dict, "upstream": list, "owned": bool, "pulled": bool,
    "attempt": int, "token": str, "retriable": bool, "rerun": bool, "transition_id": str,
    "secret": str, "at": int, "report": dict, "seq": int,
    "joined": bool,
}  # fmt: skip
RUN: dict[str, type] = {
    "id": str, "kind": str, "name": str, "parent": str, "run_name": str, "key": str,
    "deployment": str, "tags": list, "parameters": dict, "scheduled_time": int, "policy": dict,
    "state": dict,
}  # fmt: skip
STATE: dict[str, type] = {
    "type": str, "name": str, "message": str, "reason": str, "scheduled_time": int,
    "cache_key": str, "result": str, "by": str, "timestamp": int, "seq": int, "attempt": int,
    "n": int,
}  # fmt: skip
OPS = ("begin", "advance", "foresee")
MOST_UPSTREAM = 10_000


@frozen
class Told:
    """One proposal. `at` (microseconds, UTC): it is told late, and `report` is how it was judged.

    `run` is the whole run if it is a new one. `secret` is the token of the attempt that begins.
    """

    op: str
    run_id: str
    state: State | None
    run: Run | None = None
    upstream: tuple[tuple[str, str], ...] = ()
    owned: bool = True
    pulled: bool | None = None
    claims: int | None = None
    token: str | None = None
    retriable: bool = True
    rerun: bool = False
    transition_id: str | None = None
    secret: str | None = None
    at: int | None = None
    report: Report | None = None
    expected_seq: int | None = None
    joined: bool = False


def read_told(told: Mapping[str, Any]) -> Told:
    """The proposal.

    Raises:
        InvalidInput: naming the field, its value and what it may be.
    """
    check_fields("", told, PROPOSAL)
    begins = told.get("op") == "begin"
    if told.get("op") not in OPS:
        raise InvalidInput(f"op: {told.get('op')!r} is none of {', '.join(OPS)}", field="op")
    for name in ("transition_id", "secret"):
        if told.get(name) is not None:
            check_text(name, told[name])
    check_moment("at", told.get("at"))
    run = _read_born(told.get("run")) if begins else None
    run_id = run.id if run else told.get("run")
    if not isinstance(run_id, str):
        raise InvalidInput(f"run: expected an id, got {run_id!r}", field="run")
    check_id("run", run_id)
    state = None if told.get("state") is None else read_state("state", told["state"])
    if state is None and not begins and told.get("at") is None:
        raise InvalidInput("state: missing", field="state")
    read = Told(
        told["op"], run_id, state, run, _read_upstream(told.get("upstream") or []),
        claims=told.get("attempt"), expected_seq=told.get("seq"),
        report=_read_report(told.get("report"), state),
        **{name: told[name] for name in _SAME if told.get(name) is not None},
    )  # fmt: skip
    if read.at is not None and not begins and read.claims is None:
        raise InvalidInput("attempt: only the owner of a run tells what was", field="attempt")
    return read


_SAME = ("owned", "pulled", "token", "retriable", "rerun", "transition_id", "secret", "at",
         "joined")  # fmt: skip


def check_fields(within: str, told: Any, kinds: Mapping[str, type]) -> None:
    """An object with no other fields than these, each of its kind or null.

    Raises:
        InvalidInput: naming the field.
    """
    if not isinstance(told, dict):
        place = within or "proposals"
        raise InvalidInput(f"{place}: expected an object, got {told!r:.100}", field=place)
    for name, value in told.items():
        place = f"{within}.{name}" if within else name
        if name not in kinds:
            says = f"{place[:60]}: not known; there are {', '.join(kinds)}"
            raise InvalidInput(says, field=place[:60])
        kind = kinds[name]
        wrong_bool = isinstance(value, bool) and kind is int
        if value is not None and (wrong_bool or not isinstance(value, kind)):
            says = f"{place}: expected {_WORDS.get(kind, kind.__name__)}, got {value!r:.100}"
            raise InvalidInput(says, field=place)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise InvalidInput(f"{place}: {value} is too large", field=place)


_WORDS = {str: "a text", int: "a whole number", dict: "an object", list: "a list",
          bool: "true or false"}  # fmt: skip


def read_state(place: str, told: Any) -> State:
    """The state that is proposed: its type and name, and what it carries."""
    check_fields(place, told, STATE)
    kind, name = told.get("type"), told.get("name")
    if kind not in _TYPES:
        raise InvalidInput(f"{place}.type: {kind!r} is no type of state", field=f"{place}.type")
    type = StateType(kind)
    if name is None:
        name = NAMES[type][0]
    if name not in NAMES[type]:
        says = f"{place}.name: {name!r} is no name of {kind}; there are {', '.join(NAMES[type])}"
        raise InvalidInput(says, field=f"{place}.name")
    check_moment(f"{place}.scheduled_time", told.get("scheduled_time"))
    carried = {each: told[each] for each in _CARRIED if told.get(each) is not None}
    return State(type, name, **carried)


_TYPES = frozenset(kind.value for kind in StateType)
_CARRIED = ("message", "reason", "scheduled_time", "cache_key", "result", "by")


def _read_born(told: Any) -> Run:
    check_fields("run", told, RUN)
    for name in ("id", "kind", "name"):
        if told.get(name) is None:
            raise InvalidInput(f"run.{name}: missing", field=f"run.{name}")
    check_id("run.id", told["id"])
    if told["kind"] not in ("flow", "task"):
        says = f"run.kind: {told['kind']!r} is neither 'flow' nor 'task'"
        raise InvalidInput(says, field="run.kind")
    for name in ("name", "run_name"):
        if told.get(name) is not None:
            check_text(f"run.{name}", told[name])
    for name in ("parent", "deployment"):
        if told.get(name) is not None:
            check_id(f"run.{name}", told[name])
    tags, parameters = told.get("tags") or [], told.get("parameters")
    if not all(isinstance(tag, str) for tag in tags):
        raise InvalidInput(f"run.tags: expected texts, got {tags!r:.100}", field="run.tags")
    check_tags(tags)
    if parameters:
        check_size(parameters)
    check_moment("run.scheduled_time", told.get("scheduled_time"))
    state = Pending() if told.get("state") is None else read_state("run.state", told["state"])
    if state.type not in (PENDING, SCHEDULED):
        says = f"run.state: no run is born {state.name}; propose that"
        raise InvalidInput(says, field="run.state")
    return Run(
        id=told["id"], kind=told["kind"], name=told["name"], state=state, root=told["id"],
        parent=told.get("parent"), run_name=told.get("run_name"), key=told.get("key"),
        deployment=told.get("deployment"), tags=tuple(tags), parameters=parameters,
        policy=read_policy(told["policy"]) if told.get("policy") else DEFAULT_POLICY,
        scheduled_time=told.get("scheduled_time"),
    )  # fmt: skip


def _read_upstream(told: list[Any]) -> tuple[tuple[str, str], ...]:
    if len(told) > MOST_UPSTREAM:
        raise InvalidInput(f"upstream: at most {MOST_UPSTREAM} runs", field="upstream")
    read = []
    for each in told:
        match each:
            case [str() as run_id, str() as path]:
                check_id("upstream", run_id)
                read.append((run_id, path))
            case _:
                says = f"upstream: expected [run, path], got {each!r:.100}"
                raise InvalidInput(says, field="upstream")
    return tuple(read)


def _read_report(told: dict[str, Any] | None, state: State | None) -> Report | None:
    if told is None or state is None:
        return None
    try:
        return codec.to_report(told, state)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"report: can't be read: {error!r:.100}", field="report") from error
