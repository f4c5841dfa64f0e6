"""A process is killed before and after each SQL step of each kind of transition.

Either all of the transition has happened or nothing, and which of both is decided by its COMMIT
alone. The next process, which is killed at the next step, ends what this one has left and goes on.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.chaos.checker import check, read
from tests.chaos.kinds import KINDS
from tests.chaos.workload import shared_ids

KILLED = -9
#: All steps of what needs a file of its own each time, of an upgrade, and after which it is killed,
#: which is mostly before the next; else some, by chance.
IS_THOROUGH = bool(os.environ.get("ORION_CHAOS"))
SOME = 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["before", pytest.param("after", marks=pytest.mark.slow)])
def test_a_kill_at_any_sql_step(nursery, home, tmp_path, chance, kind, side):
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
    numbers = range(1, len(steps) + 1)
    if (KINDS[kind].alone or side == "after") and not IS_THOROUGH:
        numbers = sorted(chance.sample(numbers, min(SOME, len(steps))))
    points = [(step, side) for step in numbers]
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


@pytest.mark.slow
def test_a_kill_in_the_middle_of_an_upgrade(nursery, home, tmp_path, chance):
    """The file has the old schema with all its rows, or the new one; the next upgrade ends it."""
    places = {"home": home / "old", "history": home / "history.jsonl"}
    home.mkdir()
    working = {"seed": 1, "seconds": 0.5, "shared": shared_ids()}
    assert nursery.run("tests.chaos.workload:mixed", **places, **working) == 0
    assert nursery.run("tests.chaos.dying:make_older", home=home / "old") == 0
    rows = rows_of(home / "old" / "orion.db")
    assert rows["version"] == 1

    def upgrade(at, **where):
        shutil.copytree(home / "old", at, dirs_exist_ok=True)
        told = tmp_path / "told.json"
        status = nursery.run("tests.chaos.dying:upgrade", home=at, told=told, **where)
        return status, json.loads(told.read_text()), rows_of(at / "orion.db")

    status, done, after = upgrade(home / "whole")
    assert status == 0
    steps = done["steps"]
    commit = max(at for at, step in enumerate(steps, 1) if step == "COMMIT")
    points = [
        (step, "before") for step in chance.sample(range(1, commit), 20 if IS_THOROUGH else SOME)
    ]
    for step, side in [*points, (commit, "before"), (commit, "after")]:
        at = home / f"{step} {side}"
        status, _, found = upgrade(at, step=step, side=side)
        assert status == KILLED, (step, side)
        assert found == (after if (step, side) == (commit, "after") else rows), steps[step - 1]
        told = tmp_path / "told.json"
        assert nursery.run("tests.chaos.dying:upgrade", home=at, told=told) == 0
        assert rows_of(at / "orion.db") == after
        assert check(at / "orion.db", places["history"]) == []
        history = at / "history.jsonl"
        assert nursery.run("tests.chaos.workload:go_on", home=at, history=history) == 0
    print(f"{len(steps)} steps")


def rows_of(file):
    """How many rows each table has; and the number of the schema."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        sql = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        tables = [name for (name,) in connection.execute(sql)]
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in tables
        }
        return {**counts, "version": connection.execute("PRAGMA user_version").fetchone()[0]}


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
