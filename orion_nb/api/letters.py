"""Proposals as a server is told them, and what it answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from orion_nb.api import codec
from orion_nb.api.client import error_of
from orion_nb.errors import OrionError
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State
from orion_nb.schemas.values import evolve

Told = dict[str, Any]
Judged = tuple[Run, Report | None]


class Proposal(NamedTuple):
    """A proposal for a run: as the server is told it, and how it is judged without the server."""

    run: Run
    told: Told
    alone: Callable[[], Judged]


def told_of(op: str, proposed: State | None) -> Told:
    """What every proposal carries, so that it counts once however often it arrives."""
    state = None if proposed is None else codec.of_state(proposed)
    secrets = os.urandom(16).hex()
    return {"op": op, "state": state, "secret": secrets[:16], "transition_id": secrets[16:]}


def late(told: Told, after: Run, report: Report | None) -> Told:
    """The proposal as what has become of it."""
    entered = None
    if report is not None and report.state.seq == after.state.seq and after.state.seq > 1:
        entered = codec.of_state(after.state)
    made = {**told, "state": entered, "at": after.state.timestamp}
    if entered is not None and report is not None:
        made["report"] = codec.of_report(evolve(report, attempt=None, token=None))
    return {name: value for name, value in made.items() if value is not None}


def answered(run: Run, told: Told, answer: Told) -> Judged:
    """The run and the report as the server answered them.

    Raises:
        OrionError: the server refused the proposal; of the same class as there.
    """
    report = read(run, answer) if "report" in answer or "error" in answer else None
    after = codec.moved(run, answer["run"])
    if after.attempt != run.attempt or (report is not None and report.token):
        token = (report.token if report else None) or told["secret"]
        after = evolve(after, token=token)
    entered = after.state.seq > max(run.state.seq, 1)
    return evolve(after, blocked=None if entered else report), report


def read(run: Run, answer: Told) -> Report:
    """The report of an answer."""
    if "error" in answer:
        raise error_of(answer) or OrionError(str(answer.get("message")))
    state = codec.to_state(answer["run"]["state"]) if "run" in answer else run.state
    return codec.to_report(answer["report"], state)


def reported(judged: Judged) -> tuple[Run, Report]:
    run, report = judged
    assert report is not None
    return run, report
