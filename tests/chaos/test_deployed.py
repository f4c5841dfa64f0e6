"""Whatever is killed at whatever moment: no deployed run is lost, doubled or stuck."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from orion_nb.clock import SECOND
from tests.chaos.checker import check
from tests.chaos.deployed import Battle, kill, runs_of

#: How many of each are killed.
KILLS = int(os.environ.get("ORION_CHAOS") or 2)
#: Seconds until the run of a killed kernel or runner is Crashed.
SOON = 5.0
TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
#: Seconds without any change after which a run is stuck.
STUCK = 60.0
EVERY = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 60 * KILLS)]


@pytest.fixture
def battle(orion, home, chance):
    scratch = Path(tempfile.mkdtemp(prefix="o-", dir="/tmp"))  # sockets need a short name
    made = Battle(home, scratch / "t", chance)
    orion.create_deployment(
        "steady", str(made.write_notebook()), schedules=[f"{EVERY}s"], catch_up="all"
    )
    yield made
    made.forsake()
    shutil.rmtree(scratch)


@pytest.fixture
def told_in_the_end(orion, battle, home):
    """Waits until nothing is left to do, and says what is wrong."""

    def ask(killed):
        orion.pause_deployment("steady")
        _wait_for_all(orion)
        battle.end()
        deadline = time.monotonic() + 10
        while (stray := list(battle.processes())) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert stray == [], "processes are left"
        assert list(battle.scratch.glob("orion-kernel-*")) == []
        assert check(home / "orion.db") == []
        return _history(orion, battle, killed)

    return ask


def _wait_for_all(orion):
    """Until every run has ended; on a busy machine that may take a while, but something happens."""
    seen, moved = None, time.monotonic()
    while True:
        left = [run for run in runs_of(orion, "steady") if run.state.type not in TERMINAL]
        if not left:
            return
        if (now := [(run.id, run.state.seq) for run in left]) != seen:
            seen, moved = now, time.monotonic()
        assert time.monotonic() - moved < STUCK, f"stuck: {[str(run.state) for run in left]}"
        time.sleep(0.1)


def _history(orion, battle, killed):
    """Each instant had one run, each run was begun once, and only what was killed has crashed."""
    runs = runs_of(orion, "steady")
    slots = [run.scheduled_time for run in runs]
    assert max(Counter(slots).values()) == 1
    assert {(b - a) // SECOND for a, b in pairwise(sorted(slots))} <= {EVERY}, "a lost instant"
    ran = Counter((battle.folder / "ran.txt").read_text().split())
    assert max(ran.values()) == 1, "doubled"
    states = Counter(run.state.type for run in runs)
    assert set(states) <= {"COMPLETED", "CRASHED"}, states
    assert states["CRASHED"] <= killed, [str(run.state) for run in runs]
    for run in runs:
        assert run.attempt <= 1
        assert run.state.type != "COMPLETED" or ran[run.id] == 1
    return runs, states


def crash_of(orion, run_id):
    """Seconds until a run has crashed; None if it came to its end before."""
    began = time.monotonic()
    while (run := orion.find(run_id)).state.type not in TERMINAL:
        assert time.monotonic() - began < 60, f"{run.state} for ever"
        time.sleep(0.02)
    return time.monotonic() - began if run.state.type == "CRASHED" else None


@pytest.mark.parametrize("victim", ["kernel", "runner"])
def test_the_run_of_what_is_killed_crashes_at_once(orion, battle, told_in_the_end, chance, victim):
    battle.start()
    battle.start()
    waits = []
    for _ in range(KILLS):
        battle.choose(battle.kernels)
        time.sleep(chance.uniform(0, EVERY))
        if victim == "kernel":
            pid = battle.choose(battle.kernels)
            run = battle.run_of(pid)
        else:
            pid = battle.choose(battle.runners)
            run = battle.run_under(pid)
        kill(pid)
        if run and (passed := crash_of(orion, run)) is not None:
            waits.append(passed)
    print(f"{KILLS} kills of a {victim}; seconds until Crashed:", sorted(waits))

    runs, _ = told_in_the_end(KILLS)

    crashed = [str(run.state) for run in runs if run.state.type == "CRASHED"]
    assert all("signal 9" in state or "process is gone" in state for state in crashed), crashed
    assert max(waits, default=0.0) < SOON


@pytest.mark.parametrize("victim", ["worker", "server"])
def test_what_starts_runs_is_killed_and_no_run_suffers(battle, told_in_the_end, chance, victim):
    """Its runs go on to their end, and what is due is started by another, or when it is back."""
    for _ in range(2 if victim == "worker" else 1):
        battle.start(victim)
    for _ in range(KILLS):
        battle.choose(battle.kernels)
        time.sleep(chance.uniform(0, 2 * EVERY))
        kill(battle.choose(battle.owners))
        time.sleep(chance.uniform(0, 1))
        battle.start(victim)

    runs, states = told_in_the_end(0)

    print(f"{KILLS} kills of a {victim}; {len(runs)} runs: {dict(states)}")
