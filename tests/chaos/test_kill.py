"""What was acknowledged is in the file, however its process ended, by kill -9 at any moment too."""

from __future__ import annotations

import os
import signal
import time

import pytest

KILLS = 20

# Each line goes straight into the pipe as soon as the transition it tells of was acknowledged.
PROPOSALS = """
    import os, threading
    from orion_nb.api.connect import connect
    from orion_nb.schemas.runs import RunPolicy
    from orion_nb.schemas.states import Completed, Failed, Running

    orion = connect()

    def told(run):
        os.write(1, f"{run.id} {run.state.seq} {run.state.name}\\n".encode())
        return run

    def work():
        while True:
            run = orion.new_run("task", "t", policy=RunPolicy(1), parameters={"x": "y" * 200})
            run = told(orion.begin(run, Running())[0])
            run = told(orion.advance(run, Failed("oh"))[0])
            run = told(orion.advance(run, Running())[0])
            told(orion.advance(run, Completed())[0])

    for _ in range(3):
        threading.Thread(target=work).start()
"""

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
def test_proposals_that_were_acknowledged_survive_kill_9(script, check, home, chance):
    """Three threads propose, and are killed: each transition that was told of is there."""
    acknowledged = {}
    for _ in range(KILLS):
        process = script(PROPOSALS)
        for run, seq, name in kill_after(process, chance.randrange(400), chance.uniform(0, 0.005)):
            acknowledged.setdefault(run, {})[int(seq)] = name
    kept = check(home)
    for run, states in acknowledged.items():
        assert {seq: kept[run][seq - 1] for seq in states} == states
    print(f"{sum(map(len, acknowledged.values()))} transitions in {len(acknowledged)} runs")
    assert len(acknowledged) > KILLS


@pytest.mark.slow
def test_a_flow_of_300_tasks_that_is_killed_has_lost_nothing(script, check, home, orion, chance):
    """Whatever its code has seen to happen is in the file; a reaper ends the rest."""
    cut = []
    for _ in range(KILLS):
        told = kill_after(script(FLOW), chance.randrange(602), chance.uniform(0, 0.002))
        cut.append(len(told))
        kept = check(home)
        for run, word in told:
            assert word in kept[run], (run, word)
    print("lines told:", cut)
    assert sum(length < 602 for length in cut) > KILLS / 2, "it was killed too late to tell"
    orion.reap()
    for states in check(home).values():
        assert states[-1] in ("Completed", "Crashed")


@pytest.mark.parametrize(
    "ending",
    ["", "os._exit(0)", "sys.exit(3)", "raise SystemExit", "os.kill(os.getpid(), 9)", "1 / 0"],
)
def test_a_script_that_ends_at_once_has_lost_nothing(script, check, home, ending):
    """It ends on the line after the flow, in any way."""
    process = script(FLOW + "\n    " + ending)
    told = [line.split() for line in process.communicate(timeout=60)[0].splitlines()]
    assert len(told) == 602
    kept = check(home)
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


def test_tasks_that_were_submitted_at_once_have_lost_nothing(script, check, home):
    process = script(SUBMITTED)
    _, trouble = process.communicate(timeout=60)
    assert process.returncode == 0, trouble
    kept = check(home)
    assert len(kept) == 301
    assert {states[-1] for states in kept.values()} == {"Completed"}
