"""What was acknowledged is in the file, however its process ended, by kill -9 at any moment too."""

from __future__ import annotations

import os
import signal
import sqlite3
import time

import pytest

from tests.chaos.checker import check, read
from tests.chaos.workload import LIMITS, shared_ids

#: How many processes are killed; `ORION_CHAOS` says for how many, of which five share a file.
KILLS = 5 * (int(os.environ.get("ORION_CHAOS") or 0) or 3)
EACH = 5
FLOWS = int(os.environ.get("ORION_CHAOS") or 4)


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing(nursery, home, chance):
    """Threads, flows, retries, submitted tasks; from the first moment, when there is no file."""
    told = 0
    home.mkdir()
    for kill in range(KILLS):
        folder = home / str(kill // EACH)
        places = {"home": folder, "history": folder.with_suffix(".jsonl")}
        if kill % EACH == 0:
            shared = shared_ids()
        seed = chance.randrange(10**9)
        nursery.start("tests.chaos.workload:mixed", **places, seed=seed, seconds=60, shared=shared)
        time.sleep(chance.uniform(0, 0.05 if kill % EACH == 0 else 0.4))
        assert nursery.kill() == -signal.SIGKILL
        file = folder / "orion.db"
        if holds_tables(file):
            assert check(file, places["history"], limits=LIMITS) == [], kill
        assert nursery.run("tests.chaos.workload:go_on", **places) == 0, kill
        assert check(file, places["history"], settled=True) == [], kill
        told += len(read(file).states) if kill % EACH == EACH - 1 else 0
    print(f"{KILLS} kills, {told} states")


@pytest.mark.slow
def test_a_process_that_is_killed_does_not_disturb_another(nursery, other_nursery, home, chance):
    """One process goes on while others are killed beside it; then all is in order."""
    home.mkdir()
    places = {"home": home / "data", "history": home / "history.jsonl", "shared": shared_ids()}
    function = "tests.chaos.workload:mixed"
    other_nursery.start(function, **places, seed=chance.randrange(10**9), seconds=4)
    for _ in range(EACH):
        nursery.start(function, **places, seed=chance.randrange(10**9), seconds=60)
        time.sleep(chance.uniform(0.05, 0.4))
        nursery.kill()
    assert other_nursery.end() == 0
    del places["shared"]
    assert nursery.run("tests.chaos.workload:go_on", **places) == 0
    assert check(home / "data" / "orion.db", places["history"], settled=True) == []


def holds_tables(file):
    """The process came so far as to make them."""
    if not file.exists():
        return False
    try:
        read(file)
    except sqlite3.OperationalError:
        return False
    return True


def names_in(home):
    """The names of all states of each run, by its id; the file is in order."""
    file = home / "orion.db"
    assert check(file) == []
    return {run: [state.name for state in chain] for run, chain in read(file).chains.items()}


FLOW = """
    import os, sys
    from orion_nb import flow, get_run_context, task

    def told(word, run_id):
        os.write(1, f"{run_id} {word}\\n".encode())

    @task
    def nothing(n):
        told("Running", get_run_context().run.id)
        return get_run_context().run.id

    @flow
    def three_hundred():
        told("Running", get_run_context().run.id)
        for n in range(300):
            told("Completed", nothing(n))
        return get_run_context().run.id

    told("Completed", three_hundred())
"""


def kill_after(process, lines, delay):
    """Kills a script once it has told so many lines; answers all that it told."""
    told = [process.stdout.readline() for _ in range(lines)]
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().splitlines(keepends=True)
    assert all(line.endswith("\n") for line in told)
    return [line.split() for line in told]


@pytest.mark.slow
def test_a_flow_of_300_tasks_that_is_killed_has_lost_nothing(script, home, orion, chance):
    """Whatever its code has seen to happen is in the file; a reaper ends the rest."""
    cut = []
    for _ in range(FLOWS):
        told = kill_after(script(FLOW), chance.randrange(602), chance.uniform(0, 0.002))
        cut.append(len(told))
        kept = names_in(home)
        for run, word in told:
            assert word in kept[run], (run, word)
    print("lines told:", cut)
    assert min(cut) < 602, "all were killed too late to tell"
    orion.reap()
    for states in names_in(home).values():
        assert states[-1] in ("Completed", "Crashed")


@pytest.mark.parametrize(
    "ending",
    ["", "os._exit(0)", "sys.exit(3)", "raise SystemExit", "os.kill(os.getpid(), 9)", "1 / 0"],
)
def test_a_script_that_ends_at_once_has_lost_nothing(script, home, ending):
    """It ends on the line after the flow, in any way."""
    process = script(FLOW + "\n    " + ending)
    told = [line.split() for line in process.communicate(timeout=60)[0].splitlines()]
    assert len(told) == 602
    kept = names_in(home)
    assert len(kept) == 301
    assert set(map(tuple, kept.values())) == {("Pending", "Running", "Completed")}
    assert {run for run, word in told if word == "Completed"} == set(kept)


SUBMITTED = """
    import os
    from orion_nb import flow, task

    @task
    def nothing(n):
        return n

    @flow
    def many():
        assert sum(future.result() for future in nothing.map(range(300))) == 44850

    many()
    os._exit(0)
"""


def test_tasks_that_were_submitted_at_once_have_lost_nothing(script, home):
    process = script(SUBMITTED)
    _, trouble = process.communicate(timeout=60)
    assert process.returncode == 0, trouble
    kept = names_in(home)
    assert len(kept) == 301
    assert {states[-1] for states in kept.values()} == {"Completed"}
