"""Whatever a process does at its end or to its children: what was acknowledged is in the file."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from orion_nb import connect

SCRIPT = """
    import os, sys
    from orion_nb import flow, task

    @task
    def noop(n):
        pass

    @flow
    def three_hundred():
        for n in range(300):
            noop(n)

    three_hundred()
    {end}
"""


@pytest.mark.parametrize("end", ["", "os._exit(0)", "sys.exit(0)"])
def test_all_of_a_script_that_ends_at_once_is_in_the_file(
    told: Any, script: Any, finish: Any, end: str
) -> None:
    finish(script(SCRIPT.format(end=end)))
    counts = connect().count_runs(states=["Completed"])["counts"]
    assert counts == {"COMPLETED": 301}
    assert told.run("three_hundred").state.name == "Completed"
    some = told.runs("noop")[::50]
    for run in some:
        assert told.names(run.id) == ["Pending", "Running", "Completed"]


def test_submitted_tasks_end_before_the_process_does(told: Any, script: Any, finish: Any) -> None:
    finish(
        script("""
            import time
            from orion_nb import task
            slow = task(lambda n: time.sleep(0.05), name="slow")
            slow.map(range(10))
        """)
    )
    assert [run.state.name for run in told.runs("slow")] == ["Completed"] * 10


def test_a_signal_at_the_end_of_a_process_is_a_cancelled_run(told: Any, script: Any) -> None:
    process = script("""
        import time
        from orion_nb import flow, task

        @task
        def endless():
            print("running", flush=True)
            time.sleep(60)

        @flow
        def outer():
            endless()

        outer()
    """)
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert told.names("endless")[-1] == told.names("outer")[-1] == "Cancelled"


def test_after_a_fork_parent_and_child_go_on(told: Any, script: Any, finish: Any) -> None:
    printed = finish(
        script("""
            import os
            from orion_nb import ThreadRunner, flow, task, get_run_context

            @task
            def one(n):
                return os.getpid()

            @flow(runner=ThreadRunner(1))
            def outer():
                assert one.submit(0).result() == os.getpid()
                child = os.fork()
                found = {one(1), *(each.result() for each in one.map(range(4)))}
                assert found == {os.getpid()}, found
                if child == 0:
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
                return get_run_context().run.id

            print(outer())
        """)
    )
    runs = told.runs("one")
    assert len(runs) == 1 + 2 * 5
    assert {run.state.name for run in runs} == {"Completed"}
    assert {run.parent for run in runs} == {printed.strip()}
    assert len({run.session for run in runs}) == 2


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(1)"])
def test_a_run_whose_process_died_is_found_and_crashed(
    told: Any, script: Any, finish: Any, end: str
) -> None:
    process = script(f"""
        import os
        from orion_nb import flow, task

        @task
        def dies():
            {end}

        @flow
        def outer():
            dies()

        outer()
    """)
    process.communicate(timeout=60)
    assert {run.state.name for run in told.runs()} == {"Running"}
    ended = connect().reap()
    assert {run.state.name for run in ended} == {"Crashed"}
    assert told.names("dies")[-1] == told.names("outer")[-1] == "Crashed"
    assert connect().reap() == []


def test_importing_and_decorating_opens_nothing(home: Any, script: Any, finish: Any) -> None:
    assert (
        finish(
            script("""
            import sys, threading
            from orion_nb import flow, task
            task(retries=3, retry_delay="10s")(flow(lambda: None, name="f").fn)
            print(threading.active_count(), "sqlite3" in sys.modules and "opened" or "")
        """)
        ).split()[0]
        == "1"
    )
    assert not home.exists()
    assert os.environ["ORION_NB_HOME"] == str(home)
