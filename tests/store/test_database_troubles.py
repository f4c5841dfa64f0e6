"""What is wrong with a file is said, with a remedy, and the file stays whole."""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orion_nb.errors import StoreUnavailable
from orion_nb.store.database import Database
from orion_nb.store.schema import SCHEMA_VERSION
from tests.store.rows import keys, put
from tests.waiting import until


def test_a_closed_database_says_so(database):
    database.close()
    database.close()
    with pytest.raises(StoreUnavailable, match="was closed"):
        database.write(put(1))
    with pytest.raises(StoreUnavailable, match="was closed"), database.read():
        pass


def test_a_file_that_is_no_database_is_named_with_a_remedy(home):
    home.mkdir()
    path = home / "orion.db"
    path.write_bytes(b"What is this?" * 1000)
    with pytest.raises(StoreUnavailable, match=r"orion\.db.*file is not a database.*put a backup"):
        Database(path)
    assert path.read_bytes() == b"What is this?" * 1000


def test_a_page_that_is_damaged_is_told_from_a_bug(database):
    for n in range(200):
        database.write(put(n, "x" * 4000))
    database.close()
    raw = bytearray(database.path.read_bytes())
    middle = len(raw) // 2  # the beginning has what tells which tables there are
    raw[middle : middle + 4096 * 50] = b"\xff" * 4096 * 50
    database.path.write_bytes(raw)
    damaged = Database(database.path)
    with pytest.raises(StoreUnavailable, match=r"malformed.*put a backup"):
        keys(damaged)
    with pytest.raises(StoreUnavailable, match=r"malformed.*put a backup"):
        damaged.write(lambda tx: tx.execute("SELECT * FROM reports").fetchall())
    damaged.close()


def test_a_folder_that_cant_be_made_is_named_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="ORION_NB_HOME to a folder on a local disk"):
        Database(tmp_path / "file" / "orion.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named_with_a_remedy(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(StoreUnavailable, match="ORION_NB_HOME to a folder"):
        Database(tmp_path / "locked" / "orion.db")


def test_a_newer_schema_is_left_alone(database):
    database.close()
    with sqlite3.connect(database.path) as newer:
        newer.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    newer.close()
    with pytest.raises(StoreUnavailable, match=f"schema {SCHEMA_VERSION + 1}.*upgrade orion_nb"):
        Database(database.path)


def test_a_schema_that_could_not_be_made_whole_is_made_anew(home, monkeypatch):
    """The disk is full, say, after the first table: nothing of it stays."""
    from orion_nb.store import schema as module

    whole = module.SCHEMA
    monkeypatch.setattr(module, "SCHEMA", (*whole[:3], "CREATE NONSENSE"))
    with pytest.raises(StoreUnavailable):
        Database(home / "orion.db")
    monkeypatch.setattr(module, "SCHEMA", whole)
    made = Database(home / "orion.db")
    made.write(put(1))
    made.close()


def test_another_writer_is_waited_for(database):
    """Somebody holds the file for a while: the write is made as soon as it is free."""
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(database.write, put(1))
        until(lambda: database._owner.locked())
        assert keys(database) == []  # readers are not in the way
        other.execute("COMMIT")
        waiting.result(timeout=30)
    other.close()
    assert keys(database) == [1]


def test_a_file_that_stays_locked_is_told_after_a_while(database, monkeypatch):
    monkeypatch.setattr("orion_nb.store.database.LOCK_PATIENCE", 0.1)
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="is locked"):
        database.write(put(1))
    other.execute("ROLLBACK")
    other.close()
    database.write(put(1))
    assert keys(database) == [1]


def test_a_full_disk_fails_the_write_and_leaves_the_file_whole(database):
    database.write(put(1))
    database._writer.execute("PRAGMA max_page_count=40")
    with pytest.raises(StoreUnavailable, match="full; free some space"):
        database.write(put(2, "x" * 1_000_000))
    assert keys(database) == [1]
    database.write(put(3))
    assert keys(database) == [1, 3]


def test_the_file_is_private(database):
    assert database.path.stat().st_mode & 0o077 == 0
    assert database.path.parent.stat().st_mode & 0o077 == 0


def test_without_wal_readers_and_writers_wait_for_one_another(home, monkeypatch):
    """As on a network file system."""
    monkeypatch.setattr("orion_nb.store.database.journal_mode", lambda path: "delete")
    slow = Database(Path(home) / "orion.db")
    numbers = range(200)

    def one(n):
        slow.write(put(n))
        return len(keys(slow))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, numbers))
    assert keys(slow) == list(numbers)
    slow.close()


def test_one_that_was_upgraded_meanwhile_is_written_by_no_older_orion(database):
    database.write(put(1))
    newer = sqlite3.connect(database.path)
    newer.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    newer.close()
    with pytest.raises(
        StoreUnavailable,
        match=rf"has schema {SCHEMA_VERSION + 1}, .* has {SCHEMA_VERSION}; upgrade orion_nb, and",
    ):
        database.write(put(2))
    assert keys(database) == [1]
