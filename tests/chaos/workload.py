"""What processes do while they are killed: a bit of everything, in several threads, as one likes.

The functions are called in a process of their own (see nursery.py), and write down what they ask
and are told (see recording.py). What they do is chosen by a seed.
"""

from __future__ import annotations

import faulthandler
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api.answers import Proposal
from orion_nb.api.orion import Orion
from orion_nb.engine.flows import flow
from orion_nb.engine.tasks import task
from orion_nb.errors import Conflict, Fenced
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import (
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Lost,
    NotReady,
    Paused,
    Pending,
    Running,
    Scheduled,
    Skipped,
    State,
    TimedOut,
    UpstreamFailed,
)
from orion_nb.settings import Settings
from orion_nb.store.listing import RunFilter
from tests.chaos.mutants import MUTANTS, REAPERS
from tests.chaos.recording import History, record

REFUSED = (Conflict, Fenced)
#: The limits that some runs are subject to, and where the keys of the cache begin.
LIMITS = {"db": 2}
CACHE = "key "
#: A thread that goes on so long after the end hangs (seconds).
PATIENCE = 20.0


def open_orion(home: str, history: History) -> Orion:
    """Orion on this folder; what is proposed from now on is written down."""
    os.environ["ORION_NB_HOME"] = home
    record(history)
    return Orion(Settings.load(home=Path(home)))


def mixed(
    home: str,
    history: str,
    seed: int,
    seconds: float,
    shared: Sequence[str] = (),
    mutant: str | None = None,
    flows: bool = True,
) -> None:
    """Threads that propose, on runs of their own and on shared ones, and one that runs flows."""
    if mutant is not None:
        MUTANTS[mutant].change()
    written = History(Path(history))
    try:
        orion = open_orion(home, written)
    except Exception as error:
        written.failed(written.asked("open", ""), error)
        raise
    lives = [
        plain_lives,
        doubled,
        contested,
        upstreams,
        slots,
        slots,
        caches,
        pauses,
        reruns,
        reaping,
    ]
    if shared:
        lives += [arena, arena, counting]
    if flows:
        lives.append(some_flows)
    until = time.monotonic() + seconds
    patience = PATIENCE if mutant is None else PATIENCE / 10
    threads = [
        threading.Thread(
            target=_keep_on,
            args=(life, orion, random.Random(f"{seed} {i}"), shared, until, written),
        )
        for i, life in enumerate(lives)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until + patience - time.monotonic()))
        if thread.is_alive():
            written.failed(written.asked(thread.name, ""), TimeoutError("it hangs"))
            if mutant is None:
                faulthandler.dump_traceback()
            return
    orion.close()


def _keep_on(
    life: Callable[..., None],
    orion: Orion,
    chance: random.Random,
    shared: Sequence[str],
    until: float,
    written: History,
) -> None:
    memory: dict[str, Run] = {}
    while time.monotonic() < until:
        try:
            life(orion, chance, shared, memory)
        except Exception as error:  # the checker will tell of it; the others go on
            written.failed(written.asked(life.__name__, ""), error)


def plain_lives(orion: Orion, chance: random.Random, *_: Any) -> None:
    """A run is begun, fails, is retried, and completes; sometimes it must wait, or has used up."""
    delay = chance.choice([0.0, 0.0, 0.005])
    policy = RunPolicy(chance.randrange(3), (delay,))
    text = "y" * chance.randrange(300)
    run = orion.new_run("task", "plain", policy=policy, parameters={"x": text})
    run, _ = orion.begin(run, Running())
    for _ in range(3):
        if run.state.type != "RUNNING":
            time.sleep(delay / 2)
            run, _ = orion.advance(run, Running())
            continue
        run, _ = orion.advance(run, chance.choice([Failed("oh"), Completed()]))
        if run.state.is_terminal:
            return
    if run.state.type == "RUNNING":
        following = Proposal(orion.new_run("task", "plain"), Running())
        _, (run, _) = orion.put_all([Proposal(run, Completed()), following])
        orion.advance(run, Completed())


def doubled(orion: Orion, chance: random.Random, *_: Any) -> None:
    """The same run is written twice: the second time is refused, and leaves nothing behind."""
    run = orion.new_run("task", "doubled", tags=("x",))
    first = chance.choice([None, Running(), Scheduled(clock.now() + 10_000)])
    run, _ = orion.begin(run, first)
    rare = chance.choice([Lost, Skipped, TimedOut, UpstreamFailed])
    with suppress(Conflict):
        orion.begin(replace(run, state=Pending()), rare())
    orion.begin(orion.new_run("task", "rare"), rare())
    name = f"once-{chance.randrange(10)}"
    for _ in range(2):
        orion.judge(run.id, Cancelling(message="enough"), transition_id=name)


def contested(orion: Orion, chance: random.Random, *_: Any) -> None:
    """A run has two attempts; the owner of the first one does not know, and goes on."""
    run, _ = orion.begin(orion.new_run("task", "contested", policy=RunPolicy(2)), Running())
    first = run
    if chance.random() < 0.3:
        orion.cancel(run.id)
    else:
        orion.advance(run, Failed("once"))
        orion.advance(orion.find(run.id), Running())
    with suppress(Fenced):
        orion.advance(first, chance.choice([Completed(), Failed("stale"), Running()]))
    now = orion.find(run.id)
    if not now.state.is_terminal:
        orion.advance(now, Completed())


def upstreams(orion: Orion, chance: random.Random, *_: Any) -> None:
    """A run waits for another, asks too early, and is started in time."""
    above, _ = orion.begin(orion.new_run("task", "above"), Running())
    below, _ = orion.begin(
        orion.new_run("task", "below"), NotReady(message="above"), [(above.id, "x")]
    )
    below, _ = orion.advance(below, Running())
    orion.advance(above, chance.choice([Completed(), Failed()]))
    below, _ = orion.advance(below, Running())
    if not below.state.is_terminal:
        orion.advance(below, Completed())


def slots(orion: Orion, chance: random.Random, *_: Any) -> None:
    """A run waits for one of two slots, and then for a third of a millisecond in it."""
    policy = RunPolicy(1, concurrency=tuple(LIMITS.items()))
    run, _ = orion.begin(orion.new_run("task", "slots", policy=policy), Running())
    while run.state.type == "SCHEDULED":
        time.sleep(chance.uniform(0, 0.005))
        proposed = Running() if chance.random() < 0.98 else Cancelling()
        run, _ = orion.advance(run, proposed)
    if run.state.type == "RUNNING":
        time.sleep(chance.uniform(0, 0.0006))
        run, _ = orion.advance(run, chance.choice([Completed(), Failed("oh"), Cancelling()]))
    if not run.state.is_terminal:
        orion.advance(run, Cancelled())


def caches(orion: Orion, chance: random.Random, *_: Any) -> None:
    """A result is computed, by one at a time, or found."""
    key = f"{CACHE}{chance.randrange(3)}"
    policy = RunPolicy(cache_expires=0.05)
    run, _ = orion.begin(orion.new_run("task", "cached", policy=policy), Running(cache_key=key))
    while run.state.type == "PENDING":
        time.sleep(0.001)
        run, _ = orion.advance(run, Running(cache_key=key))
    if not run.state.is_terminal:
        orion.advance(run, Completed(result="1", cache_key=key))


def pauses(orion: Orion, chance: random.Random, *_: Any) -> None:
    """A run is paused, by itself or from outside, and resumed, or not."""
    policy = RunPolicy(concurrency=tuple(LIMITS.items()))
    run, _ = orion.begin(orion.new_run("task", "paused", policy=policy), Running())
    while run.state.type == "SCHEDULED":
        time.sleep(0.001)
        run, _ = orion.advance(run, Running())
    if chance.random() < 0.5:
        run, _ = orion.advance(run, Paused())
    else:
        orion.pause(run.id)
    if chance.random() < 0.7:
        orion.resume(run.id)
    orion.advance(run, chance.choice([Completed(), Failed("oh")]))


def reruns(orion: Orion, chance: random.Random, *_: Any) -> None:
    """A run that has ended is opened again, and has its retries again."""
    run, _ = orion.begin(orion.new_run("task", "rerun", policy=RunPolicy(1)), Running())
    run, _ = orion.advance(run, Completed())
    for _ in range(chance.randrange(3)):
        run, _ = orion.advance(run, Running(), rerun=True)
        run, _ = orion.advance(run, Failed("oh"))
        run, _ = orion.advance(run, Running())
        run, _ = orion.advance(run, Failed("oh"))


def reaping(orion: Orion, *_: Any) -> None:
    """What is left of those who were killed is ended."""
    orion.reap()
    time.sleep(0.02)


def arena(
    orion: Orion, chance: random.Random, shared: Sequence[str], memory: dict[str, Run]
) -> None:
    """Anything is proposed for a run that others propose for as well."""
    run_id = chance.choice(shared[1:])
    known = memory.get(run_id) or _found(orion, run_id)
    by_hand = {"by": "chance", "why": "to see what happens"}
    ways: list[Callable[[], Any]] = [
        lambda: orion.advance(known, Running()),
        lambda: orion.advance(known, Completed()),
        lambda: orion.advance(known, Failed("oh")),
        lambda: orion.judge(known.id, _any_state(chance), expected_seq=known.state.seq),
        lambda: orion.judge(known.id, _any_state(chance), claims=known.attempt, token=known.token),
        lambda: orion.judge(known.id, Cancelling(), transition_id=f"t{chance.randrange(20)}"),
        lambda: orion.force(known.id, _any_state(chance), **by_hand),
    ]
    try:
        memory[run_id] = chance.choice(ways)()[0]
    except REFUSED:
        memory[run_id] = _found(orion, run_id)
    if memory[run_id].state.is_terminal:
        memory[run_id] = orion.force(run_id, Pending(), **by_hand)[0]


def counting(orion: Orion, chance: random.Random, shared: Sequence[str], _: Any) -> None:
    """A number that is read and written is counted up, if nobody was faster."""
    run = _found(orion, shared[0])
    count = int(run.state.message or 0) + 1
    with suppress(Conflict):
        orion.judge(run.id, NotReady(message=str(count)), expected_seq=run.state.seq)


def some_flows(orion: Orion, chance: random.Random, *_: Any) -> None:
    """A flow with tasks that are called, submitted and retried."""
    failing = chance.randrange(6)

    @task(retries=1)
    def step(n: int, *after: Any) -> int:
        if n == failing and chance.random() < 0.7:
            raise ValueError("not now")
        return n

    @flow
    def several() -> int:
        futures = step.map(range(4))
        last = step.submit(5, *futures)
        return sum(step(n) for n in range(2)) + last.result()

    several.run()


def _found(orion: Orion, run_id: str) -> Run:
    """The shared run; the first one who looks for it writes it."""
    made = replace(orion.new_run("task", "shared", policy=RunPolicy(2)), id=run_id, root=run_id)
    with suppress(Exception):
        return orion.find(run_id)
    with suppress(Conflict):
        return orion.begin(made, None)[0]
    return orion.find(run_id)


def _any_state(chance: random.Random) -> State:
    soon = clock.now() + chance.randrange(5000)
    kinds = [Pending, NotReady, Running, Completed, Failed, Crashed, Cancelling]
    return chance.choice([*(kind() for kind in kinds), Scheduled(soon)])


def crowd(home: str, history: str, seconds: float, size: int, shared: Sequence[str]) -> None:
    """So many processes write, and one more only reads, for so many seconds."""
    lives = [writing] * size + [reading]
    children = []
    for number, life in enumerate(lives):
        child = os.fork()
        if child == 0:
            written = History(Path(history))
            _keep_alone(life, home, written, random.Random(number), shared, seconds)
        children.append(child)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert statuses == [0] * len(lives), statuses


def _keep_alone(
    life: Callable[..., None],
    home: str,
    written: History,
    chance: random.Random,
    shared: Sequence[str],
    seconds: float,
) -> None:
    """A process that does nothing else; it ends here."""
    try:
        orion = open_orion(home, written)
        _keep_on(life, orion, chance, shared, time.monotonic() + seconds, written)
        orion.close()
        os._exit(0)
    finally:
        os._exit(1)


def writing(
    orion: Orion, chance: random.Random, shared: Sequence[str], memory: dict[str, Run]
) -> None:
    """Runs of its own, and a number that all count up."""
    plain_lives(orion, chance)
    counting(orion, chance, shared, memory)


def reading(
    orion: Orion, chance: random.Random, shared: Sequence[str], memory: dict[str, Run]
) -> None:
    """It looks at what others do, again and again; what it sees is never older than before."""
    orion.health()
    for run in orion.list_runs(RunFilter(), 20):
        told = orion.read_states(run.id)["states"]
        assert [state["seq"] for state in told] == list(range(1, len(told) + 1))
        assert len(told) >= run.state.seq
    _found(orion, shared[0])
    time.sleep(0.01)


def go_on(home: str, history: str, mutant: str | None = None) -> None:
    """The next process: it ends what was left, and its own work goes well."""
    if mutant is not None:
        REAPERS[mutant].change()
    orion = open_orion(home, History(Path(history)))
    orion.reap()
    run, _ = orion.begin(orion.new_run("task", "next"), Running())
    after, _ = orion.advance(run, Completed())
    assert after.state.name == "Completed"
    orion.close()


def shared_ids(count: int = 4) -> list[str]:
    """Ids for runs that several processes share; the first one is that which counts."""
    return [new_id() for _ in range(count)]
