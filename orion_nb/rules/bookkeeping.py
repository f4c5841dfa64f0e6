"""What a new state does to its run: attempt, counts and times."""

from __future__ import annotations

from collections.abc import Sequence

from orion_nb.schemas.entropy import eight_bytes
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import PAUSED, RUNNING, SCHEDULED, State
from orion_nb.schemas.values import evolve


def bookkeep(
    run: Run, state: State, now: int, session: str | None, marks: Sequence[str] = ()
) -> Run:
    """The run as it is after entering `state` at `now`; a new attempt gets a number and a token.

    A run that goes on after a pause is in the same attempt as before. One that is rerun starts
    anew: how long it took is not counted from a start of yesterday. One that has ended and is
    given another end had ended all the same.
    """
    over = run.end_time if run.state.is_terminal else now
    changes: dict[str, object] = {"end_time": over if state.is_terminal else None, "blocked": None}
    attempt, name, run_count = run.attempt, state.name, run.run_count
    if run.state.type is RUNNING:
        changes["total_time"] = run.total_time + max(0, now - run.state.timestamp)
    elif run.state.is_terminal and not state.is_terminal:
        changes["run_count"] = run_count = 0  # it is opened anew, and has all its retries again
    if state.type is RUNNING and not (run.state.type is PAUSED and attempt):
        attempt += 1
        changes |= {"attempt": attempt, "run_count": run_count + 1, "session": session}
        changes["token"] = eight_bytes().hex()
        if not run_count:
            changes["start_time"] = now
        if name == "Running" and attempt > 1:
            name = "Retrying" if run_count else "Rerunning"
    elif name == "Submitting":
        changes["session"] = session
    elif state.type is SCHEDULED and name != "AwaitingSlot":
        changes["scheduled_time"] = state.scheduled_time
    if marks:
        changes["marks"] = tuple(dict.fromkeys((*run.marks, *marks)))
    changes["state"] = evolve(
        state, seq=run.state.seq + 1, timestamp=now, attempt=attempt, name=name
    )
    return evolve(run, **changes)
