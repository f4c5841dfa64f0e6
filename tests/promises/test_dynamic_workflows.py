"""What "code as workflows" is to enable, sentence by sentence of the announcement of 2021."""

from __future__ import annotations

import asyncio
import random
import resource
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from orion_nb import connect, flow, task
from orion_nb.rules.tasks import heed_the_trigger


def test_use_native_control_flow_like_if_statements_or_for_and_while_loops_inside_your_workflows(
    seen,
):
    @task
    def halve(n):
        return n // 2

    @task
    def report(steps):
        return f"{steps} steps"

    @flow
    def countdown(n):
        steps = 0
        while n > 1:
            n = halve(n)
            steps += 1
        for word in ("one", "two"):
            if word == "two":
                return report(steps)
        return None

    assert countdown(1000) == "9 steps"
    assert len(seen.runs("halve")) == 9
    assert {run["parent"] for run in seen.runs("halve")} == {seen.run("countdown")["id"]}


def test_generate_new_tasks_or_entire_workflows_in_response_to_streaming_events(seen):
    async def events():
        for n in range(25):
            await asyncio.sleep(0.001)
            yield {"n": n, "urgent": n % 10 == 0}

    @task
    async def handle(event):
        return event["n"]

    @flow
    async def incident(event):
        return await handle(event)

    @flow
    async def listen():
        handled = 0
        async for event in events():
            await (incident(event) if event["urgent"] else handle(event))
            handled += 1
        return handled

    assert asyncio.run(listen()) == 25
    assert len(seen.runs("handle")) == 25
    assert len(seen.runs("incident")) == 3
    assert {run["root"] for run in seen.runs("handle")} == {seen.run("listen")["id"]}


def test_use_complex_branching_logic_that_can_even_depend_on_runtime_conditions(seen):
    @task
    def measure():
        return random.Random(7).random()

    @task
    def cool():
        return "cooled"

    @task
    def heat():
        return "heated"

    @flow
    def thermostat():
        if measure() > 0.5:
            return cool()
        return heat()

    answer = thermostat()
    done, not_done = ("cool", "heat") if answer == "cooled" else ("heat", "cool")
    assert len(seen.runs(done)) == 1
    assert seen.runs(not_done) == []


@pytest.mark.parametrize("fails", [True, False])
def test_create_triggers_that_respond_directly_to_the_states_of_upstream_tasks(seen, fails):
    @task
    def work():
        if fails:
            raise ValueError("no")
        return "done"

    @task(trigger="any_failed")
    def repair(_):
        return "repaired"

    @task(trigger="all_finished")
    def clean_up(_):
        return "clean"

    @task(trigger=lambda states: all(state.type == "COMPLETED" for state in states))
    def publish(_):
        return "published"

    @flow
    def pipeline():
        upstream = work.submit()
        for each in (repair, clean_up, publish):
            each.submit(upstream)

    pipeline.run()
    states = {name: seen.run(name)["state"]["name"] for name in ("repair", "clean_up", "publish")}
    skipped, ran = "Skipped", "Completed"
    assert states == {
        "repair": ran if fails else skipped,
        "clean_up": ran,
        "publish": skipped if fails else ran,
    }
    assert heed_the_trigger.name in seen.rules(
        seen.run("publish" if fails else "repair"), "rewrite"
    )


@pytest.mark.slow
def test_run_infinitely_long_workflows_or_monitoring_processes(seen):
    sizes = []

    @task
    def look(n):
        return {"n": n, "data": "x" * 10_000}

    @flow
    def monitor(looks):
        for n in range(looks):  # it would be `while True`: nothing is kept from one to the next
            look(n)
            if n % 1000 == 999:
                sizes.append(_resident())

    monitor(6000)
    assert connect().count_runs(name="look")["counts"] == {"COMPLETED": 6000}
    grown = sizes[-1] - sizes[1]
    assert grown < 4000 * 1024, f"{grown} bytes more after 4,000 more tasks"


def test_start_downstream_tasks_before_upstreams_have_finished(seen):
    @task
    def read_rows():
        for row in ([1], [2], [3]):
            yield row
            time.sleep(0.05)

    @task
    def store(row):
        return row[0]

    @flow
    def pipeline():
        return [store.submit(row) for row in read_rows.submit()]

    assert [future.result() for future in pipeline()] == [1, 2, 3]
    upstream, first = seen.run("read_rows"), seen.runs("store")[0]
    assert first["start_time"] < upstream["end_time"]
    (edge,) = connect().lineage(first["id"])["upstream"]
    assert (edge["upstream"], edge["path"], edge["streamed"]) == (upstream["id"], "row", True)


def test_re_run_parts_of_the_workflow_in_response_to_failed_validation_checks(seen):
    executed = []

    @task
    def configure():
        executed.append("configure")
        return {"limit": 3}

    @task
    def extract(settings):
        executed.append("extract")
        return [executed.count("extract")] * settings["limit"]

    @task
    def transform(rows):
        executed.append("transform")
        return [row * 10 for row in rows]

    @task(rerun_from="extract", rerun_max=2)
    def validate(rows):
        executed.append("validate")
        if rows[0] < 30:
            raise ValueError("stale")
        return rows

    @flow
    def etl():
        return validate(transform(extract(configure())))

    assert etl() == [30, 30, 30]
    attempts = {name: seen.run(name)["attempt"] for name in ("extract", "transform", "validate")}
    assert attempts == {"extract": 3, "transform": 3, "validate": 3}
    assert seen.run("configure")["attempt"] == executed.count("configure") == 1


def test_share_stateful_objects_like_database_connections_between_tasks():
    @task
    def open_database():
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.execute("CREATE TABLE words (word TEXT)")
        return connection, threading.Lock()

    @task
    def write(connection, lock, word):
        with lock:
            connection.execute("INSERT INTO words VALUES (?)", (word,))
        return connection

    @flow
    def shared():
        connection, lock = open_database()
        same = [write.submit(connection, lock, word).result() for word in ("a", "b", "c")]
        assert all(each is connection for each in same)
        return connection.execute("SELECT count(*) FROM words").fetchone()[0]

    assert shared() == 3


@pytest.mark.parametrize("depth", [150])
def test_generate_infinitely_nested_subflow_structures_for_modularity(seen, depth):
    @flow
    def down(n):
        return 0 if n == 0 else 1 + down(n - 1)

    @flow
    async def adown(n):
        return 0 if n == 0 else 1 + await adown(n - 1)

    assert down(depth) == depth
    assert asyncio.run(adown(depth)) == depth
    for name in ("down", "adown"):
        runs = seen.runs(name)
        assert len(runs) == depth + 1
        assert [run["parent"] for run in runs] == [None, *(run["id"] for run in runs[:-1])]
        assert {run["root"] for run in runs} == {runs[0]["id"]}


def test_have_multiple_executors_or_runtime_environments_collaborate_to_fulfill_the_same_workflow(
    seen, script
):
    @task
    def here():
        return "this process"

    @flow
    def together():
        mine = here()
        helper = script(
            """
            import sys
            from orion_nb import connect

            orion, parent = connect(), sys.argv[1]
            run = orion.create_run("task", "elsewhere", parent=parent, state="RUNNING")
            orion.propose(run.id, "COMPLETED", attempt=run.attempt, token=run.token)
            """,
            _current_run(),
        )
        assert helper.wait(60) == 0
        return mine

    assert together() == "this process"
    root = seen.run("together")["id"]
    assert seen.run("here")["parent"] == seen.run("elsewhere")["parent"] == root
    assert seen.run("elsewhere")["state"]["type"] == "COMPLETED"


def test_workflows_are_free_to_evolve_over_time_without_reregistration_or_orphaned_tasks(
    seen, tmp_path
):
    program = tmp_path / "evolving.py"
    first = (
        "from orion_nb import flow, task\n@task\ndef old(): return 1\n@flow\ndef work(): old()\n"
    )
    second = first.replace("def old", "def renamed").replace("old()", "renamed(), renamed()")
    for source in (first, second):
        program.write_text(source + "work()\n")
        subprocess.run([sys.executable, str(program)], check=True)
    one, two = seen.runs("work")
    assert [run["parent"] for run in seen.runs("old")] == [one["id"]]
    assert [run["parent"] for run in seen.runs("renamed")] == [two["id"]] * 2


def _current_run():
    from orion_nb import get_run_context

    return get_run_context().run.id


def _resident():
    """The memory of this process, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as told:
        return int(told.read().split()[1]) * resource.getpagesize()
