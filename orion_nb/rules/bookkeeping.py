"""What a new state does to its run: attempt, counts and times."""

from __future__ import annotations

import os
from dataclasses import replace

from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import RUNNING, SCHEDULED, State


def bookkeep(run: Run, state: State, now: int, session: str | None) -> Run:
    """The run as it is after entering `state` at `now`; a new attempt gets a number and a token."""
    seq = run.state.seq + 1
    leaving, entering = run.state, state
    attempt, token, owner, run_count = run.attempt, run.token, run.session, run.run_count
    start, end, total = run.start_time, run.end_time, run.total_time
    if leaving.type is RUNNING:
        total += max(0, now - leaving.timestamp)
    if entering.type is RUNNING:
        attempt, run_count, token, owner = attempt + 1, run_count + 1, os.urandom(8).hex(), session
        start = now if start is None else start
    elif entering.name == "Submitting":
        owner = session
    end = now if entering.is_terminal else None
    entered = replace(state, seq=seq, timestamp=now, attempt=attempt)
    if entered.type is RUNNING and run.run_count > 0 and entered.name == "Running":
        entered = replace(entered, name="Retrying")
    return replace(
        run,
        state=entered,
        attempt=attempt,
        token=token,
        session=owner,
        run_count=run_count,
        start_time=start,
        end_time=end,
        total_time=total,
        scheduled_time=state.scheduled_time if state.type is SCHEDULED else run.scheduled_time,
        blocked=None,
    )
