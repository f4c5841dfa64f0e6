"""A proposal judged without the API, by the same rules, on what is known in this process.

So runs go on while their server is away. Limits, the cache and the runs of others can't be known
here; the rules that would ask for them pass.
"""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.rules import Policy, Transition, enters, evaluate
from orion_nb.rules.bookkeeping import bookkeep
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import RUNNING, State
from orion_nb.schemas.values import evolve

#: What the report on it says besides.
WHY = "judged in its own process: the server was away"


def judge(
    policy: Policy,
    run: Run,
    proposed: State,
    *,
    parent: State | None,
    session: str,
    secret: str,
    **told: Any,
) -> tuple[Run, Report]:
    """The run as it then is, and the report; `secret` is the token of an attempt that begins.

    `told` are facts as a `Transition` has them.
    """
    now = clock.now()
    report = evaluate(policy, Transition(run, proposed, now, parent=parent, **told))
    if not enters(report, run.state):
        return run if report.fenced else evolve(run, blocked=report), report
    entered = report.state
    if not entered.reason:
        entered = entered.because(report.reason or WHY)
    if proposed.by and not entered.by:
        entered = evolve(entered, by=proposed.by)
    after = bookkeep(run, entered, now, session if proposed.type is RUNNING else None, report.marks)
    if after.attempt == run.attempt:
        return after, evolve(report, state=after.state)
    after = evolve(after, token=secret)
    return after, evolve(report, state=after.state, attempt=after.attempt, token=secret)


def begin(run: Run, session: str | None) -> Run:
    """The new run, born now."""
    now = clock.now()
    born = evolve(run.state, seq=1, timestamp=now)
    return evolve(run, state=born, created=now, scheduled_time=born.scheduled_time, session=session)
