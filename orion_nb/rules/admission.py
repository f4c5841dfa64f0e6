"""The rules on who may run now: limits, and overlapping runs of one deployment."""

from __future__ import annotations

from orion_nb.clock import SECOND
from orion_nb.rules.core import Phase, Place, Transition, rule
from orion_nb.schemas.reports import Reject, Verdict, Wait
from orion_nb.schemas.states import (
    LATE_AFTER,
    PENDING,
    RUNNING,
    SCHEDULED,
    TERMINAL,
    AwaitingSlot,
    Skipped,
)

#: Whoever waits looks at once when something was committed; this is for the rest (seconds).
LOOK_AGAIN = 1.0


@rule(
    Phase.ADMISSION,
    leaving=[SCHEDULED, PENDING, *TERMINAL],
    entering=[PENDING, RUNNING],
)
def take_a_place_within_limits(t: Transition) -> Verdict | None:
    """A run starts only if every limit it is subject to has a slot for it, in order of arrival.

    A slot is in use while a run that is subject to the limit is executing: there is nothing to
    release. Who has to wait is AwaitingSlot, and keeps its place in the queue. A run of a
    deployment takes its slot when it is handed over, as Submitting.
    """
    if t.current.name == "Submitting":
        return None  # it has a slot
    if t.proposed.type is PENDING and t.proposed.name != "Submitting":
        return None
    full = next((place for place in t.places if place.is_full), None)
    if full is None:
        return None
    reason = f"limit {full.name!r}: {_counted(full)}"
    facts = {"limit": full.name, "slots": full.slots, "used": full.used, "ahead": full.ahead}
    if t.current.name == "AwaitingSlot":
        return Wait(reason, after=LOOK_AGAIN, facts=facts)
    return Reject(AwaitingSlot(message=reason), reason, facts)


def _counted(place: Place) -> str:
    said = f"{place.used} of {place.slots} slots in use"
    return f"{said}, {place.ahead} ahead in the queue" if place.ahead else said


@rule(Phase.ADMISSION, leaving=[SCHEDULED], entering=[PENDING, RUNNING])
def heed_the_overlap(t: Transition) -> Verdict | None:
    """While another run of its deployment is under way, a run does as its overlap policy says.

    `allow`: it starts. `queue`: it waits. `skip`: it is Skipped. `cancel_running`: the other is
    asked to stop, and this one starts when it has.
    """
    overlap = t.run.policy.overlap
    if overlap == "allow" or not t.siblings:
        return None
    other = t.siblings[0]
    told = f"run {other.id[-8:]} of the same deployment is {other.state.name}"
    facts = {"siblings": [each.id for each in t.siblings[:20]]}
    if overlap == "skip":
        return Reject(Skipped(message=told), told, facts)
    cancels = tuple(each.id for each in t.siblings) if overlap == "cancel_running" else ()
    return Wait(told, after=LOOK_AGAIN, facts=facts, cancels=cancels)


@rule(Phase.ADMISSION, leaving=[SCHEDULED], entering=[PENDING, RUNNING])
def skip_what_was_missed(t: Transition) -> Verdict | None:
    """Where missed instants are not made up for, a run that comes too late is Skipped.

    `catch_up` says so with "none"; with "latest" the last missed instant is made up for, with
    "all" each of them: then no rule objects, and the scheduler has made the runs.
    """
    due = t.current.scheduled_time
    is_first = t.current.name == "Scheduled" and t.run.attempt == 0
    if t.run.policy.catch_up != "none" or t.run.deployment is None or due is None or not is_first:
        return None
    late = (t.now - due) / SECOND
    if late <= LATE_AFTER:
        return None
    told = f"missed by {late:.0f} s, and missed instants are not made up for"
    return Reject(Skipped(message=told), told, {"late": late})
