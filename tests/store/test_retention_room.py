"""The room that old runs leave: given back to the disk, with the values and copies they had."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orion_nb.schemas.states import Completed, Running
from orion_nb.store import retention
from orion_nb.store.schema import PAGE_SIZE
from orion_nb.store.sources import Copies
from tests.chaos.checker import check
from tests.store.forgetting import DAY, KEY, later, names


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


def test_values_in_another_folder_go_too(orion, make, clock, tmp_path):
    keys = [f"{n:02x}" * 32 for n in range(2)]
    paths = [tmp_path / "elsewhere" / key[:2] / key[2:4] / key for key in keys]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    url = f"file://{tmp_path}/elsewhere"
    make("old", result=at(url, keys[0]))
    later(orion, clock, 91)
    make("kept", result=at(url, keys[1]))
    told = orion.prune()
    assert (told["results"], told["errors"]) == (1, [])
    assert [path.exists() for path in paths] == [False, True]


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
