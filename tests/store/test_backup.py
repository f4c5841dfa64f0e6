"""Copies of the database: whole, though others write; and put back only where nobody is at work."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from orion_nb.api.orion import Orion
from orion_nb.errors import Conflict, InvalidInput, StoreUnavailable
from orion_nb.schemas.states import Completed, Running
from orion_nb.store import backup
from orion_nb.store.backup import back_up, restore
from tests.chaos.checker import check


@pytest.fixture
def path(orion):
    """The database of a process that has ended, with one run."""
    one(orion, "first")
    orion.close()
    with closing(Orion(orion.settings)) as reaper:
        reaper.reap()
    return orion.database.path


def one(orion, name):
    run, _ = orion.begin(orion.new_run("flow", name), Running())
    orion.advance(run, Completed())


def names(settings):
    with closing(Orion(settings)) as opened:
        return sorted(run["name"] for run in opened.filter_runs()["runs"])


def test_a_copy_that_is_made_while_others_write_is_whole(orion, other, tmp_path):
    stop, written = threading.Event(), threading.Event()

    def write():
        while not stop.is_set():
            one(other, "busy")
            written.set()

    def copied(n):
        written.clear()
        assert written.wait(60)  # the next is being written by now
        return back_up(orion.database.path, tmp_path / f"{n}.db")

    for _ in range(300):
        one(orion, "before")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [copied(n) for n in range(5)]
    finally:
        stop.set()
        writer.join()
    assert [copy.runs for copy in copies] == sorted(copy.runs for copy in copies)
    for copy in copies:
        assert copy.runs > 300
        assert check(copy.path) == []
        assert copy.path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []


def test_a_copy_that_fails_leaves_nothing_and_an_older_one_as_it_was(path, tmp_path, monkeypatch):
    target = tmp_path / "b.db"
    target.write_text("an older copy")
    monkeypatch.setattr(
        backup, "_examined", lambda draft: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(StoreUnavailable, match="full"):
        back_up(path, target)
    assert target.read_text() == "an older copy"
    assert [each.name for each in tmp_path.iterdir() if "draft" in each.name] == []


def test_a_backup_can_be_put_back_and_what_was_there_is_kept(orion, path, tmp_path):
    copy = back_up(path, tmp_path / "b.db")
    with closing(Orion(orion.settings)) as again:
        one(again, "second")
    aside = restore(copy.path, path)
    assert names(orion.settings) == ["first"]
    with closing(sqlite3.connect(aside)) as old:
        assert old.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    with closing(sqlite3.connect(path)) as found:
        assert found.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert restore(copy.path, path) != aside


def test_a_backup_is_put_where_there_was_nothing(orion, path, tmp_path, monkeypatch):
    copy = back_up(path, tmp_path / "b.db")
    target = tmp_path / "new" / "orion.db"
    assert restore(copy.path, target) is None
    assert check(target) == []


@pytest.mark.parametrize("has_session", [True, False])
def test_nothing_is_put_back_while_somebody_uses_the_database(orion, path, tmp_path, has_session):
    copy = back_up(path, tmp_path / "b.db")
    with closing(Orion(orion.settings, label="server")) as user:
        if has_session:
            one(user, "second")
        with pytest.raises(Conflict, match="is in use"):
            restore(copy.path, path)
        one(user, "third")
    assert "third" in names(orion.settings)
    assert restore(copy.path, path)
    assert names(orion.settings) == ["first"]


def test_a_damaged_database_can_be_replaced_and_a_damaged_copy_can_not(orion, path, tmp_path):
    copy = back_up(path, tmp_path / "b.db")
    path.write_bytes(b"x" * 5000)
    aside = restore(copy.path, path)
    assert aside.read_bytes() == b"x" * 5000
    assert names(orion.settings) == ["first"]
    data = bytearray(copy.path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    copy.path.write_bytes(data)
    with pytest.raises(InvalidInput, match="is no backup, or a damaged one"):
        restore(copy.path, path)
    assert names(orion.settings) == ["first"]


def test_what_is_no_backup_is_refused(path, tmp_path):
    with pytest.raises(InvalidInput, match="there is no file"):
        restore(tmp_path / "none.db", path)
    with pytest.raises(InvalidInput, match="is the database itself"):
        restore(path, path)
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(InvalidInput, match="file is not a database"):
        restore(tmp_path / "text", path)
    copy = back_up(path, tmp_path / "b.db").path
    with closing(sqlite3.connect(copy)) as newer:
        newer.execute("PRAGMA user_version=99")
    with pytest.raises(InvalidInput, match="has schema 99, this orion_nb"):
        restore(copy, path)
