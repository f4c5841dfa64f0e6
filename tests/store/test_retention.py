"""Old runs are forgotten with all that belongs to them, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orion_nb.api.orion import Orion
from orion_nb.errors import InvalidInput
from orion_nb.schemas.states import PAUSED, Failed, Running, state
from orion_nb.store import retention, tables
from tests.chaos.checker import check
from tests.store.forgetting import DAY, later, names


def rows(orion):
    """How many rows each table has."""
    return {name: count for name, count in orion.read_database()["rows"].items() if count}


def test_nothing_is_left_of_a_tree_that_is_old(orion, make, clock, home):
    later(orion, clock, 0, "first")
    alone = rows(orion)
    make()
    run = orion.filter_runs(kind="task")["runs"][0]["id"]
    folder = orion.settings.notebooks / run
    folder.mkdir(parents=True)
    (folder / "notebook.ipynb").write_text("{}")
    later(orion, clock, 91)
    told = orion.prune()
    assert (told["runs"], told["trees"], told["folders"]) == (4, 2, 1)
    assert names(orion) == ["newest"]
    # Reports in which no rule had a word to say are few, and remembered by all who write.
    assert {**rows(orion), "reports": 0} == {**alone, "reports": 0}
    assert not folder.exists()
    assert check(orion.database.path) == []
    assert orion.prune()["runs"] == 0


def test_every_table_that_names_a_run_is_seen_to():
    """A table that is new must be thought of here."""
    named = {t.name for t in tables.metadata.sorted_tables if "run" in t.c}
    assert named == {*retention._OF_RUN, "states"}


def test_a_dry_run_says_what_would_go(orion, make, clock):
    make()
    later(orion, clock, 91)
    before = rows(orion)
    told = orion.prune(dry_run=True)
    assert (told["runs"], told["trees"], told["dry_run"]) == (3, 1, True)
    assert rows(orion) == before


def test_what_is_young_unfinished_or_pinned_stays(orion, make, clock):
    make("pinned")
    orion.pin(orion.find("pinned1").id, why="it is a task of it")
    half = make("half")
    orion.begin(orion.new_run("task", "open", parent=half.id), None)
    waits, _ = orion.begin(orion.new_run("flow", "paused"), Running())
    orion.advance(waits, state(PAUSED))
    clock.advance(60 * DAY)
    make("young")
    later(orion, clock, 31)
    told = orion.prune()
    assert told["runs"] == 0
    assert told["stayed"] == {"pinned": 1, "unfinished": 1}
    assert orion.unpin(orion.find("pinned1").id)["was_pinned"] is True
    assert orion.unpin(orion.find("pinned1").id)["was_pinned"] is False
    assert orion.prune()["trees"] == 1
    assert names(orion) == ["half", "newest", "paused", "young"]
    assert check(orion.database.path) == []


def test_the_newest_of_each_flow_can_be_kept(orion, make, clock):
    for n in range(4):
        make("a")
        make("b", end=Failed("oh") if n else None)
    later(orion, clock, 1)
    assert orion.prune(keep_last=2, dry_run=True)["trees"] == 4
    assert orion.prune(keep_last=2, states=["Failed"])["trees"] == 1
    assert orion.prune(keep_last=2, older_than="2d")["trees"] == 0
    assert orion.prune(keep_last=2)["trees"] == 3
    assert names(orion) == ["a", "a", "b", "b", "newest"]
    assert check(orion.database.path) == []


@pytest.mark.parametrize("word", ["completed", "COMPLETED", "Completed"])
def test_only_runs_that_ended_in_some_states_can_go(orion, make, clock, word):
    make("good")
    make("bad", end=Failed("oh"))
    later(orion, clock, 91)
    orion.prune(states=[word])
    assert names(orion) == ["bad", "newest"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"older_than": "90x"}, "older_than: '90x' is not a duration"),
        ({"states": ["running"]}, "states: no run ends as 'running'"),
        ({"keep_last": -1}, "keep_last: -1 is negative"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(orion, asked, message):
    with pytest.raises(InvalidInput, match=message):
        orion.prune(**asked)


def test_the_tree_of_the_newest_event_stays_so_that_numbers_go_on(orion, make):
    make()
    last = orion.last_event()
    told = orion.prune(older_than="0s", keep_last=0)
    assert told["trees"] == 0
    later_run, _ = orion.begin(orion.new_run("flow", "g"), Running())
    assert later_run.state.n > last


def test_a_result_that_the_cache_gave_out_of_late_stays(orion, make, clock):
    """A cached result whose last use is as old as its run is forgotten with it."""
    make("used", tasks=1, cache_key="k1")
    make("unused", tasks=1, cache_key="k2")
    clock.advance(60 * DAY)
    task, _ = orion.begin(orion.new_run("task", "again"), Running(cache_key="k1"))
    assert task.state.name == "Cached"
    later(orion, clock, 60)
    told = orion.prune()
    assert told["stayed"] == {"in the cache": 1}
    assert names(orion) == ["newest", "used"]
    assert orion.prune(older_than="10d")["stayed"] == {}


def test_edges_from_runs_that_stay_are_cut(orion, make, clock):
    make("old", tasks=1)
    task = orion.find("old0")
    clock.advance(91 * DAY)
    orion.begin(orion.new_run("task", "uses it"), Running(), [(task.id, "x")])
    orion.prune()
    assert names(orion) == []
    assert rows(orion).get("edges", 0) == 0
    assert check(orion.database.path) == []


def test_a_large_tree_goes_in_pieces_and_what_was_broken_off_is_taken_up_again(
    orion, make, clock, monkeypatch
):
    run = make("large", tasks=30)
    later(orion, clock, 91)
    deleted = orion.database.write(lambda tx: retention.delete_some(tx, run.id, 10))
    assert len(deleted.runs) == 10
    assert run.id not in deleted.runs
    assert check(orion.database.path) == []
    monkeypatch.setattr(retention, "BATCH", 7)
    assert orion.prune()["runs"] == 21
    assert names(orion) == ["newest"]


def test_a_tree_that_is_rerun_meanwhile_stays(orion, make, clock, monkeypatch):
    run = make()
    later(orion, clock, 91)
    reason, asked = retention.why_it_stays, []

    def rerun_first(connection, root, before):
        found = reason(connection, root, before)
        if not asked:
            asked.append(root)
            orion.judge(run.id, Running(), rerun=True)
        return found

    monkeypatch.setattr(retention, "why_it_stays", rerun_first)
    assert orion.prune()["runs"] == 0
    assert orion.find(run.id).state.name == "Rerunning"


def test_others_write_while_old_runs_are_forgotten(orion, other, make, clock):
    from concurrent.futures import ThreadPoolExecutor

    for n in range(20):
        make(f"old{n}", tasks=5)
    later(orion, clock, 91)
    with ThreadPoolExecutor(2) as pool:
        pruned = pool.submit(orion.prune)
        made = [other.begin(other.new_run("flow", "new"), Running())[0] for _ in range(200)]
        assert pruned.result()["trees"] == 20
    assert {other.find(run.id).state.name for run in made} == {"Running"}
    assert check(orion.database.path) == []


def test_reports_sessions_and_answers_that_nobody_needs_go(orion, make, clock):
    third = Orion(orion.settings)
    run, _ = third.begin(third.new_run("flow", "odd"), Running())
    third.advance(run, replace(Failed("oh"), reason="a reason of its own"))
    third.close()
    orion.reap()
    row = ("key", "POST /runs", "d", 201, "{}", clock.at)
    orion.database.write(lambda tx: tx.execute("INSERT INTO requests VALUES (?,?,?,?,?,?)", row))
    before = rows(orion)
    later(orion, clock, 91)
    orion.prune()
    after = rows(orion)
    assert after["sessions"] == before["sessions"]  # the third's went, ours came
    assert after.get("requests", 0) == 0
    assert check(orion.database.path) == []
