from __future__ import annotations

import signal
import sqlite3
import threading
import time
from contextlib import contextmanager

import pytest

from orion_nb import connect, flow, task
from orion_nb.engine import lines
from orion_nb.engine.context import current
from orion_nb.store.logs import LINE, LINES, TEXT


def messages(name):
    return [line["message"] for line in connect().filter_logs(run=name, limit=1000)["lines"]]


def test_the_log_of_a_run_is_bounded_and_counts_the_rest():
    @flow
    def whole():
        for n in range(LINES):
            print(n)
            if n % 1000 == 0:
                lines.waiting.write()  # so many come faster than they are written
        lines.waiting.write()
        for _ in range(2345):
            print("too many")

    whole()
    told = connect().filter_logs(run="whole", newest=True, limit=2)["lines"]
    assert [line["message"].partition(":")[0] for line in told] == [
        str(LINES - 1), "2345 lines more were logged",
    ]  # fmt: skip


def test_the_text_of_a_run_is_bounded_and_a_line_is_cut():
    @flow
    def whole():
        for _ in range(2 * TEXT // LINE):
            print("x" * 2 * LINE)

    whole()
    *kept, last = messages("whole")
    assert sum(map(len, kept)) <= TEXT
    assert len(kept) == TEXT // LINE
    assert kept[0].endswith("… (cut; it has 65536 characters)")
    assert last.startswith(f"{TEXT // LINE} lines more")


def test_more_than_can_wait_is_counted_as_lost(monkeypatch):
    monkeypatch.setattr(lines, "MOST_LINES", 50)

    @flow
    def whole():
        with lines.waiting._writing:  # as if the disk took its time
            for n in range(60):
                print(n)

    whole()
    *kept, last = messages("whole")
    assert kept == [str(n) for n in range(50)]
    assert last.startswith("10 lines are missing")


def test_a_database_that_cant_be_written_stops_no_run_and_what_is_lost_is_counted(
    monkeypatch, home
):
    def full(*_, **__):
        raise sqlite3.OperationalError("database or disk is full")

    @flow
    def whole():
        with monkeypatch.context() as patched:
            patched.setattr("orion_nb.store.logs.put", full)
            patched.setattr("orion_nb.store.logs.note", full)
            print("gone")
            print("gone too")
            lines.waiting.write()
        print("back")
        return 5

    assert whole() == 5
    assert [text.partition(":")[0] for text in messages("whole")] == [
        "back", "2 lines are missing",
    ]  # fmt: skip


@pytest.fixture
def other_holds_it(home):
    """Within the block, somebody else has the database locked for writing."""

    @contextmanager
    def hold():
        connection = sqlite3.connect(home / "orion.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    return hold


def test_code_that_logs_does_not_wait_for_a_database_that_others_hold(other_holds_it):
    @flow
    def whole():
        with other_holds_it():
            began = time.monotonic()
            for n in range(1000):
                print(n)
            return time.monotonic() - began

    assert whole() < 1
    assert len(messages("whole")) == 1000


def test_a_run_that_ends_waits_for_its_lines_that_are_being_written(other_holds_it, until):
    @flow
    def whole():
        run = current().run.id
        with other_holds_it():
            print("on its way")
            until(lambda: lines.waiting._underway, "nobody writes the line")
            return lines.waiting.holds(run)

    assert whole()
    assert messages("whole") == ["on its way"]


def test_a_run_that_was_deleted_takes_no_line_of_others_with_it():
    @task
    def doomed():
        orion = connect()
        key = bytes.fromhex(current().run.id)
        print("of a run that is gone")
        orion.database.write(lambda tx: tx.execute("DELETE FROM runs WHERE id=?", (key,)))
        lines.waiting.write()

    @flow
    def whole():
        print("before")
        doomed.run()
        print("after")

    with pytest.raises(Exception, match=r"."):
        whole()
    assert messages("whole")[:1] == ["before"]


def test_lines_are_written_while_the_run_goes_on(until):
    gate = threading.Event()

    @flow
    def whole():
        print("begun")
        assert gate.wait(30)

    thread = threading.Thread(target=whole)
    thread.start()
    try:
        until(lambda: connect().filter_logs()["lines"], "no line within ten seconds")
    finally:
        gate.set()
        thread.join()
    assert messages("whole") == ["begun"]


def test_the_end_of_a_run_is_never_seen_before_its_last_line(script):
    writing = script(
        """
        from orion_nb import task

        @task
        def step(n):
            print("last line of", n)

        for n in range(200):
            step(n)
            print("ended", n, flush=True)
        """
    )
    seen = 0
    while writing.poll() is None or seen == 0:
        runs = connect().filter_runs(states=["completed"], limit=50)["runs"]
        for run in runs:
            assert len(connect().read_logs(run["id"])["lines"]) == 1
            seen += 1
    assert seen > 50


def test_a_handler_of_a_signal_may_print_at_any_moment(script, finish):
    told = finish(
        script(
            """
            import os, signal, sys, threading, time
            from orion_nb import flow
            from orion_nb.engine import lines

            rung = 0

            def ring(*_):
                global rung
                rung += 1
                if rung < 100:
                    print("rung")

            def ring_on(stop, main):
                while not stop.wait(0.001):
                    signal.pthread_kill(main, signal.SIGUSR1)

            @flow
            def whole():
                signal.signal(signal.SIGUSR1, ring)
                stop = threading.Event()
                bell = threading.Thread(target=ring_on, args=(stop, threading.get_ident()))
                bell.start()
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    print("said")
                    lines.waiting.write()
                stop.set()
                bell.join()

            shown, sys.stdout = sys.stdout, open(os.devnull, "w")
            whole()
            print(rung, file=shown)
            """
        )
    )
    assert int(told) > 20
    assert len(connect().filter_logs(run="whole", text="rung", limit=100)["lines"]) > 20


def test_after_a_kill_what_was_written_is_there(script):
    process = script(
        """
        import os, signal, time
        from orion_nb import flow, task
        from orion_nb.api.connect import connect

        @task
        def done():
            print("of a task that has ended")

        @flow
        def whole():
            print("before the task")
            done()
            for n in range(200):
                print("one of many", n)
            while len(connect().filter_logs(text="one of many", limit=1000)["lines"]) < 200:
                time.sleep(0.01)
            print("a moment before the end")
            os.kill(os.getpid(), signal.SIGKILL)

        whole()
        """
    )
    assert process.wait(60) == -signal.SIGKILL
    assert messages("done") == ["of a task that has ended"]
    kept = messages("whole")
    assert kept[0] == "before the task"
    assert kept[1:] == [f"one of many {n}" for n in range(200)]


def test_what_is_logged_after_the_end_is_written_when_the_process_ends(script, finish):
    finish(
        script(
            """
            import contextvars, threading
            from orion_nb import flow

            @flow
            def whole():
                return contextvars.copy_context()

            whole().run(print, "late")
            """
        )
    )
    assert messages("whole") == ["late"]


def test_a_fork_writes_each_line_once(script, finish):
    finish(
        script(
            """
            import os
            from orion_nb import flow, task

            @task
            def child():
                print("in the child's task")

            @flow
            def whole():
                print("before the fork")
                pid = os.fork()
                if pid == 0:
                    child()
                    print("in the child")
                    from orion_nb.engine import lines
                    lines.waiting.write()
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
                print("after the fork")

            whole()
            """
        )
    )
    assert sorted(messages("whole")) == ["after the fork", "before the fork", "in the child"]
    assert messages("child") == ["in the child's task"]
