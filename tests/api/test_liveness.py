"""Runs whose process is gone are ended; all others are left alone."""

from __future__ import annotations

import os
import signal

import pytest

from orion_nb.api.orion import Orion
from orion_nb.errors import Fenced
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    CANCELLED,
    COMPLETED,
    CRASHED,
    PAUSED,
    PENDING,
    RUNNING,
    SCHEDULED,
    AwaitingSlot,
    Completed,
    Failed,
    NotReady,
    Running,
    TimedOut,
    state,
)
from orion_nb.store import sessions
from tests.api.disguising import alter_session

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


def test_a_later_process_with_the_same_number_is_not_taken_for_it(orion, other):
    run, _ = other.begin(other.new_run("task", "t"), Running())
    alter_session(other, run, pid_start=sessions.pid_start(os.getpid()) + "0")
    assert [each.id for each in orion.reap()] == [run.id]
    assert orion.find(run.id).state.type is CRASHED


@pytest.mark.parametrize("claim", ["same attempt", "earlier attempt"])
def test_what_a_dead_attempt_says_later_is_refused_and_noted(orion, other, claim):
    run, _ = other.begin(other.new_run("task", "t"), Running())
    alter_session(other, run, pid_start=sessions.pid_start(os.getpid()) + "0")
    orion.reap()
    if claim == "earlier attempt":
        orion.judge(run.id, Running(), rerun=True)
    for _ in range(2):
        with pytest.raises(Fenced):
            other.advance(run, Completed())
    told = orion.why(run.id)
    (note,) = told["notes"]
    assert note["text"].startswith(
        "too late: Completed was proposed, and refused: attempt 1 is over"
    )
    assert sum("too late: Completed" in line for line in told["summary"]) == 1
    assert orion.find(run.id).state.type is (CRASHED if claim == "same attempt" else RUNNING)


def test_notes_are_few_however_many_messages_come(orion):
    run, _ = orion.begin(orion.new_run("task", "t"), Running())
    for n in range(60):
        with pytest.raises(Fenced):
            orion.judge(run.id, Completed(), claims=n + 2)
    assert len(orion.why(run.id)["notes"]) == 20


def test_the_news_of_an_end_that_comes_after_another_end_is_noted(orion):
    run, _ = orion.begin(orion.new_run("task", "t"), Running())
    orion.advance(run, TimedOut("it took too long"))
    orion.judge(run.id, Completed())
    orion.judge(run.id, TimedOut())
    orion.cancel(run.id)
    (note,) = orion.why(run.id)["notes"]
    assert note["text"] == (
        "too late: Completed was proposed, and refused: the run has finished: TimedOut"
    )


def test_what_waits_for_its_retry_at_the_top_needs_no_process(orion, other):
    policy = RunPolicy(1, (60.0,))
    flow, _ = other.begin(other.new_run("flow", "f", policy=policy), Running())
    task, _ = other.begin(other.new_run("task", "t", parent=flow.id), Running())
    other.advance(flow, Failed("oh"))
    slot, _ = other.begin(other.new_run("task", "queued"), AwaitingSlot())
    other.close()
    assert {each.id for each in orion.reap()} == {task.id, slot.id}
    assert orion.find(flow.id).state.name == "AwaitingRetry"
    assert orion.reap() == []


def test_a_crash_is_tried_again_where_asked_but_not_within_what_crashed(orion, other):
    policy = RunPolicy(retry_crashes=2)
    flow, _ = other.begin(other.new_run("flow", "f", policy=policy), Running())
    other.begin(other.new_run("task", "t", parent=flow.id, policy=policy), Running())
    other.begin(other.new_run("task", "alone", policy=policy), Running())
    other.close()
    orion.reap()
    assert states(orion) == {"f": "AwaitingRetry", "t": "Crashed", "alone": "AwaitingRetry"}


def test_a_paused_run_of_a_dead_process_is_crashed(orion, other):
    run, _ = other.begin(other.new_run("flow", "f"), Running())
    other.advance(run, state(PAUSED))
    other.close()
    assert [each.state.name for each in orion.reap()] == ["Crashed"]


def test_what_nobody_executes_within_a_crashed_run_ends_with_it(orion, other):
    """Runs driven over HTTP, say; but not those of a process that lives."""
    third = Orion(orion.settings)
    flow, _ = other.begin(other.new_run("flow", "f"), Running())
    inner = orion.create_run("flow", "inner", parent=flow.id, state=RUNNING)
    orion.create_run("task", "waits", parent=inner.id)
    third.begin(third.new_run("task", "lives", parent=flow.id), Running())
    other.close()
    ended = orion.reap()
    assert {each.name for each in ended} == {"f", "inner", "waits"}
    assert states(orion) == {
        "f": "Crashed",
        "inner": "Crashed",
        "waits": "Crashed",
        "lives": "Running",
    }
    assert orion.find(inner.id).state.message == "the flow around it has crashed"
    third.close()


def test_runs_of_runners_are_left_to_who_can_clear_up(orion, home):
    runner = Orion(orion.settings, label="runner of 5")
    runner.begin(runner.new_run("flow", "f"), Running())
    runner.close()
    assert orion.reap(runners=False) == []
    assert [each.label for each in orion.missing()] == ["runner of 5"]
    assert len(orion.reap()) == 1
    assert orion.missing() == []


def test_a_process_whose_parent_looks_after_it_is_left_to_that(orion, work):
    work.kill()
    work.wait()
    assert orion.reap(spare={work.pid}) == []
    assert states(orion)["running"] == "Running"
    assert len(orion.reap(spare={work.pid + 1})) == 5


def test_a_run_that_no_process_executes_is_left_alone(orion):
    orion.create_run("flow", "by hand", state=RUNNING)
    orion.create_run("flow", "later")
    assert orion.reap() == []


def test_a_run_that_its_owner_ends_meanwhile_stays_as_it_ended(orion, other, monkeypatch):
    """The reaper looks, the owner ends its run, the reaper proposes: too late."""
    run, _ = other.begin(other.new_run("task", "t"), Running())
    monkeypatch.setattr("orion_nb.store.sessions.Session.exists", False)
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


def test_a_run_that_is_moved_while_the_reaper_looks_is_ended_the_next_time(
    orion: Orion, other: Orion, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = other.begin(other.new_run("flow", "f"), Running())
    monkeypatch.setattr(sessions.Session, "exists", property(lambda self: self.id != other.session))
    find = type(orion)._left_of

    def and_then_it_is_cancelled(self: Orion, session: sessions.Session) -> list[Run]:
        left = find(self, session)
        monkeypatch.setattr(type(orion), "_left_of", find)
        other.judge(run.id, state("CANCELLING"))
        return left

    monkeypatch.setattr(type(orion), "_left_of", and_then_it_is_cancelled)
    orion.reap()
    assert orion.find(run.id).state.name == "Cancelling"
    orion.reap()
    assert orion.find(run.id).state.name == "Cancelled"
