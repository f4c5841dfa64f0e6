"""The rules that try again, and the one that ends what takes too long."""

from __future__ import annotations

from zlib import crc32

from orion_nb.clock import LAST_MOMENT, SECOND
from orion_nb.rules.core import Phase, Transition, rule
from orion_nb.schemas.reports import Note, Reject, Verdict
from orion_nb.schemas.states import (
    COMPLETED,
    CRASHED,
    FAILED,
    PAUSED,
    RUNNING,
    AwaitingRetry,
    TimedOut,
)

#: News of a run's end may be under way for this long (seconds); it is not late by that.
GRACE = 1.0


@rule(Phase.REWRITE, leaving=[RUNNING], entering=[COMPLETED])
def time_out_at_the_deadline(t: Transition) -> Verdict | None:
    """A run that completes after its deadline is TimedOut.

    Code that runs here is stopped at the deadline; this is for what can't be stopped.
    """
    limit = t.run.policy.timeout
    took = (t.now - t.current.timestamp) / SECOND
    if limit is None or took <= limit + GRACE:
        return None
    told = f"it took {took:.3g} s, its timeout is {limit:g} s"
    return Reject(TimedOut(told), told, {"took": took, "timeout": limit})


@rule(Phase.REWRITE, leaving=[RUNNING], entering=[FAILED])
def rerun_the_upstream(t: Transition) -> Verdict | None:
    """When a check of results fails, its flow goes back to the task that the policy names.

    That task runs again, and what came after it; this run waits until its turn comes again. It is
    done `rerun_max` times at most.
    """
    run, policy = t.run, t.run.policy
    if policy.rerun_from is None or run.parent is None or not t.retriable:
        return None
    if run.run_count > policy.rerun_max:
        return Note(f"failed {run.run_count} times: {policy.rerun_from} is not rerun once more")
    reason = f"back to {policy.rerun_from}: rerun {run.run_count} of {policy.rerun_max}"
    facts = {"rerun_from": policy.rerun_from, "run_count": run.run_count}
    return Reject(AwaitingRetry(t.now, message=t.proposed.message), reason, facts)


@rule(Phase.REWRITE, leaving=[RUNNING, PAUSED], entering=[FAILED])
def retry_failures(t: Transition) -> Verdict | None:
    """A run that fails is tried again until its retries are used up.

    A crash of the machine it ran on (CRASHED) is no failure of the code: this rule never sees it.
    Nor is it one that nobody resumed the run in time.
    """
    if not t.retriable or not 1 <= t.run.run_count <= t.run.policy.retries:
        return None
    if t.current.type is PAUSED and t.proposed.name == "TimedOut":
        return None
    return _again(t, t.run.policy.retries, "failed")


@rule(Phase.REWRITE, leaving=[RUNNING, PAUSED], entering=[CRASHED])
def retry_crashes_if_asked(t: Transition) -> Verdict | None:
    """A run whose machine failed is never tried again, unless its policy asks for it.

    `retry_crashes` says how often; every attempt counts, whatever ended it.
    """
    if not t.retriable or not 1 <= t.run.run_count <= t.run.policy.retry_crashes:
        return None
    return _again(t, t.run.policy.retry_crashes, "crashed")


def _again(t: Transition, most: int, word: str) -> Reject:
    run = t.run
    # Jitter must be the same when a proposal is explained and when it is made.
    chance = crc32(f"{run.id}{run.attempt}".encode()) / 0xFFFFFFFF
    delay = run.policy.delay_before(run.run_count, chance)
    reason = f"attempt {run.run_count} of {most + 1} {word}; retry in {delay:.4g} s"
    at = min(t.now + round(delay * SECOND), LAST_MOMENT)
    again = AwaitingRetry(at, message=t.proposed.message)
    return Reject(again, reason, {"run_count": run.run_count, "retries": most, "delay": delay})
