"""Each kind of transition, as it is prepared and then made once; a new one is a line in `KINDS`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from orion_nb import clock
from orion_nb.api.answers import Proposal
from orion_nb.api.once import answer_once
from orion_nb.api.orion import Orion
from orion_nb.schemas.pauses import Pause
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import (
    Cancelling,
    Completed,
    Crashed,
    Failed,
    NotReady,
    Paused,
    Pending,
    Running,
    Scheduled,
    Skipped,
    TimedOut,
    state,
)
from tests.chaos.recording import unrecorded

Prepare = Callable[[Orion], Run]
Act = Callable[[Orion, Run], object]


@dataclass(frozen=True)
class Kind:
    """How a run is brought to where the transition begins, and how it is made.

    `commits` is how many transactions it takes, the first of which decides. `alone`: each time in
    a new file, since what it does depends on what others have left. `forgets`: what there was is
    not to be there any more.
    """

    prepare: Prepare
    act: Act
    commits: int = 1
    alone: bool = False
    forgets: bool = False


def _new(orion: Orion, **more: Any) -> Run:
    return orion.new_run("task", "one", **more)


def _running(orion: Orion, retries: int = 0) -> Run:
    return orion.begin(_new(orion, policy=RunPolicy(retries)), Running())[0]


def _awaiting_retry(orion: Orion) -> Run:
    return orion.advance(_running(orion, retries=1), Failed("oh"))[0]


def _cancelling(orion: Orion) -> Run:
    run = _running(orion)
    orion.cancel(run.id)
    return orion.find(run.id)


def _waiting(orion: Orion) -> Run:
    above = _running(orion)
    return orion.begin(_new(orion), NotReady(message="above"), [(above.id, "x")])[0]


def _completed(orion: Orion) -> Run:
    return orion.advance(_running(orion), Completed())[0]


def _in_a_tree(orion: Orion) -> Run:
    return _new(orion, parent=_running(orion).id)


def _moved(orion: Orion) -> Run:
    """As its owner knows it: somebody else has asked it to stop meanwhile."""
    run = _running(orion)
    orion.cancel(run.id)
    return run


def _begin_waiting(orion: Orion, run: Run) -> None:
    orion.begin(run, NotReady(message="above"), [(str(run.parent), "x")])


def _begin_twice(orion: Orion, run: Run) -> None:
    with suppress(Exception):
        orion.begin(replace(run, state=Pending()), TimedOut())


def _left(orion: Orion) -> Run:
    """A run whose process is gone: that of another session, which has ended."""
    other = Orion(orion.settings)
    run = _running(other)
    other.close()
    return run


def _together(orion: Orion, run: Run) -> None:
    """Four proposals that wait for the same lock are committed in one transaction."""
    lives = [
        threading.Thread(target=orion.advance, args=(run, Completed())),
        threading.Thread(target=_begin_twice, args=(orion, run)),
        threading.Thread(target=orion.judge, args=(run.id, Cancelling())),
        threading.Thread(target=orion.begin, args=(_new(orion), Running())),
    ]
    with orion.database._owner:
        for count, life in enumerate(lives, 1):
            life.start()
            while len(orion.database._queue) < count:
                time.sleep(0.001)
    for life in lives:
        life.join()


frozen: list[Any] = []
DB = RunPolicy(concurrency=(("db", 1),))


def _slot_taken(orion: Orion) -> Run:
    """Another run has the only slot."""
    orion.begin(_new(orion, policy=DB), Running())
    return _new(orion, policy=DB)


def _slot_free_again(orion: Orion) -> Run:
    """The run waited for the slot, and its turn has come."""
    first, _ = orion.begin(_new(orion, policy=DB), Running())
    run, _ = orion.begin(_new(orion, policy=DB), Running())
    assert run.state.name == "AwaitingSlot"
    orion.advance(first, Completed())
    return run


def _cached(orion: Orion) -> Run:
    """The result is there already; another run has computed it."""
    first, _ = orion.begin(_new(orion), Running(cache_key="k"))
    orion.advance(first, Completed(result="1", cache_key="k"))
    return _new(orion)


def _being_filled(orion: Orion) -> Run:
    """Another run is computing the same result."""
    orion.begin(_new(orion), Running(cache_key="k"))
    return _new(orion)


def _paused(orion: Orion) -> Run:
    return orion.advance(_running(orion), Paused())[0]


def _asking(orion: Orion) -> Run:
    """Paused, and waiting for an answer."""
    run = _running(orion)
    schema = {"properties": {"x": {"type": "integer"}}}
    orion.ask_pause(Pause(run.id, "pause", "?", schema, None, clock.now()))
    return orion.advance(run, Paused())[0]


def _deployed(orion: Orion, overlap: Any = "allow", deployment: str | None = None) -> Run:
    run = orion.new_run(
        "flow", "deployed", deployment=deployment or new_id(), policy=RunPolicy(overlap=overlap),
        scheduled_time=clock.now(),
    )  # fmt: skip
    return orion.begin(run)[0]


def _overtaken(orion: Orion) -> Run:
    """Another run of its deployment is running, and is to make way."""
    first = _deployed(orion)
    orion.advance(first, Running())
    return _deployed(orion, "cancel_running", first.deployment)


def _submitting_left(orion: Orion) -> Run:
    """Handed to a process that is gone before it began."""
    other = Orion(orion.settings)
    run = _deployed(other)
    other.claim(1)
    other.close()
    return run


def _due(orion: Orion) -> Run:
    """A deployment whose time has come; the run that is made is known by its name."""
    path = orion.settings.home / "empty.ipynb"
    path.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    name = f"due {new_id()}"
    # One time comes while the clock is moved, whatever time it is.
    first = clock.iso(clock.now() + 15 * 60 * clock.SECOND)
    hourly = {"kind": "interval", "every": "1h", "anchor": first}
    orion.create_deployment(name, str(path), schedules=[hourly])
    frozen.append(clock.frozen(clock.now()))  # to the end of the process
    frozen[0].__enter__().advance(16 * 60)
    return replace(_new(orion), id=name)


def _requested(orion: Orion, run: Run) -> None:
    def answer(inside: Orion) -> tuple[int, bytes]:
        with unrecorded():
            return 200, json.dumps(inside.cancel(run.id).as_json()).encode()

    answer_once(orion, f"key-{run.id}", "POST /runs/{run_id}/cancel", "digest", answer)


def _batch(orion: Orion, run: Run) -> None:
    """One run ends and another begins, in one request."""
    following = {"id": new_id(), "kind": "task", "name": "following"}
    completed = {"type": "COMPLETED", "name": "Completed"}
    orion.batch(
        [
            {"op": "advance", "run": run.id, "state": completed, "attempt": run.attempt,
             "token": run.token},
            {"op": "begin", "run": following, "state": {"type": "RUNNING", "name": "Running"},
             "owned": False},
        ]
    )  # fmt: skip


def _old(orion: Orion) -> Run:
    """A tree of runs that is over; the newest event belongs to another run."""
    above = _running(orion)
    inside, _ = orion.begin(_new(orion, parent=above.id), Running())
    orion.advance(inside, Completed(result="1", cache_key="k"))
    above, _ = orion.advance(above, Completed())
    _running(orion)
    return above


KINDS: dict[str, Kind] = {
    "open a new file": Kind(_new, lambda orion, run: None, alone=True),
    "begin Pending": Kind(_new, lambda orion, run: orion.begin(run)),
    "begin Running": Kind(_new, lambda orion, run: orion.begin(run, Running())),
    "begin Running in a tree": Kind(_in_a_tree, lambda orion, run: orion.begin(run, Running())),
    "begin Scheduled": Kind(
        lambda orion: _new(orion, scheduled_time=clock.now()),
        lambda orion, run: orion.begin(run),
    ),
    "begin NotReady": Kind(_in_a_tree, _begin_waiting),
    "begin twice": Kind(_running, _begin_twice, commits=0),
    "Running, refused until its upstream has finished": Kind(
        _waiting, lambda orion, run: orion.advance(run, Running())
    ),
    "Running after a wait": Kind(
        lambda orion: orion.begin(_new(orion), NotReady())[0],
        lambda orion, run: orion.advance(run, Running()),
    ),
    "Completed": Kind(_running, lambda orion, run: orion.advance(run, Completed())),
    "Failed": Kind(_running, lambda orion, run: orion.advance(run, Failed("oh"))),
    "TimedOut": Kind(_running, lambda orion, run: orion.advance(run, TimedOut("oh"))),
    "Skipped": Kind(
        lambda orion: orion.begin(_new(orion))[0],
        lambda orion, run: orion.judge(run.id, Skipped()),
    ),
    "Failed, to be retried": Kind(
        lambda orion: _running(orion, retries=1),
        lambda orion, run: orion.advance(run, Failed("oh")),
    ),
    "Retrying": Kind(_awaiting_retry, lambda orion, run: orion.advance(run, Running())),
    "Scheduled again": Kind(
        _awaiting_retry,
        lambda orion, run: orion.judge(run.id, Scheduled(clock.now()), expected_seq=run.state.seq),
    ),
    "Cancelling": Kind(_running, lambda orion, run: orion.cancel(run.id)),
    "Cancelled at once": Kind(_waiting, lambda orion, run: orion.cancel(run.id)),
    "Cancelled": Kind(
        _cancelling, lambda orion, run: orion.advance(run, Completed(), retriable=False)
    ),
    "Completed, and somebody has moved it": Kind(
        _moved, lambda orion, run: orion.advance(run, Completed())
    ),
    "refused, since it has finished": Kind(
        _completed, lambda orion, run: orion.advance(run, Failed("late"))
    ),
    "a proposal with an id": Kind(
        lambda orion: orion.begin(_new(orion))[0],
        lambda orion, run: orion.judge(run.id, state("RUNNING"), transition_id="once"),
    ),
    "set by hand": Kind(
        _completed,
        lambda orion, run: orion.force(run.id, Pending(), by="me", why="to see"),
    ),
    "Crashed, as its process is gone": Kind(_left, lambda orion, run: orion.reap(), 2, alone=True),
    "Crashed, as somebody says": Kind(
        lambda orion: orion.judge(orion.begin(_new(orion))[0].id, state("RUNNING"))[0],
        lambda orion, run: orion.judge(run.id, Crashed("gone")),
    ),
    "four in one transaction": Kind(_running, _together),
    "AwaitingSlot": Kind(_slot_taken, lambda orion, run: orion.begin(run, Running()), alone=True),
    "Running, refused until there is a slot": Kind(
        lambda orion: orion.begin(_slot_taken(orion), Running())[0],
        lambda orion, run: orion.advance(run, Running()),
        alone=True,
    ),
    "Running in a slot": Kind(
        _slot_free_again, lambda orion, run: orion.advance(run, Running()), alone=True
    ),
    "Completed, and out of its slot": Kind(
        lambda orion: orion.begin(_new(orion, policy=DB), Running())[0],
        lambda orion, run: orion.advance(run, Completed()),
        alone=True,
    ),
    "Cached": Kind(_cached, lambda orion, run: orion.begin(run, Running(cache_key="k"))),
    "Running, refused while another computes it": Kind(
        _being_filled,
        lambda orion, run: orion.begin(run, Running(cache_key="k")),
        alone=True,
    ),
    "Completed, and in the cache": Kind(
        lambda orion: orion.begin(_new(orion), Running(cache_key="k2"))[0],
        lambda orion, run: orion.advance(run, Completed(result="1", cache_key="k2")),
        alone=True,
    ),
    "Paused": Kind(_running, lambda orion, run: orion.advance(run, Paused())),
    "Paused, as somebody asks": Kind(_running, lambda orion, run: orion.pause(run.id)),
    "Running after a pause": Kind(_paused, lambda orion, run: orion.resume(run.id)),
    "Running after an answer": Kind(_asking, lambda orion, run: orion.resume(run.id, {"x": 1})),
    "Completed while it was paused": Kind(
        _paused, lambda orion, run: orion.advance(run, Completed())
    ),
    "TimedOut in a pause": Kind(
        lambda orion: orion.advance(_running(orion), Paused(clock.now()))[0],
        lambda orion, run: orion.resume(run.id),
    ),
    "Rerunning": Kind(_completed, lambda orion, run: orion.advance(run, Running(), rerun=True)),
    "Scheduled, to be rerun": Kind(
        _completed,
        lambda orion, run: orion.judge(run.id, Scheduled(clock.now()), rerun=True),
    ),
    "Completed, and the next is begun": Kind(
        _running,
        lambda orion, run: orion.put_all(
            [Proposal(run, Completed()), Proposal(_new(orion), Running())]
        ),
    ),
    "Crashed, to be retried": Kind(
        lambda orion: orion.begin(_new(orion, policy=RunPolicy(retry_crashes=1)), Running())[0],
        lambda orion, run: orion.advance(run, Crashed("gone")),
    ),
    "Failed, to be rerun from its upstream": Kind(
        lambda orion: orion.begin(
            _new(orion, parent=_running(orion).id, policy=RunPolicy(rerun_from="above")), Running()
        )[0],
        lambda orion, run: orion.advance(run, Failed("oh")),
    ),
    "Completed too late": Kind(
        lambda orion: orion.begin(_new(orion, policy=RunPolicy(sla=0.0)), Running())[0],
        lambda orion, run: orion.advance(run, Completed()),
    ),
    "Submitting": Kind(_deployed, lambda orion, run: orion.claim(1), alone=True),
    "Submitting, and another is cancelled for it": Kind(
        _overtaken, lambda orion, run: orion.claim(1), alone=True
    ),
    "Scheduled, as its runner is gone": Kind(
        _submitting_left, lambda orion, run: orion.reap(), commits=2, alone=True
    ),
    "made by a schedule": Kind(_due, lambda orion, run: orion.schedule_due(), alone=True),
    "a request with a key": Kind(_running, _requested),
    "a batch": Kind(_running, _batch),
    "pruned": Kind(
        _old,
        lambda orion, run: orion.prune(older_than="0s"),
        commits=3,  # the tree, what is left of it, and room given back to the disk
        alone=True,
        forgets=True,
    ),
}
