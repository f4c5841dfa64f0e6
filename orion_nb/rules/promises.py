"""The rules on service levels: they stop nothing, they mark what was too late."""

from __future__ import annotations

from orion_nb.clock import SECOND
from orion_nb.rules.core import Phase, Transition, rule
from orion_nb.schemas.reports import Note, Verdict
from orion_nb.schemas.states import ACTIVE, RUNNING, TERMINAL

LATE_START = "missed_sla_start"
LATE_END = "missed_sla"


@rule(Phase.REWRITE, leaving=ACTIVE, entering=[RUNNING])
def mark_a_late_start(t: Transition) -> Verdict | None:
    """A run that starts later than its `sla_start` allows is marked as having missed it."""
    late = _late(t, t.run.policy.sla_start)
    if late is None or t.run.start_time is not None or LATE_START in t.run.marks:
        return None
    return Note(f"started {late:.3g} s after its SLA", LATE_START, {"late": late})


@rule(Phase.REWRITE, leaving=ACTIVE, entering=TERMINAL)
def mark_a_late_end(t: Transition) -> Verdict | None:
    """A run that ends later than its `sla` allows is marked as having missed it."""
    late = _late(t, t.run.policy.sla)
    if late is None or LATE_END in t.run.marks:
        return None
    return Note(f"ended {late:.3g} s after its SLA", LATE_END, {"late": late})


def _late(t: Transition, allowed: float | None) -> float | None:
    """By how many seconds the run is behind what it was allowed from its due time on."""
    due = t.run.due
    if allowed is None or due is None:
        return None
    late = (t.now - due) / SECOND - allowed
    return late if late > 0 else None
