"""What the owner of a run proposes, and what it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from orion_nb.errors import Fenced
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State
from orion_nb.schemas.values import complete


class Proposal(NamedTuple):
    """What the owner of a run proposes; a run that was not written yet begins with it.

    The fields are what `Proposals.begin` and `Proposals.advance` take.
    """

    run: Run
    state: State
    upstream: Sequence[tuple[str, str]] = ()
    retriable: bool = True
    rerun: bool = False
    pulled: bool | None = None


#: The run as it then is and the report on the proposal, or the error that there was.
Answer = tuple[Run, Report] | BaseException


def unfenced(answer: tuple[Run, Report]) -> tuple[Run, Report]:
    """The answer.

    Raises:
        Fenced: another attempt owns the run now.
    """
    if answer[1].fenced:
        raise Fenced(answer[1].reason or "fenced")
    return answer


def handed_out(report: Report, before: Run, after: Run) -> Report:
    """The report, made just now, gets the run's state as it was written; a new attempt's token."""
    if report.fenced:
        return report
    complete(report, "state", after.state)
    if after.attempt != before.attempt:
        complete(report, "attempt", after.attempt)
        complete(report, "token", after.token)
    return report


def is_of_others(report: Report) -> bool:
    """What was proposed was refused since another process executes the run."""
    name = "leave_live_runs_to_their_owner"
    return any(line.rule == name and line.verdict == "abort" for line in report.rules)
