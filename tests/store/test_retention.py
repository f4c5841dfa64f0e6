"""Old runs are forgotten with all that belongs to them, and nothing else is."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orion_nb.api.orion import Orion
from orion_nb.errors import InvalidInput
from orion_nb.schemas.states import PAUSED, Completed, Failed, Running, state
from orion_nb.store import kept, retention, tables
from orion_nb.store.database import PAGE_SIZE
from orion_nb.store.sources import Copies
from tests.chaos.checker import check

DAY = 24 * 3600
KEY = "ab" * 32
RESULT = json.dumps({"key": KEY, "serializer": "json", "size": 3}, separators=(",", ":"))


@pytest.fixture
def make(orion, clock):
    """A tree of runs that ended now: a flow with tasks, each with a row in many tables."""

    def one(name="f", tasks=2, end=None, result=RESULT, cache_key=None):
        clock.advance(1)  # ids sort by the time they were made
        flow, _ = orion.begin(orion.new_run("flow", name), Running())
        before = None
        for n in range(tasks):
            upstream = [(before.id, "x")] if before else []
            run = orion.new_run("task", f"{name}{n}", parent=flow.id)
            run, _ = orion.begin(run, Running(cache_key=cache_key), upstream)
            _furnish(orion, run.id, clock.at)
            run, _ = orion.advance(run, Completed(result=result, cache_key=cache_key))
            before = run
        return orion.advance(flow, end or Completed())[0]

    return one


def _furnish(orion, run_id, now):
    key = bytes.fromhex(run_id)

    def work(tx):
        tx.execute("INSERT INTO logs VALUES (NULL, ?, ?, 20, 'x', 'hello')", (key, now))
        row = (os.urandom(16), key, "k", None, now, 2, "{}")
        tx.execute("INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        kept.put_inputs(tx, run_id, RESULT, 1, now)
        kept.put_problem(tx, run_id, "inputs", "why", None, now)
        tx.execute("INSERT INTO pauses (run, key, asked) VALUES (?, 'k', ?)", (key, now))

    orion.database.write(work)


def rows(orion):
    """How many rows each table has."""
    return {name: count for name, count in orion.read_database()["rows"].items() if count}


def names(orion):
    return sorted(run["name"] for run in orion.filter_runs(kind="flow")["runs"])


def later(orion, clock, days, newest="newest"):
    """So many days later somebody runs something else."""
    clock.advance(days * DAY)
    run, _ = orion.begin(orion.new_run("flow", newest), Running())
    orion.advance(run, Completed())


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


def test_stored_values_go_when_no_run_refers_to_them(orion, make, clock):
    path = orion.settings.home / "results" / KEY[:2] / KEY[2:4] / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    make("a")
    clock.advance(60 * DAY)
    make("b")
    later(orion, clock, 60)
    os.utime(path, (0, 0))
    assert orion.prune()["results"] == 0
    assert path.exists()
    clock.advance(60 * DAY)
    assert orion.prune()["results"] == 1
    assert not path.exists()


def test_a_value_that_was_stored_just_now_stays(orion, make, clock):
    path = orion.settings.home / "results" / KEY[:2] / KEY[2:4] / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    make("a")
    later(orion, clock, 91)
    os.utime(path, (clock.at / 1e6 - 60,) * 2)
    orion.prune()
    assert path.exists()


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


def test_pruning_gives_the_room_back_and_says_how_much(orion, other, make, clock):
    for n in range(10):
        make(f"f{n}", tasks=40)
    later(orion, clock, 91)
    told = orion.prune()
    assert orion.read_database()["free"] == 0
    assert told["after"] == orion.read_database()["size"] < told["before"] / 2
    assert check(orion.database.path) == []
    assert names(orion) == names(other) == ["newest"]
    assert other.database.write(retention.give_back) is False


def test_the_room_is_given_back_in_small_steps(orion, make, clock):
    for n in range(10):
        make(f"f{n}", tasks=40)
    orion.database.write(lambda tx: tx.execute("DELETE FROM states"))
    free, steps = orion.read_database()["free"], 0
    while orion.database.write(lambda tx: retention.give_back(tx, pages=7)):
        steps += 1
        left = orion.read_database()["free"]
        assert 0 < free - left <= 7 * PAGE_SIZE
        free = left
    assert steps > 3
    assert orion.read_database()["free"] == 0


def test_a_file_of_before_can_be_given_back_after_a_vacuum(tmp_path, make, clock, orion):
    orion.database.write(lambda tx: None)
    with closing(sqlite3.connect(orion.database.path, isolation_level=None)) as old:
        old.execute("PRAGMA auto_vacuum=NONE")
        old.execute("VACUUM")
    for n in range(5):
        make(f"f{n}", tasks=40)
    later(orion, clock, 91)
    assert orion.prune()["runs"] == 5 * 41
    assert orion.read_database()["free"] > 0
    retention.tidy(orion.database.path, vacuum=True)
    assert orion.read_database()["free"] == 0
    with orion.database.read() as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert check(orion.database.path) == []


def at(url, key=KEY):
    told = {"key": key, "serializer": "json", "size": 3, "url": url}
    return json.dumps(told, separators=(",", ":"))


def test_values_on_other_storage_go_like_those_in_a_folder(orion, make, clock):
    import fsspec

    keys = [f"{n:02x}" * 32 for n in range(3)]
    storage, root = fsspec.url_to_fs(f"memory://{os.urandom(4).hex()}")
    paths = [f"{root}/{key[:2]}/{key[2:4]}/{key}" for key in keys]
    for path in paths:
        storage.pipe_file(path, b"x")
        storage.store[path].modified = datetime(2026, 1, 1, tzinfo=UTC)
    make("old", result=at(f"memory:/{root}", keys[0]))
    make("fresh", result=at(f"memory:/{root}", keys[1]))
    later(orion, clock, 91)
    make("kept", result=at(f"memory:/{root}", keys[2]))
    storage.store[paths[1]].modified = datetime.fromtimestamp(clock.at / 1e6, UTC)
    told = orion.prune()
    assert (told["results"], told["errors"]) == (1, [])
    assert [storage.exists(path) for path in paths] == [False, True, True]


def test_storage_that_fails_is_noted_and_fails_nothing(orion, make, clock):
    url = "nowhere://bucket"
    for n in range(8):
        make(f"f{n}", result=at(url, f"{n:02x}" * 32))
    later(orion, clock, 91)
    told = orion.prune()
    assert (told["trees"], told["results"], len(told["errors"])) == (8, 0, 5)
    assert told["errors"][0].startswith("result 000000000000 stays: ")
    assert told["errors"][-1].endswith("; no more were tried there")


def test_pinned_copies_go_when_no_deployment_and_no_run_needs_them(orion, clock, tmp_path):
    path = tmp_path / "flow.py"
    copies = orion.copies

    def pinned(text):
        path.write_text(f"from orion_nb import flow\n@flow\ndef f():\n    {text}\n", "utf-8")
        given = {"track": "pinned", "update": True}
        return orion.create_deployment("f", f"{path}:f", **given)["source"]["pinned"]

    ran, unused, current = pinned("1"), pinned("2"), pinned("3")
    run, _ = orion.begin(orion.new_run("flow", "f"), Running())
    orion.note_source(run.id, 1, str(path), ran, "pinned")
    orion.advance(run, Completed())
    waits, _ = orion.begin(orion.new_run("flow", "f"), Running())
    clock.advance(1)
    later(orion, clock, 30)
    for name in copies.names():
        os.utime(copies.path(name), (0, 0))
    assert orion.prune()["sources"] == 1
    assert sorted(copies.names()) == sorted({ran, current})
    orion.advance(waits, Completed())
    later(orion, clock, 91, "newer")
    assert orion.prune()["sources"] == 1
    assert copies.names() == [current]
    assert copies.read(current)
    assert unused not in copies.names()


@pytest.mark.parametrize("moment", ["before it is moved away", "after that"])
def test_a_deployment_that_is_pinned_anew_while_copies_go_keeps_its_own(
    tmp_path, monkeypatch, moment
):
    copies = Copies(tmp_path / "sources")
    name = copies.keep(b"a")
    os.utime(copies.path(name), (0, 0))
    move = Path.replace

    def pinned_meanwhile(self, target):
        monkeypatch.undo()
        if moment == "after that":
            move(self, target)
        assert copies.keep(b"a") == name
        return target if moment == "after that" else move(self, target)

    monkeypatch.setattr(Path, "replace", pinned_meanwhile)
    copies.remove(name, before=3600.0)
    assert copies.read(name) == b"a"
    assert copies.path(name).stat().st_mtime > 3600.0
    assert [each.name for each in copies.folder.iterdir()] == [name]
    os.utime(copies.path(name), (0, 0))
    assert copies.remove(name, before=3600.0)
    assert list(copies.folder.iterdir()) == []
