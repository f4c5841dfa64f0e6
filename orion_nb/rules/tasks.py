"""The rules for task runs, and TASK_POLICY."""

from __future__ import annotations

from orion_nb.rules.cache import let_one_fill_the_cache, retrieve_from_cache
from orion_nb.rules.common import COMMON
from orion_nb.rules.core import Phase, Policy, Transition, rule
from orion_nb.rules.retries import rerun_the_upstream
from orion_nb.schemas.reports import Reject, Verdict, Wait
from orion_nb.schemas.states import (
    COMPLETED,
    PENDING,
    RUNNING,
    SCHEDULED,
    TERMINAL,
    Skipped,
    UpstreamFailed,
)

#: It is asked of a run that is rerun, too.
STARTING = [SCHEDULED, PENDING, *TERMINAL]


@rule(Phase.LINEAGE, leaving=STARTING, entering=[RUNNING])
def wait_for_upstream_runs(t: Transition) -> Verdict | None:
    """A task run waits until the runs it depends on have finished."""
    waiting = [up for up in t.upstream if not up.state.is_terminal]
    if not waiting:
        return None
    first = waiting[0]
    reason = f"waits for {first.name} ({first.state.name})"
    if len(waiting) > 1:
        reason += f" and {len(waiting) - 1} more"
    return Wait(reason, after=0.05, facts={"upstream": [up.id for up in waiting[:20]]})


@rule(Phase.LINEAGE, leaving=STARTING, entering=[RUNNING])
def heed_the_trigger(t: Transition) -> Verdict | None:
    """A task run starts only if its finished upstream runs pull its trigger.

    `all_completed` (default): every one completed; `all_finished`: whatever they ended as;
    `any_failed`: at least one did not complete, else the task is skipped; `function`: a function
    of their states said so where the task runs, else it is skipped.
    """
    if t.pulled is False:
        return Reject(Skipped(message="its trigger said no"), "its trigger said no")
    bad = [up for up in t.upstream if up.state.is_terminal and up.state.type is not COMPLETED]
    bad = [up for up in bad if not up.may_fail]
    trigger = t.run.policy.trigger
    if trigger == "all_completed" and bad:
        told = f"upstream {bad[0].name} is {bad[0].state.name}"
        facts = {"upstream": [up.id for up in bad[:20]]}
        return Reject(UpstreamFailed(told), told, facts)
    if trigger == "any_failed" and t.upstream and not bad:
        return Reject(Skipped(message="no upstream run failed"), "no upstream run failed")
    return None


TASK_POLICY: Policy = (
    rerun_the_upstream,  # before it is retried: the same inputs would fail the same check
    *COMMON,
    wait_for_upstream_runs,
    heed_the_trigger,
    retrieve_from_cache,
    let_one_fill_the_cache,
)
