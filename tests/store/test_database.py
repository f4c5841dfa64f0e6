"""One SQLite file, many writers: nothing is lost, nothing is locked, nothing is half-written."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from orion_nb.errors import Conflict, InvalidInput
from orion_nb.store.database import Database
from tests.store.rows import keys, put
from tests.waiting import until


def test_what_is_written_is_read_by_another_connection_at_once(database):
    database.write(put(1))
    with sqlite3.connect(database.path) as other:
        assert other.execute("SELECT digest FROM reports").fetchall() == [(1,)]
    other.close()


def test_work_that_raises_writes_nothing_and_its_error_reaches_the_caller(database):
    def work(tx):
        put(1)(tx)
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        database.write(work)
    assert keys(database) == []


def test_a_row_that_is_there_already_is_a_conflict(database):
    database.write(put(1))
    with pytest.raises(Conflict, match="written already"):
        database.write(put(1))


@pytest.mark.parametrize("value", ["\ud800", 2**64])
def test_a_value_that_the_file_cant_hold_is_refused(database, value):
    with pytest.raises(InvalidInput, match=r"no text|too large"):
        database.write(put(1, value))
    assert keys(database) == []


def test_sixteen_threads_lose_nothing(database):
    numbers = range(16 * 50)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: database.write(put(n)), numbers))
    assert keys(database) == list(numbers)


def test_those_who_wait_are_committed_together(database):
    """While one transaction runs, four more ask: they all share the next one."""
    commits = []
    database._writer.set_trace_callback(lambda sql: commits.append(sql))
    ours = threading.Event()

    def slow(tx):
        ours.set()
        until(lambda: len(database._queue) == 5)
        put(0)(tx)

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(database.write, slow)
        assert ours.wait(60)
        rest = [pool.submit(database.write, put(n)) for n in range(1, 5)]
        for each in [first, *rest]:
            each.result()
    database._writer.set_trace_callback(None)
    assert commits.count("COMMIT") == 2
    assert keys(database) == [0, 1, 2, 3, 4]


def test_in_a_shared_transaction_each_work_fails_for_itself(database):
    ours = threading.Event()

    def slow(tx):
        ours.set()
        until(lambda: len(database._queue) == 4)

    def failing(tx):
        put(100)(tx)
        raise LookupError("mine")

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(database.write, slow)
        assert ours.wait(60)
        good = pool.submit(database.write, put(1))
        until(lambda: len(database._queue) == 2)
        bad = pool.submit(database.write, failing)
        twice = pool.submit(database.write, lambda tx: (put(2)(tx), put(2)(tx)))
        first.result()
        good.result()
        with pytest.raises(LookupError, match="mine"):
            bad.result()
        with pytest.raises(Conflict):
            twice.result()
    assert keys(database) == [1]


def test_an_interrupt_within_work_leaves_nothing_half_written(database):
    def work(tx):
        put(1)(tx)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.write(work)
    database.write(put(2))
    assert keys(database) == [2]


def test_an_interrupt_of_the_writer_does_not_lose_or_repeat_the_work_of_others(database):
    """Of three that share a transaction one is interrupted; the other two are written once."""
    ours, strikes = threading.Event(), [KeyboardInterrupt]

    def slow(tx):
        ours.set()
        until(lambda: len(database._queue) == 4)

    def failing(tx):
        raise LookupError("mine")

    def struck(tx):
        if strikes:
            raise strikes.pop()
        put(7)(tx)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(database.write, slow)
        assert ours.wait(60)
        works = [pool.submit(database.write, work) for work in (put(1), failing, struck)]
        first.result()
        raised = {type(each.exception(timeout=30)) for each in works}
    # Whoever wrote for the three was interrupted, and its own work is not done.
    assert KeyboardInterrupt in raised
    assert keys(database) == [key for key in (1, 7) if works[key // 7 * 2].exception() is None]


@pytest.mark.parametrize("line", ["before", "after"])
def test_an_interrupt_around_the_commit_does_a_work_once(database, line, monkeypatch):
    """Whether the commit happened is seen; a waiting work is neither lost nor done twice."""
    ours, done = threading.Event(), []
    commit = database._patiently

    def interrupting(statement):
        if line == "after":
            commit(statement)
        monkeypatch.undo()
        raise KeyboardInterrupt

    def work(tx):
        put(len(done))(tx)
        done.append(1)

    def slow(tx):
        ours.set()
        until(lambda: len(database._queue) == 3)
        monkeypatch.setattr(database, "_patiently", lambda s: (commit(s), stub()))

    def stub():
        monkeypatch.setattr(database, "_patiently", interrupting)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(database.write, slow)
        assert ours.wait(60)
        both = [pool.submit(database.write, work) for _ in range(2)]
        first.result()
        raised = [each.exception(timeout=30) for each in both]
    assert [type(error) for error in raised if error] == [KeyboardInterrupt]
    # Committed before the interrupt: both are in the file. Interrupted before: the one that was
    # not interrupted is.
    assert len(keys(database)) == (2 if line == "after" else 1)


def test_few_connections_are_kept_however_many_read_at_once(database):
    with ExitStack() as reading:
        for _ in range(20):
            reading.enter_context(database.read())
    assert len(database._readers._idle) == 8
    assert keys(database) == []


def test_its_version_changes_with_every_commit_of_anybody(database):
    seen = [database.version()]
    assert database.version() == seen[0]
    database.write(put(1))
    seen.append(database.version())
    other = Database(database.path)
    other.write(put(2))
    other.close()
    seen.append(database.version())
    with pytest.raises(LookupError):
        database.write(lambda tx: {}[0])
    assert database.version() == seen[-1]
    assert len(set(seen)) == 3


def test_a_transaction_that_an_interrupt_left_open_is_rolled_back(database):
    """As when the interrupt comes just before the rollback."""
    database._writer.execute("BEGIN IMMEDIATE")
    put(1)(database._writer)
    database.write(put(2))
    assert keys(database) == [2]
