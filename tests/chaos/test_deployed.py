"""Whatever is killed at whatever moment: no deployed run is lost, doubled or stuck."""

from __future__ import annotations

import json
import os
import time
from collections import Counter

import pytest

from orion_nb.deployments.files import notebook_of
from orion_nb.store.listing import RunFilter
from tests.chaos.checker import check
from tests.chaos.deployed import kill, make_due, runs_of
from tests.chaos.victims import MID, SPARE, ends_of_attempts, explain, never_began, strike, table

#: How many of each are killed.
KILLS = int(os.environ.get("ORION_CHAOS") or 1)
#: Seconds until the run of a killed kernel or runner is Crashed.
SOON = 5.0
TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
#: Seconds without any change after which a run is stuck.
STUCK = 60.0
#: How often a run of each deployment is tried again after a crash.
RETRIES = {"steady": 0, "again": 2}
#: So many runs are under way, or about to be, while something is killed.
BUSY = 3
#: So many instants are behind a deployment for each worker that is killed.
INSTANTS = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 60 * KILLS)]


@pytest.fixture
def told_in_the_end(orion, battle, home):
    """Waits until nothing is left to do, and says what is wrong; answers all runs."""

    def ask(kills=(), wanted=1):
        wait_for_all(orion, wanted)
        battle.end()
        deadline = time.monotonic() + 10
        while (stray := list(battle.processes())) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert stray == [], "processes are left"
        assert list(battle.scratch.glob("orion-kernel-*")) == []
        assert check(home / "orion.db") == []
        runs = [run for name in RETRIES for run in runs_of(orion, name)]
        waits = explain(orion, kills, runs)
        check_history(orion, battle, runs)
        return runs, waits

    return ask


def wait_for_all(orion, wanted):
    """Until there are so many runs and all have ended.

    On a busy machine that may take a while, but something happens.
    """
    seen, moved = None, time.monotonic()
    while True:
        runs = [run for name in RETRIES for run in runs_of(orion, name)]
        left = [run for run in runs if run.state.type not in TERMINAL]
        if not left and len(runs) >= wanted:
            return
        if (now := [len(runs), *((run.id, run.state.seq) for run in left)]) != seen:
            seen, moved = now, time.monotonic()
        assert time.monotonic() - moved < STUCK, f"stuck: {[str(run.state) for run in left]}"
        time.sleep(0.1)


def check_history(orion, battle, runs):
    """Each attempt has begun once at most; those that completed have done all, once."""
    begun, done = Counter(battle.noted("begun")), Counter(battle.noted("done"))
    assert max(begun.values()) == 1, "doubled"
    assert max(done.values()) == 1
    for run in runs:
        ended = ends_of_attempts(orion, run.id)
        last = f"{run.id}.{run.attempt}"
        if run.state.type == "COMPLETED":
            assert sorted(ended) == list(range(1, run.attempt))
            assert (begun[last], done[last]) == (1, 1)
        else:
            assert run.state.type == "CRASHED", str(run.state)
            tried = list(range(1, RETRIES[run.name] + 2))
            told = sorted(ended) == tried or never_began(orion, run.id)
            assert told, "it was to be retried"
        # A runner that is killed while its first cell has hardly begun has not saved anything yet.
        kept = notebook_of(orion.settings, run.id)
        assert kept is not None or run.state.type == "CRASHED"
        assert kept is None or json.loads(kept.read_text())["cells"]


def seen_to_end(orion, killed):
    """Waits until the attempt is over that was killed."""
    deadline = time.monotonic() + STUCK
    while killed.attempt not in ends_of_attempts(orion, killed.run):
        assert time.monotonic() < deadline, f"{killed}: {orion.find(killed.run).state} for ever"
        time.sleep(0.02)


def test_of_what_is_killed_the_run_crashes_at_once_and_no_other(
    orion, battle, told_in_the_end, chance
):
    """Each kill is explained: what it was that was killed, and what became of its run."""
    path = str(battle.write_notebook())
    for name, retries in RETRIES.items():
        orion.create_deployment(name, path, retry_crashes=retries)
    for _ in range(2):
        battle.start(concurrency=1)
    kills, done = [], battle.folder / "done.txt"

    def attack(victim, among):
        left = sum(
            run.state.type not in TERMINAL
            for run in orion.list_runs(RunFilter(kind="flow"), 2 * BUSY)
        )
        for _ in range(BUSY - left):
            orion.run_deployment(chance.choice(list(RETRIES)))
        killed = strike(orion, victim, battle.choose(among), done)
        kills.extend([killed] if killed else [])
        if killed and killed.must_end:
            seen_to_end(orion, killed)

    def struck(victim, stage):
        return sum((each.victim, each.stage) == (victim, stage) for each in kills)

    chosen = {"kernel": battle.kernels, "runner": battle.runners}
    busy = {"kernel": battle.busy_kernels, "runner": battle.busy_runners}
    while min(struck(victim, MID) for victim in chosen) < KILLS:
        for victim in chosen:
            # A worker makes do without spare ones for a minute after one was killed.
            is_spared = struck("kernel", SPARE) + struck("runner", SPARE) >= KILLS
            attack(victim, (busy if is_spared else chosen)[victim])
            time.sleep(chance.uniform(0, 2))

    runs, waits = told_in_the_end(kills)

    print(f"{len(runs)} runs: {dict(Counter(str(run.state.type) for run in runs))}")
    print(table(kills, waits))
    assert max(waits["kernel"] + waits["runner"]) < SOON


def test_workers_are_killed_and_no_run_suffers(orion, battle, told_in_the_end, chance):
    """Their runs go on to their end, and what is due is started by another, or by a new one."""
    path = battle.write_notebook()
    for name, retries in RETRIES.items():
        make_due(orion, name, path, INSTANTS * KILLS, retry_crashes=retries)
    for _ in range(2):
        battle.start()
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, 5))
        kill(battle.choose(battle.owners))
        time.sleep(chance.uniform(0, 1))
        battle.start()

    wanted = len(RETRIES) * INSTANTS * KILLS
    runs, _ = told_in_the_end(wanted=wanted)

    states = Counter(str(run.state.type) for run in runs)
    print(f"{KILLS} kills of a worker; {len(runs)} runs: {dict(states)}")
    assert states == {"COMPLETED": wanted}
    assert len({(run.name, run.scheduled_time) for run in runs}) == len(runs)
