"""One file, many processes: whoever is killed or forked, its writes are whole."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

from orion_nb.store import checkpoints
from orion_nb.store.database import Database
from orion_nb.store.schema import SCHEMA_VERSION
from tests.store.rows import keys, put


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
