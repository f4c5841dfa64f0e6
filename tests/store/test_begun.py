"""A write in two halves: one thread does the work, another waits for the disk."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from orion_nb.errors import StoreUnavailable
from orion_nb.store.schema import SCHEMA_VERSION
from tests.store.rows import keys, put


def test_what_is_begun_is_there_once_it_is_finished(database):
    begun = database.begin_all([put(1), put(2)])
    assert keys(database) == []
    thread = threading.Thread(target=database.finish, args=[begun])
    thread.start()
    thread.join()
    assert [job.error for job in begun] == [None, None]
    assert keys(database) == [1, 2]


def test_others_write_behind_it(database):
    begun = database.begin_all([put(1)])
    other = threading.Thread(target=database.write, args=[put(2)])
    other.start()
    assert database.begin_all([put(3)]) is None
    database.finish(begun)
    other.join()
    assert keys(database) == [1, 2]


def test_nothing_is_begun_while_another_program_writes(database):
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert database.begin_all([put(1)]) is None
    other.execute("COMMIT")
    other.close()
    database.write(put(2))
    assert keys(database) == [2]


def test_nothing_is_begun_in_a_file_that_was_upgraded_meanwhile(database):
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("PRAGMA user_version=1000")
    assert database.begin_all([put(1)]) is None
    with pytest.raises(StoreUnavailable, match="has schema 1000"):
        database.write(put(1))
    other.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    other.close()
    database.write(put(2))
    assert keys(database) == [2]


def test_nothing_is_begun_while_the_log_is_moved(database):
    fcntl = pytest.importorskip("fcntl")
    with database.path.with_name(database.path.name + ".checkpoint").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert database.begin_all([put(1)]) is None
    database.write(put(2))
    assert keys(database) == [2]


@pytest.mark.parametrize("error", [LookupError, sqlite3.OperationalError, KeyboardInterrupt])
def test_of_works_that_fail_nothing_stays(database, error):
    def fail(tx):
        raise error("no")

    try:
        assert database.begin_all([put(1), fail]) is None
    except KeyboardInterrupt:
        assert error is KeyboardInterrupt
    database.write(put(2))
    assert keys(database) == [2]


def test_what_cant_be_committed_is_an_error_and_nothing_stays(database, monkeypatch):
    begun = database.begin_all([put(1)])
    monkeypatch.setattr(database, "_patiently", _full)
    database.finish(begun)
    monkeypatch.undo()
    assert isinstance(begun[0].error, StoreUnavailable)
    assert "disk is full" in str(begun[0].error)
    database.write(put(2))
    assert keys(database) == [2]


def test_a_closed_database_begins_nothing(database):
    database.close()
    assert database.begin_all([put(1)]) is None


def _full(statement):
    raise sqlite3.OperationalError("database or disk is full")
