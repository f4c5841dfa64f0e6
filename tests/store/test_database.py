"""One SQLite file, many writers: nothing is lost, nothing is locked, nothing is half-written."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from orion_nb.errors import Conflict, InvalidInput, StoreUnavailable
from orion_nb.store import checkpoints
from orion_nb.store.database import SCHEMA_VERSION, Database
from tests.waiting import until


@pytest.fixture
def database(home):
    opened = Database(home / "orion.db")
    yield opened
    opened.close()


def put(key, body="x"):
    return lambda tx: tx.execute("INSERT INTO reports (digest, body) VALUES (?, ?)", (key, body))


def keys(database):
    with database.read() as connection:
        rows = connection.execute("SELECT digest FROM reports ORDER BY digest").fetchall()
    return [row[0] for row in rows]


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


def test_a_real_interrupt_at_any_moment_leaves_whole_writes(script, finish, home):
    """Ctrl-C comes a hundred times while writing: each key has both of its rows, or none."""
    source = """
        import os, signal, threading, time, random
        from orion_nb.store.database import Database
        from pathlib import Path

        database = Database(Path(os.environ["ORION_NB_HOME"]) / "orion.db")
        told, stop = [], threading.Event()

        def strike():
            while not stop.is_set():
                time.sleep(random.uniform(0, 0.004))
                os.kill(os.getpid(), signal.SIGINT)

        def write(n):
            def work(tx):
                for digest in (n, -n):
                    tx.execute("INSERT INTO reports (digest, body) VALUES (?, 'x')", (digest,))
            database.write(work)

        def beside():
            for n in range(1_000_000, 1_000_400):
                write(n)

        other = threading.Thread(target=beside)
        striker = threading.Thread(target=strike, daemon=True)
        interrupted, n = 0, 1
        try:
            other.start()
            striker.start()
        except KeyboardInterrupt:
            pass
        while interrupted < 100 or other.is_alive():
            try:
                while True:
                    n += 1
                    write(n)
                    told.append(n)
                    if interrupted >= 100 and not other.is_alive():
                        break
            except KeyboardInterrupt:
                interrupted += 1
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop.set()
        with database.read() as connection:
            kept = {row[0] for row in connection.execute("SELECT digest FROM reports")}
        assert all(-key in kept for key in kept)
        assert set(told) <= kept
        assert set(range(1_000_000, 1_000_400)) <= kept
        print(interrupted, len(told))
    """
    interrupted, _ = finish(script(source)).split()
    assert int(interrupted) >= 100


def test_eight_processes_never_see_a_locked_database(script, finish, database):
    source = """
        import os, sys
        from orion_nb.store.database import Database
        from pathlib import Path

        path = Path(os.environ["ORION_NB_HOME"]) / "orion.db"
        for _ in range(10):  # closing and opening again: the last to close tidies up
            database = Database(path)
            def add(tx):
                body = int(tx.execute("SELECT body FROM reports").fetchone()[0])
                tx.execute("UPDATE reports SET body = ?", (str(body + 1),))
            for _ in range(20):
                database.write(add)
            with database.read() as connection:
                connection.execute("SELECT body FROM reports").fetchone()
            database.close()
    """
    database.write(put(1, "0"))
    database.close()
    for process in [script(source) for _ in range(8)]:
        finish(process)
    with sqlite3.connect(database.path) as check:
        assert check.execute("SELECT body FROM reports").fetchone() == ("1600",)
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


def test_a_database_is_made_once_by_many_processes_at_the_same_time(script, finish, home):
    source = """
        import os
        from orion_nb.store.database import Database
        from pathlib import Path

        input()
        Database(Path(os.environ["ORION_NB_HOME"]) / "orion.db").close()
    """
    processes = [script(source) for _ in range(6)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        finish(process)
    made = Database(home / "orion.db")
    with made.read() as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    made.close()


def test_a_forked_process_can_write_and_so_can_its_parent(script, finish, home):
    source = """
        import os, sys
        from orion_nb.store.database import Database
        from pathlib import Path

        database = Database(Path(os.environ["ORION_NB_HOME"]) / "orion.db")
        put = lambda n: database.write(
            lambda tx: tx.execute("INSERT INTO reports (digest, body) VALUES (?, 'x')", (n,))
        )
        put(1)
        with database.read() as connection:
            connection.execute("SELECT * FROM reports").fetchall()
        child = os.fork()
        if child == 0:
            put(2)
            sys.exit(0)  # with all that happens at the end of an interpreter
        put(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        put(4)
        with database.read() as connection:
            print([row[0] for row in connection.execute("SELECT digest FROM reports")])
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    """
    assert finish(script(source)).strip() == "[1, 2, 3, 4]"


def test_a_process_forked_amid_a_write_is_not_in_the_way_of_its_parent(script, finish, home):
    """The child has the locks of threads that it does not have: it must not wait for them."""
    source = """
        import os, threading
        from orion_nb.store.database import Database
        from pathlib import Path

        database = Database(Path(os.environ["ORION_NB_HOME"]) / "orion.db")
        inside, go = threading.Event(), threading.Event()

        def put(n):
            return lambda tx: tx.execute("INSERT INTO reports (digest, body) VALUES (?, 'x')", (n,))

        def slow(tx):
            put(1)(tx)
            inside.set()
            assert go.wait(30)
            put(2)(tx)

        writer = threading.Thread(target=database.write, args=[slow])
        writer.start()
        assert inside.wait(30)
        threading.Timer(0.2, go.set).start()
        child = os.fork()  # waits until the write is done
        if child == 0:
            database.write(put(3))
            os._exit(0)
        writer.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with database.read() as connection:
            print([row[0] for row in connection.execute("SELECT digest FROM reports")])
    """
    assert finish(script(source)).strip() == "[1, 2, 3]"


def test_a_forked_process_keeps_what_it_writes_after_its_parent_has_gone(script, finish, database):
    """The last process to leave a database tidies its log away: the child must count as one."""
    source = """
        import os, sys, time
        from orion_nb.store.database import Database
        from pathlib import Path

        database = Database(Path(os.environ["ORION_NB_HOME"]) / "orion.db")
        put = lambda n: database.write(
            lambda tx: tx.execute("INSERT INTO reports (digest, body) VALUES (?, 'x')", (n,))
        )
        put(1)
        database.version()
        parent = os.getpid()
        if os.fork():
            put(2)
            sys.exit()
        put(3)
        while os.getppid() == parent:
            time.sleep(0.01)
        Database(database.path).close()  # somebody comes and goes
        put(4)
        os.kill(os.getpid(), 9)
    """
    database.close()
    parent = script(source)
    assert parent.wait(timeout=60) == 0
    parent.communicate(timeout=60)  # the child has the same pipe, until it is gone
    reopened = Database(database.path)
    assert keys(reopened) == [1, 2, 3, 4]
    reopened.close()


def test_a_fork_waits_for_readers_and_they_go_on_afterwards(database):
    database.write(put(1))
    before = database.version()
    database.rest()
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(keys, database)
        writing = pool.submit(database.write, put(2))
        assert not reading.done()
        assert not writing.done()
        database.wake(in_child=False)
        writing.result()
        assert reading.result() in ([1], [1, 2])
    assert keys(database) == [1, 2]
    assert database.version() != before


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


def test_the_log_stays_short_under_steady_writing_by_several(script, finish, home):
    source = """
        import os, time
        from orion_nb.store.database import Database
        from pathlib import Path

        database = Database(Path(os.environ["ORION_NB_HOME"]) / "orion.db")
        add = "INSERT INTO reports (digest, body) VALUES (abs(random()), ?)"
        longest = 0
        for _ in range(1500):
            database.write(lambda tx: tx.execute(add, ("x" * 4000,)))
            longest = max(longest, os.stat(f"{database.path}-wal").st_size)
        print(longest, flush=True)
        os._exit(0)  # so that no close tidies up
    """
    longest = [int(finish(process)) for process in [script(source) for _ in range(3)]]
    # Without checkpoints it would be more than 18 MB.
    assert max(longest) < 3 * checkpoints.LONG


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
    raw[4096 * 20 : 4096 * 150] = b"\xff" * 4096 * 130
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
    from orion_nb.store import database as module

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
