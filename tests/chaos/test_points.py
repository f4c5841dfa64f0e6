"""A process is killed before and after each SQL step of each kind of transition.

Either all of the transition has happened or nothing, and which of both is decided by its COMMIT
alone. The next process, which is killed at the next step, ends what this one has left and goes on.
"""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.chaos.checker import check, read
from tests.chaos.kinds import KINDS

KILLED = -9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["before", pytest.param("after", marks=pytest.mark.slow)])
def test_a_kill_at_any_sql_step(nursery, home, tmp_path, kind, side):
    told = tmp_path / "told.json"
    home.mkdir()

    def checked(at, **more):
        history = None if KINDS[kind].forgets else places(at)["history"]
        return check(at / "orion.db", history, **more)

    def act(at, **where):
        status = nursery.run("tests.chaos.dying:act", **places(at), kind=kind, told=told, **where)
        asked = json.loads(told.read_text())
        return status, asked, stands(at / "orion.db", asked["run"])

    status, done, after = act(home / "whole")
    assert status == 0
    status, _, before = act(home / "none", step=1, side="before")
    assert status == KILLED
    steps = done["steps"]
    commits = [at for at, step in enumerate(steps, 1) if step == "COMMIT" and writes(steps, at)]
    assert len(commits) == KINDS[kind].commits
    points = [(step, side) for step in range(1, len(steps) + 1)]
    points += [(commit, "after") for commit in commits if side == "before"]
    for step, when in points:
        point = f"{step} {when} {steps[step - 1]}"
        at = home / (f"{step} {when}" if KINDS[kind].alone else "killed")
        status, _, found = act(at, step=step, side=when)
        assert status == KILLED, point
        passed = sum(commit < step or (commit, when) == (step, "after") for commit in commits)
        assert found == (after if passed else before), point
        if found is not None:
            assert checked(at) == [], point
        alone = KINDS[kind].alone and (side == "after" or found is None)
        if alone or (step, when) == points[-1]:
            assert nursery.run("tests.chaos.workload:go_on", **places(at)) == 0, point
            assert checked(at, settled=True) == [], point
    print(f"{len(points)} points: {', '.join(step.partition(' ')[0] for step in steps)}")


def places(at):
    """The data folder, and its history."""
    return {"home": at, "history": at.with_suffix(".jsonl")}


def writes(steps, commit):
    """The COMMIT at this place ends a transaction that writes."""
    begins = [step for step in steps[:commit] if step.startswith("BEGIN")]
    return begins[-1:] == ["BEGIN IMMEDIATE"]


def stands(database, run):
    """Where a run, by id or name, stands: its state, how many there were, what was refused."""
    if not database.exists():
        return None
    try:
        runs = read(database).runs
    except sqlite3.OperationalError:  # not even the tables are there
        return None
    return [
        (row["seq"], row["state_name"], row["blocked"] is not None, row["marks"])
        for key, row in runs.items()
        if run in (key, row["name"])
    ]
