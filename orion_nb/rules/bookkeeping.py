"""What a new state does to its run: attempt, counts and times."""

from __future__ import annotations

import os

from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import RUNNING, SCHEDULED, State
from orion_nb.schemas.values import evolve


def bookkeep(run: Run, state: State, now: int, session: str | None) -> Run:
    """The run as it is after entering `state` at `now`; a new attempt gets a number and a token."""
    changes: dict[str, object] = {"end_time": now if state.is_terminal else None, "blocked": None}
    attempt, name = run.attempt, state.name
    if run.state.type is RUNNING:
        changes["total_time"] = run.total_time + max(0, now - run.state.timestamp)
    if state.type is RUNNING:
        attempt += 1
        changes |= {"attempt": attempt, "run_count": run.run_count + 1, "session": session}
        changes["token"] = os.urandom(8).hex()
        if run.start_time is None:
            changes["start_time"] = now
        elif name == "Running" and run.run_count:
            name = "Retrying"
    elif name == "Submitting":
        changes["session"] = session
    elif state.type is SCHEDULED:
        changes["scheduled_time"] = state.scheduled_time
    changes["state"] = evolve(
        state, seq=run.state.seq + 1, timestamp=now, attempt=attempt, name=name
    )
    return evolve(run, **changes)
