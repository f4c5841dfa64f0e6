"""What is left to do when a runner's process has ended: its run must not seem to go on."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from contextlib import suppress

from orion_nb.api.orion import Orion
from orion_nb.deployments.endings import fate, last_words
from orion_nb.deployments.files import LOG, run_folder
from orion_nb.deployments.lost import mark_lost
from orion_nb.deployments.sockets import remove_abandoned
from orion_nb.deployments.sweeping import sweep
from orion_nb.errors import Conflict
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    CANCELLING,
    PENDING,
    SCHEDULED,
    Cancelled,
    Crashed,
    Scheduled,
    State,
)
from orion_nb.store import sessions


def settle_exit(
    orion: Orion,
    run_id: str,
    process: subprocess.Popen[bytes],
    spare: Collection[int] = (),
    *,
    again: bool = False,
) -> bool:
    """A run whose runner ended without saying how it went is proposed as Crashed.

    If `again`, one whose runner was killed before it began is Scheduled again: then this is true.
    """
    run = orion.find(run_id)
    if run.state.is_terminal or run.state.type is SCHEDULED or _has_another_owner(orion, run):
        return False
    how = f"its runner {fate(process.poll())} before it"
    log = run_folder(orion.settings, run_id) / LOG
    why = f"{how} was done{last_words(log)}; see {log}"
    proposed = Cancelled(why) if run.state.type is CANCELLING else Crashed(why)
    is_given_back = again and run.state.type is PENDING and (process.poll() or 0) < 0
    if is_given_back:
        proposed = Scheduled(run.scheduled_time or 0, message=f"{how} began", by="worker")
    clear_up(orion, run, proposed)
    with suppress(Conflict):
        orion.judge(run_id, proposed, expected_seq=run.state.seq)
    reap(orion, spare)
    return is_given_back


def reap(orion: Orion, spare: Collection[int] = ()) -> list[Run]:
    """Runs whose process is gone are ended, and what their kernels left running is killed.

    Not those of the processes in `spare`: who started them is about to do so, and knows why.
    """
    return orion.reap(spare=spare, first=lambda run, end: clear_up(orion, run, end))


def clear_up(orion: Orion, run: Run, end: State) -> None:
    """No process is left of the attempt whose runner is gone, nor a socket; its notebook says how.

    This comes before the run is given its end: who dies in between leaves all of it to the next.
    """
    if run.kind == "flow" and run.attempt:
        sweep(f"{run.id}.{run.attempt}.")
        remove_abandoned()
        mark_lost(orion, run, end)


def _has_another_owner(orion: Orion, run: Run) -> bool:
    """Another runner, alive, is at work on the run; or another worker has handed it on."""
    if run.session is None or run.session == orion.session:
        return False
    with orion.database.read() as connection:
        owner = sessions.read(connection, bytes.fromhex(run.session))
    return owner is not None and owner.is_alive
