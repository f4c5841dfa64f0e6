"""Runs whose process is gone are ended; all others are left alone."""

from __future__ import annotations

import os
import signal

import pytest

from orion_nb.api.orion import Orion
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import (
    CANCELLED,
    COMPLETED,
    CRASHED,
    PENDING,
    RUNNING,
    SCHEDULED,
    Completed,
    Failed,
    NotReady,
    Running,
)

WORK = """
    import os, sys
    from orion_nb.api.connect import connect
    from orion_nb.schemas.policies import RunPolicy
    from orion_nb.schemas.states import Completed, Failed, NotReady, Running

    orion = connect("a test")
    flow, _ = orion.begin(orion.new_run("flow", "flow"), Running())
    def task(name, proposed=Running(), **fields):
        return orion.begin(orion.new_run("task", name, parent=flow.id, **fields), proposed)[0]

    task("running")
    task("waits", NotReady())
    orion.cancel(task("asked to stop").id)
    orion.advance(task("done"), Completed())
    orion.advance(task("retries", policy=RunPolicy(1, (60.0,))), Failed("oh"))
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def work(script):
    """A process that executes a flow with a task in each kind of state."""
    process = script(WORK)
    assert process.stdout.readline() == "ready\n", process.communicate()
    return process


def states(orion):
    return {run["name"]: run["state"]["name"] for run in orion.filter_runs()["runs"]}


def test_nothing_of_a_living_process_is_touched(orion, work):
    assert orion.reap() == []
    assert states(orion)["running"] == "Running"


@pytest.mark.parametrize("waited_for", [True, False])
def test_runs_of_a_process_that_was_killed_are_crashed(orion, work, waited_for):
    """Also while its parent has not asked how it ended, and it is a zombie."""
    os.kill(work.pid, signal.SIGKILL)
    if waited_for:
        work.wait()
    else:
        os.waitid(os.P_PID, work.pid, os.WEXITED | os.WNOWAIT)
    reaped = orion.reap()
    assert states(orion) == {
        "flow": "Crashed",
        "running": "Crashed",
        "waits": "Crashed",
        "asked to stop": "Cancelled",
        "done": "Completed",
        "retries": "Crashed",
    }
    assert {run.name for run in reaped} == {"flow", "running", "waits", "asked to stop", "retries"}
    crashed = orion.find("flow").state
    assert (crashed.type, crashed.by) == (CRASHED, "reaper")
    assert crashed.message == "its process is gone"
    assert orion.reap() == []


def test_a_process_that_ends_in_order_leaves_nothing_running_behind(orion, work):
    work.communicate()
    orion.reap("it has ended")
    assert states(orion)["running"] == "Crashed"
    assert orion.find("flow").state.message == "it has ended"


def test_a_crash_is_not_retried(orion, other):
    run, _ = other.begin(other.new_run("task", "t", policy=RunPolicy(retries=3)), Running())
    other.close()
    (reaped,) = orion.reap()
    assert reaped == orion.find(run.id)
    assert reaped.state.type is CRASHED


def test_several_reapers_end_each_run_once(orion, work):
    work.kill()
    work.wait()
    third = Orion(orion.settings)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda o: o.reap(), [orion, third] * 2))
    third.close()
    for run in orion.filter_runs()["runs"]:
        told = [state["name"] for state in orion.read_states(run["id"])["states"]]
        assert sum(name in ("Crashed", "Cancelled", "Completed") for name in told) == 1


def alter_session(orion, run, **columns):
    """Makes the session of a run look like that of another process."""
    key = bytes.fromhex(orion.find(run.id).session)
    for column, value in columns.items():
        sql = f"UPDATE sessions SET {column} = ? WHERE id = ?"
        orion.database.write(lambda tx, s=sql, v=value: tx.execute(s, (v, key)))


def test_a_later_process_with_the_same_number_is_not_taken_for_it(orion, other):
    """A container's first process, say, always has the same number."""
    run, _ = other.begin(other.new_run("task", "t"), Running())
    alter_session(other, run, pid_start="another boot-1")
    assert [each.id for each in orion.reap()] == [run.id]
    assert orion.find(run.id).state.type is CRASHED


def test_a_process_of_another_host_is_taken_to_live(orion, other):
    run, _ = other.begin(other.new_run("task", "t"), Running())
    alter_session(other, run, host="elsewhere", pid=1)
    assert orion.reap() == []
    assert orion.find(run.id).state.type is RUNNING


def test_a_run_that_no_process_executes_is_left_alone(orion):
    orion.create_run("flow", "by hand", state=RUNNING)
    orion.create_run("flow", "later")
    assert orion.reap() == []


def test_a_run_that_its_owner_ends_meanwhile_stays_as_it_ended(orion, other, monkeypatch):
    """The reaper looks, the owner ends its run, the reaper proposes: too late."""
    run, _ = other.begin(other.new_run("task", "t"), Running())
    monkeypatch.setattr("orion_nb.store.sessions.Session.is_alive", False)
    judge = orion.judge

    def late(*args, **more):
        other.advance(run, Completed())
        return judge(*args, **more)

    monkeypatch.setattr(orion, "judge", late)
    orion.reap()
    assert orion.find(run.id).state.type is COMPLETED


def test_a_deployed_run_that_was_taken_but_not_begun_is_due_again(orion, other, deploy, clock):
    deploy(schedules=["1h"])
    clock.advance(3600)
    (made,) = orion.schedule_due()
    (taken,) = other.claim(1)
    assert taken.state.name == "Submitting"
    assert orion.reap() == []
    other.close()
    (again,) = orion.reap()
    assert (again.id, again.state.type) == (made.id, SCHEDULED)
    assert again.scheduled_time == made.scheduled_time
    assert [each.id for each in orion.claim(5)] == [made.id]


def test_a_deployed_run_that_waits_for_its_retry_needs_no_process(orion, other, deploy, clock):
    deploy(schedules=["1h"], retries=1, retry_delay="10m")
    clock.advance(3600)
    orion.schedule_due()
    (taken,) = other.claim(1)
    run, _ = other.judge(taken.id, Running(), session=other.session)
    run, _ = other.advance(run, Failed("oh"))
    assert run.state.name == "AwaitingRetry"
    other.close()
    orion.reap()
    assert orion.find(run.id).state.name == "AwaitingRetry"
    assert orion.claim(5) == []
    clock.advance(600)
    assert [each.id for each in orion.claim(5)] == [run.id]


def test_a_submitted_task_that_waits_belongs_to_its_process(orion, other):
    run, _ = other.begin(other.new_run("task", "t"), NotReady(message="waits for others"))
    assert orion.reap() == []
    assert orion.find(run.id).state.type is PENDING
    other.close()
    assert [each.state.type for each in orion.reap()] == [CRASHED]


def test_a_cancelled_run_of_a_dead_process_ends_as_asked(orion, other):
    run, _ = other.begin(other.new_run("task", "t"), Running())
    orion.cancel(run.id, why="enough")
    other.close()
    (reaped,) = orion.reap()
    assert reaped.state.type is CANCELLED
