"""A state that somebody sets by hand: no rule is asked, and the report says who did it and why."""

from __future__ import annotations

from collections.abc import Callable

from orion_nb import clock
from orion_nb.errors import Conflict, InvalidInput
from orion_nb.rules import SAYS
from orion_nb.rules.bookkeeping import bookkeep
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State
from orion_nb.schemas.values import evolve


def check_at(run: Run, seq: int | None) -> None:
    """The run is in its state of this number, if one is given.

    Raises:
        Conflict: it has moved on.
    """
    if seq is not None and run.state.seq != seq:
        raise Conflict(f"run {run.id} has moved on: it is {run.state.name} now")


def set_by_hand(
    proposed: State, by: str, why: str, seq: int | None = None
) -> Callable[[Run], tuple[Run, Report]]:
    """What comes of a run that is put into a state by hand, and the report on it."""
    if not why.strip():
        raise InvalidInput("why: say why the state is set by force", field="why")
    reason = f"set by {by}: {why}"
    line = Line("set_by_hand", SAYS["set_by_hand"], "pass", reason)
    entered = evolve(proposed, by=by, reason=reason)

    def forced(run: Run) -> tuple[Run, Report]:
        check_at(run, seq)
        after = bookkeep(run, entered, clock.now(), None)
        report = Report(Status.ACCEPT, after.state, reason, rules=(line,), proposed=proposed.name)
        return after, report

    return forced
