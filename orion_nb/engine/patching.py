"""A run that failed is completed by hand, with what a replay of it made; its flow goes on."""

from __future__ import annotations

import getpass
import os
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.engine.context import RUN_ID_VARIABLE
from orion_nb.engine.replaying import Replay, find_work
from orion_nb.engine.work import Work
from orion_nb.errors import Conflict, InvalidInput, OrionError
from orion_nb.schemas.reports import Report
from orion_nb.schemas.results import Reference
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import COMPLETED


def complete(
    orion: Orion, found: Replay, value: Any, *, replay: str, differs: bool, why: str = ""
) -> Report:
    """The run is Completed with this value, by force; the report says by whom and from what.

    Args:
        orion: where the run is.
        found: the run as it was when it was taken up: it must not have moved on since.
        value: what the run returns from now on; it is kept, however large it is.
        replay: the id of the run that made the value.
        differs: the code that made it is not the recorded one.
        why: what else there is to say.

    Raises:
        Conflict: the run goes on, or somebody has moved it meanwhile.
        InvalidInput: the value can't be kept.
        RunNotFound: the run is gone.
    """
    run = _as_taken_up(orion, found)
    reference = orion.keep(value, None)
    told = Reference.from_text(reference)
    if not told.is_kept:
        says = f"what the replay made can't be kept: {told.problem}"
        raise InvalidInput(says, field="result")
    source = "its source differs" if differs else "its source is the recorded one"
    says = f"completed by hand from replay {short(replay)}; {source}"
    report = orion.propose(
        run.id, COMPLETED, result=reference, seq=found.run.state.seq, force=True,
        message=f"from replay {short(replay)}", why=f"{says}: {why}" if why else says, by=whoever(),
    )  # fmt: skip
    found.run = orion.find(run.id)
    return report


def way_on(orion: Orion, run: Run) -> tuple[Run, Work[..., Any] | None]:
    """The outermost flow run around this run, and its flow if it is at hand.

    One that is deployed needs none.

    Raises:
        InvalidInput: there is nothing to go on with here; it says what to do.
        Conflict: the flow run goes on already.
    """
    flow = _outermost_flow(orion, run)
    if flow is None:
        says = "resume: the run is in no flow that could go on: commit it without --resume"
        raise InvalidInput(says, field="resume")
    if not flow.state.is_terminal:
        says = f"resume: its flow {flow.name} ({short(flow.id)}) is {flow.state.name}: it goes on"
        raise Conflict(f"{says} by itself, or is to be cancelled first")
    if flow.deployment is not None:
        return flow, None
    if (flow.key or "").startswith("notebook:"):
        says = f"it is the run of a notebook: `orion-nb runs rerun {short(flow.id)} --from-failed`"
        raise InvalidInput(f"resume: {says} goes on with it once this is committed", field="resume")
    work = find_work(flow)
    if work is None:
        says = f"its flow, {flow.key or flow.name}, is not imported here: import or define it"
        says += ", or commit without --resume and rerun it there"
        raise InvalidInput(f"resume: {says}", field="resume")
    if work.is_async:
        says = f"its flow is async: commit, then `await {work.name}.rerun({short(flow.id)!r})`"
        raise InvalidInput(f"resume: {says}", field="resume")
    return flow, work


def _outermost_flow(orion: Orion, run: Run) -> Run | None:
    """The outermost flow around the run; None if there is none.

    Where this process is the kernel of a notebook that is executed, the run of that notebook goes
    on, of course: the flow is what was called in it.
    """
    own, found = os.environ.get(RUN_ID_VARIABLE), None
    while run.parent is not None and run.parent != own:
        run = orion.find(run.parent)
        found = run if run.kind == "flow" else found
    return found


def go_on(orion: Orion, flow: Run, work: Any, *, why: str) -> Run:
    """The flow run goes on: here, if its flow is at hand, else where deployments are executed.

    What the flow raises is raised here.

    Raises:
        Conflict: it can't be rerun: what it needs of its other tasks was not kept, say.
    """
    if work is not None:
        work.rerun(flow.id)
    else:
        try:
            orion.rerun(flow.id, why=why, by=whoever(), from_failed=True)
        except OrionError as error:
            says = f"it is committed, but its flow was not resumed: {error}"
            raise Conflict(says) from None
    return orion.find(flow.id)


def whoever() -> str:
    """The name of whoever is logged in; `notebook` where the system has none."""
    try:
        return getpass.getuser()[:100]
    except (OSError, KeyError):
        return "notebook"


def _as_taken_up(orion: Orion, found: Replay) -> Run:
    """The run, which is as it was when it was taken up, and has ended."""
    run = orion.find(found.run.id)
    told = f"run {short(run.id)} is {run.state.name}"
    if not run.state.is_terminal:
        raise Conflict(f"{told}: wait for its end, or cancel it")
    if run.state.seq != found.run.state.seq:
        by = f" (by {run.state.by})" if run.state.by else ""
        says = f"it has moved on since it was taken up; `%replay {short(run.id)}` takes it up again"
        raise Conflict(f"{told}{by}: {says}")
    return run
