"""The rules for every run, of a flow or a task: whose it is, how it ends, when it may start."""

from __future__ import annotations

from orion_nb.clock import SECOND
from orion_nb.rules.admission import take_a_place_within_limits
from orion_nb.rules.core import Phase, Transition, rule
from orion_nb.rules.promises import mark_a_late_end, mark_a_late_start
from orion_nb.rules.retries import (
    retry_crashes_if_asked,
    retry_failures,
    time_out_at_the_deadline,
)
from orion_nb.schemas.reports import Abort, Reject, Verdict, Wait
from orion_nb.schemas.states import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    CRASHED,
    PAUSED,
    PENDING,
    RUNNING,
    SCHEDULED,
    TERMINAL,
    Cancelled,
    StateType,
    TimedOut,
)

#: What a finished run may be rerun into.
OPENING = frozenset({SCHEDULED, PENDING, RUNNING})


@rule(Phase.IDENTITY)
def fence_stale_attempts(t: Transition) -> Verdict | None:
    """Only the current attempt of a run may speak for it.

    A message of an attempt that is over changes nothing: whoever sent it is told to stop. So is
    the news of how an attempt ended that was found dead before.
    """
    facts = {"attempt": t.run.attempt, "claims": t.claims}
    if t.claims is None:
        return None
    if t.claims != t.run.attempt:
        says = f"attempt {t.claims} is over: attempt {t.run.attempt} owns the run"
        return Abort(says, fenced=True, facts=facts)
    if not t.token_matches:
        return Abort(f"the token is not that of attempt {t.claims}", fenced=True, facts=facts)
    if t.current.type is CRASHED and t.proposed.type in TERMINAL:
        says = f"attempt {t.claims} is over: the run was taken for {t.current.name}"
        return Abort(says, fenced=True, facts=facts)
    return None


@rule(
    Phase.IDENTITY,
    leaving=[RUNNING, PAUSED, CANCELLING],
    entering=[*TERMINAL, PENDING, SCHEDULED],
)
def leave_live_runs_to_their_owner(t: Transition) -> Verdict | None:
    """While a live session executes a run, only that session may end it.

    Anybody may ask to cancel it, or set its state by force.
    """
    if t.held:
        return Abort(
            f"attempt {t.run.attempt} is executing in a live session; "
            "wait for its end, or cancel the run",
            facts={"session": t.run.session},
        )
    return None


@rule(Phase.FINALITY, leaving=TERMINAL)
def keep_finished_runs_finished(t: Transition) -> Verdict | None:
    """A finished run stays as it is, unless it is rerun or its state is set by force.

    Rerun, it runs once more, waits for that, or is found in the cache; if another rule has it end
    otherwise, it stays as it was.
    """
    told = f"the run has finished: {t.current.name}"
    if not t.rerun:
        return Reject(None, told)
    if t.proposed.type in OPENING or (t.instead_of and t.proposed.name == "Cached"):
        return None
    return Reject(None, f"{told}; it can't be rerun into {t.proposed}")


@rule(Phase.FINALITY, leaving=[CANCELLING], entering=set(StateType) - {CANCELLED})
def funnel_cancelling_into_cancelled(t: Transition) -> Verdict | None:
    """A run that was asked to stop can only end as Cancelled."""
    if t.proposed.type not in TERMINAL:
        return Reject(None, "the run is being cancelled")
    told = "stopped as asked"
    if not (t.proposed.message or "").startswith("RunStopped:"):
        detail = f" ({t.proposed.message})" if t.proposed.message else ""
        told += f"; would have been {t.proposed.name}{detail}"
    if t.current.message:
        told = f"{t.current.message}; {told}"
    return Reject(Cancelled(told, attempt=t.proposed.attempt), "the run was asked to stop")


@rule(Phase.FINALITY, leaving=[SCHEDULED, PENDING, PAUSED], entering=[CANCELLING])
def cancel_at_once_what_is_not_running(t: Transition) -> Verdict | None:
    """A run that executes nothing is Cancelled as soon as it is asked to stop."""
    return Reject(Cancelled(t.proposed.message), f"nothing to stop: the run was {t.current.name}")


@rule(Phase.FINALITY, leaving=[RUNNING], entering=[RUNNING, PENDING])
def run_one_attempt_at_a_time(t: Transition) -> Verdict | None:
    """A run that is executing is not started a second time."""
    return Abort(f"attempt {t.run.attempt} is running", facts={"attempt": t.run.attempt})


@rule(Phase.LINEAGE, entering=[PENDING, RUNNING])
def start_nothing_in_a_stopped_parent(t: Transition) -> Verdict | None:
    """A run does not start inside one that has finished or is to stop: it is Cancelled instead.

    Inside one that is paused it waits. One that has finished can be rerun though its parent has
    finished, too.
    """
    if t.parent is None:
        return None
    if t.parent.type is PAUSED:
        return Wait("its parent is paused", after=1.0)
    if t.parent.type in TERMINAL and t.current.is_terminal:
        return None
    if t.parent.type is CANCELLING or t.parent.type is CANCELLED:
        return Reject(Cancelled("its parent was cancelled"), f"the parent is {t.parent.name}")
    if t.parent.type in TERMINAL:
        told = f"its parent has finished: {t.parent.name}"
        return Reject(Cancelled(told), told)
    return None


@rule(Phase.TIME, leaving=[SCHEDULED], entering=[PENDING, RUNNING])
def wait_for_the_scheduled_time(t: Transition) -> Verdict | None:
    """A scheduled run becomes neither Pending nor Running before its time."""
    due = t.current.scheduled_time
    if due is None or due <= t.now:
        return None
    reason = f"{t.current.name} in {(due - t.now) / SECOND:.3g} s"
    return Wait(reason, until=due, facts={"scheduled_time": due, "now": t.now})


@rule(Phase.FINALITY, leaving=[SCHEDULED, PENDING, PAUSED], entering=[COMPLETED])
def complete_only_what_ran(t: Transition) -> Verdict | None:
    """A run that never ran can't complete; it can be skipped, fail, crash or be cancelled."""
    if t.current.type is PAUSED and t.run.run_count:
        return None  # it was paused while it ran, and its code went on to the end
    if t.proposed.name == "Completed":
        return Reject(None, f"the run never ran: it is {t.current.name}; propose Running first")
    return None


@rule(Phase.FINALITY, leaving=[SCHEDULED, PENDING, PAUSED], entering=[PAUSED])
def pause_only_what_runs(t: Transition) -> Verdict | None:
    """Only a run that is executing can be paused; one that waits can be cancelled instead."""
    return Reject(None, f"only a running run can be paused: this one is {t.current.name}")


@rule(Phase.FINALITY, leaving=[PAUSED], entering=[PENDING])
def hand_over_nothing_that_is_paused(t: Transition) -> Verdict | None:
    """A paused run is not handed over: it is resumed, or scheduled anew."""
    return Reject(None, "the run is paused: resume it, or schedule it anew")


@rule(Phase.TIME, leaving=[PAUSED], entering=[RUNNING])
def end_pauses_at_their_time(t: Transition) -> Verdict | None:
    """A run that stayed paused longer than its pause may last is TimedOut, not resumed."""
    until = t.current.scheduled_time
    if until is None or t.now <= until:
        return None
    told = f"the pause was over {(t.now - until) / SECOND:.3g} s ago"
    return Reject(TimedOut(told), told, {"until": until, "now": t.now})


COMMON = (
    fence_stale_attempts,
    leave_live_runs_to_their_owner,
    keep_finished_runs_finished,
    funnel_cancelling_into_cancelled,
    cancel_at_once_what_is_not_running,
    run_one_attempt_at_a_time,
    complete_only_what_ran,
    pause_only_what_runs,
    hand_over_nothing_that_is_paused,
    start_nothing_in_a_stopped_parent,
    wait_for_the_scheduled_time,
    end_pauses_at_their_time,
    take_a_place_within_limits,
    time_out_at_the_deadline,
    retry_failures,
    retry_crashes_if_asked,
    mark_a_late_start,
    mark_a_late_end,
)
