"""Several schedulers on one database, some of which die: each due instant has one run, and once."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

from tests.chaos.checker import check
from tests.chaos.deployed import BRIEF, kill, make_due, runs_of

#: How many schedulers are killed; if that is said, a thousand instants are due, else some.
KILLS = int(os.environ.get("ORION_CHAOS") or 2)
DEPLOYMENTS, INSTANTS = (50, 20) if os.environ.get("ORION_CHAOS") else (6, 3)
#: So many of their runs are executed by the servers; the others are cancelled.
SAMPLE = 100 if os.environ.get("ORION_CHAOS") else 6
SERVERS = 3
#: A scheduler dies at one of its first SQL steps: while it makes runs, or takes one.
STEPS = 24
#: Seconds without any change after which it is stuck.
STUCK = 120.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 60 * KILLS)]


@pytest.fixture
def due(orion, battle):
    """The names of deployments whose instants are all behind them; none has a run."""
    path = battle.write_notebook(BRIEF)
    names = [f"d{number}" for number in range(DEPLOYMENTS)]
    for name in names:
        make_due(orion, name, path, INSTANTS)
    return names


def slots_of(orion, names):
    """How many runs each instant of each deployment has."""
    return Counter((name, run.scheduled_time) for name in names for run in runs_of(orion, name))


def test_a_scheduler_that_is_killed_has_made_each_run_once_or_left_it_to_the_next(
    orion, battle, nursery, home, chance
):
    """Before and after an insert or a commit, between making runs and taking them, and then."""
    path, names = battle.write_notebook(BRIEF), []
    points = [{"point": "scheduled"}, {"point": "claimed"}]
    for number in range(KILLS + len(points)):
        for _ in range(2):  # as many as are written in one transaction
            names.append(f"d{len(names)}")
            make_due(orion, names[-1], path, INSTANTS)
        step = {"step": chance.randrange(1, STEPS), "side": chance.choice(["before", "after"])}
        where = step if number < KILLS else points[number - KILLS]
        assert nursery.run("tests.chaos.scheduling:schedule", home=home, **where) == -9, where
        assert check(home / "orion.db") == [], where
        assert set(slots_of(orion, names).values()) <= {1}, where
    assert nursery.run("tests.chaos.scheduling:schedule", home=home) == 0

    assert slots_of(orion, names).total() == len(names) * INSTANTS
    orion.reap()  # what those who died had taken
    taken = [run.id for part in iter(lambda: orion.claim(50), []) for run in part]
    assert len(taken) == len(set(taken)) == len(names) * INSTANTS
    print(f"{KILLS + len(points)} schedulers killed, {len(taken)} instants, each once")


def test_three_servers_one_of_which_is_killed_again_and_again(orion, due, battle, chance):
    """With a worker beside them: each instant has one run, and each run is executed once."""
    for _ in range(SERVERS):
        battle.start("server")
    began = time.monotonic()
    worker = battle.start().pid
    for _ in range(KILLS):
        killed = battle.choose(lambda: [pid for pid in battle.owners() if pid != worker])
        time.sleep(chance.uniform(0, 6))
        kill(killed)
        battle.start("server")
    wanted = DEPLOYMENTS * INSTANTS
    progress(battle, lambda: slots_of(orion, due).total() >= wanted and done(battle) >= SAMPLE)
    runs = [run for name in due for run in runs_of(orion, name)]
    for run in runs:
        if run.state.type == "SCHEDULED":
            orion.cancel(run.id)
    progress(battle, lambda: all(orion.find(run.id).state.is_terminal for run in runs))
    took = time.monotonic() - began
    battle.end()

    assert set(slots_of(orion, due).values()) == {1}
    runs = [run for name in due for run in runs_of(orion, name)]
    states = Counter(str(run.state.type) for run in runs)
    print(f"{KILLS} kills of {SERVERS} servers: {len(runs)} instants, {dict(states)}, {took:.0f} s")
    assert len(runs) == wanted
    assert set(states) <= {"COMPLETED", "CANCELLED"}, states
    completed = {f"{run.id}.1" for run in runs if run.state.type == "COMPLETED"}
    begun, ended = battle.noted("begun"), battle.noted("done")
    assert len(set(begun)) == len(begun), "doubled"
    assert completed <= set(begun) & set(ended)
    assert len(completed) >= SAMPLE
    assert check(battle.home / "orion.db") == []
    progress(battle, lambda: list(battle.processes()) == [])


def done(battle):
    """How many runs have come to their end."""
    return len(battle.noted("done"))


def progress(battle, question):
    """Waits until the answer is true, as long as anything happens."""
    seen, moved = None, time.monotonic()
    while not question():
        if (now := (battle.noted("begun"), battle.noted("done"))) != seen:
            seen, moved = now, time.monotonic()
        assert time.monotonic() - moved < STUCK, "stuck"
        time.sleep(0.2)
