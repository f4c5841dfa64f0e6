"""What happened to a run and why: what is known of it, read at once, and told in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orion_nb.api import words
from orion_nb.api.words import Sentence
from orion_nb.rules import Other, Place
from orion_nb.schemas.pauses import Pause
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import (
    CANCELLING,
    COMPLETED,
    CRASHED,
    FAILED,
    PAUSED,
    SCHEDULED,
    State,
    is_late,
)
from orion_nb.schemas.values import frozen
from orion_nb.store import facts, kept, limits, listing, notes, pauses, retention, runs, sessions
from orion_nb.store.database import Connection
from orion_nb.store.kept import Trouble
from orion_nb.store.listing import RunFilter

#: So many of the runs in a run are read, the newest; and so many of those that matter are told.
MOST_READ = 200
MOST_TOLD = 10
#: While a run goes on, so many of those that go on in it are told.
MOST_GOING_ON = 5


@frozen
class Known:
    """All that is known of a run at one moment.

    `full` are the limits that it waits for, each with the runs that hold its slots; `has_died`
    says that the process it belongs to is gone.
    """

    run: Run
    history: Sequence[tuple[State, Report | None]]
    children: Sequence[Run]
    notes: Sequence[tuple[int, str]]
    troubles: Sequence[Trouble]
    pause: Pause | None = None
    full: Sequence[tuple[Place, Sequence[Other]]] = ()
    upstream: Sequence[Other] = ()
    has_died: bool = False


def tell(connection: Connection, run: Run, now: int) -> dict[str, Any]:
    """What `Orion.why` answers; `now` is in microseconds, UTC."""
    known = gather(connection, run, now)
    told = sentences(known, now)
    return {
        "run": run.as_json(),
        "summary": [str(each) for each in told],
        "sentences": [each.as_json() for each in told],
        "states": [told_state(state, report) for state, report in known.history],
        "blocked": run.blocked.as_json() if run.blocked else None,
        "pause": known.pause.as_json() if known.pause else None,
        "pin": retention.pinned(connection, run.id),
        "notes": [{"timestamp": at, "text": text} for at, text in known.notes],
        "problems": [each.as_json() for each in known.troubles],
        "tasks": [child.as_json() for child in known.children],
    }


def gather(connection: Connection, run: Run, now: int) -> Known:
    """All that is known of the run; what can't matter in its state is not read."""
    inside = RunFilter(root=run.root, parent=run.id)
    children = listing.page(connection, inside, MOST_READ, now)[::-1]
    waits = run.state.name == "AwaitingSlot"
    return Known(
        run,
        runs.history(connection, run.id),
        children,
        notes.read(connection, run.id),
        kept.problems_of(connection, run.id),
        pause=_pause(connection, run),
        full=_full(connection, run) if waits else (),
        upstream=facts.upstream(connection, run.id) if run.state.name == "NotReady" else (),
        has_died=_has_died(connection, run),
    )


def told_state(state: State, report: Report | None) -> dict[str, Any]:
    """A state, with the report on how it was entered."""
    return {**state.as_json(), "report": report.as_json() if report else None}


def sentences(known: Known, now: int) -> list[Sentence]:
    """One for each state entered and each note, in the order of time; then how it stands now."""
    told: list[Sentence] = []
    waiting = list(known.notes)
    for state, report in known.history:
        while waiting and waiting[0][0] < state.timestamp:
            told.append(Sentence(waiting[0][1], waiting.pop(0)[0]))
        told.append(Sentence(words.entered(state, report), state.timestamp))
    told += [Sentence(text, at) for at, text in waiting]
    standing = (*_held_up(known, now), *_results(known), *_inside(known, now), *_goes_on(known))
    return told + [Sentence(text) for text in standing]


def _held_up(known: Known, now: int) -> Iterator[str]:
    """What the run waits for."""
    run, state = known.run, known.run.state
    if known.full:
        yield from (words.waits_for_slot(place, by) for place, by in known.full)
    elif run.blocked is not None and not _waits_for_its_time(run.blocked):
        yield f"blocked: {words.refused(run.blocked)}"
    if state.name == "NotReady" and known.upstream:
        yield words.waits_for_runs(known.upstream)
    if state.type is PAUSED:
        yield from words.paused(run, known.pause, now)
    if state.type is CANCELLING:
        yield words.stopping(state, now)
    if state.name == "AwaitingRetry" and run.policy.rerun_from is None:
        yield from words.tried_again(run, known.has_died, now)
    elif is_late(state.type, state.scheduled_time, now):
        yield words.late(state, now)
    elif state.scheduled_time is not None and state.type is SCHEDULED:
        yield words.due(state.scheduled_time, now)


def _results(known: Known) -> Iterator[str]:
    """What of the run was not kept, or is not where it belongs yet."""
    for trouble in known.troubles:
        yield words.not_kept(trouble.what, trouble.reason, trouble.reference)


def _inside(known: Known, now: int) -> Iterator[str]:
    """What did not complete in the run; and, while it goes on, what goes on in it."""
    bad = [c for c in known.children if c.state.is_terminal and c.state.type is not COMPLETED]
    yield from (f"in it, {words.named(child)} is {words.brief(child)}" for child in bad[:MOST_TOLD])
    if len(bad) > MOST_TOLD:
        yield f"in it, {len(bad) - MOST_TOLD} more did not complete"
    if known.run.state.is_terminal:
        return
    going = [child for child in known.children if not child.state.is_terminal]
    for child in going[:MOST_GOING_ON]:
        yield f"in it, {words.named(child)} is {words.going_on(child, now)}"
    if len(going) > MOST_GOING_ON:
        yield f"in it, {len(going) - MOST_GOING_ON} more go on or wait"


def _goes_on(known: Known) -> Iterator[str]:
    """How to have it done after all."""
    run, state = known.run, known.run.state
    is_left = state.name == "AwaitingRetry" and known.has_died and not run.deployment
    if run.kind == "flow" and run.parent is None and (state.type in (FAILED, CRASHED) or is_left):
        yield from words.how_to_rerun(run, "pick it up" if is_left else "run it once more")
    elif is_left and run.parent is not None:
        yield f"it goes on when the flow around it does: `orion-nb why {short(run.root)}`"


def _waits_for_its_time(refusal: Report) -> bool:
    """By when it is due is told from the time it is now."""
    return refusal.rules[-1:] != () and refusal.rules[-1].rule == "wait_for_the_scheduled_time"


def _pause(connection: Connection, run: Run) -> Pause | None:
    if run.state.type is not PAUSED:
        return None
    listed = pauses.read_all(connection, run.id)
    return next((each for each in reversed(listed) if each.resumed is None), None)


def _full(connection: Connection, run: Run) -> list[tuple[Place, Sequence[Other]]]:
    """The limits that have no slot for the run, each with the runs that are in its slots."""
    wanted = limits.of(run, limits.known(connection))
    found = [each for each in limits.places(connection, run, wanted) if each.is_full]
    return [(place, limits.holders(connection, place.name)) for place in found]


def _has_died(connection: Connection, run: Run) -> bool:
    if run.session is None or run.state.is_terminal:
        return False
    session = sessions.read(connection, bytes.fromhex(run.session))
    return session is not None and not session.is_alive
