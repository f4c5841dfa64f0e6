"""What is overdue is noticed, also where no process watches over a run."""

from __future__ import annotations

import pytest

from orion_nb.api.deadlines import Deadlines
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import PAUSED, RUNNING, Completed, Running, state


@pytest.fixture
def deadlines(orion, clock):
    return Deadlines(orion)


def names(orion, run):
    return [each["name"] for each in orion.read_states(run.id)["states"]]


def test_a_run_driven_over_http_is_timed_out_at_its_deadline(orion, clock, deadlines):
    run = orion.create_run("task", "t", policy={"timeout": 30}, state=RUNNING)
    clock.advance(29.9)
    assert deadlines.look() == []
    clock.advance(0.1)
    (after,) = deadlines.look()
    assert (after.id, after.state.name, after.state.by) == (run.id, "TimedOut", "deadline")
    assert after.state.message == "its timeout of 30 s is over"
    assert deadlines.look() == []


def test_it_is_tried_again_where_its_policy_says_so_and_each_attempt_has_its_time(
    orion, clock, deadlines
):
    run = orion.create_run("task", "t", policy={"timeout": 30, "retries": 1}, state=RUNNING)
    clock.advance(31)
    deadlines.look()
    assert orion.find(run.id).state.name == "AwaitingRetry"
    orion.propose(run.id, RUNNING)
    clock.advance(29)
    assert deadlines.look() == []
    clock.advance(2)
    assert [each.state.name for each in deadlines.look()] == ["TimedOut"]


def test_what_ran_before_the_service_began_is_found_within_flows_too(orion, clock):
    flow = orion.create_run("flow", "f", state=RUNNING)
    run = orion.create_run("task", "t", parent=flow.id, policy={"timeout": 30}, state=RUNNING)
    clock.advance(60)
    assert [each.id for each in Deadlines(orion).look()] == [run.id]


def test_a_run_that_ended_in_time_or_has_a_process_is_left_alone(orion, clock, deadlines):
    run = orion.create_run("task", "t", policy={"timeout": 30}, state=RUNNING)
    orion.begin(orion.new_run("task", "own", policy=RunPolicy(timeout=30.0)), Running())
    deadlines.look()
    orion.judge(run.id, Completed())
    clock.advance(60)
    assert deadlines.look() == []
    assert deadlines._due == {}


def test_a_pause_that_is_over_is_timed_out(orion, clock, deadlines):
    run = orion.create_run("flow", "f", state=RUNNING)
    orion.judge(run.id, state(PAUSED, scheduled_time=clock.at + 10_000_000))
    assert deadlines.look() == []
    clock.advance(10)
    (after,) = deadlines.look()
    assert after.state.name == "TimedOut"


@pytest.mark.parametrize("field", ["sla", "sla_start"])
def test_a_missed_promise_is_marked_once(orion, clock, deadlines, field):
    run = orion.create_run("flow", "f", policy={field: 60})
    deadlines.look()
    clock.advance(60)
    assert deadlines.look() == []
    clock.advance(1)
    (after,) = deadlines.look()
    mark = {"sla": "missed_sla", "sla_start": "missed_sla_start"}[field]
    assert after.marks == (mark,)
    clock.advance(60)
    assert deadlines.look() == []
    orion.judge(run.id, Running())
    orion.judge(run.id, Completed())
    assert orion.find(run.id).marks == (mark,)
    word = {"sla": "end", "sla_start": "start"}[field]
    (note,) = orion.why(run.id)["notes"]
    assert note["text"] == f"its SLA is missed: it did not {word} within 60 s"


def test_a_run_is_cancelled_for_a_missed_promise_where_its_policy_says_so(
    orion, other, clock, deadlines
):
    policy = RunPolicy(sla=60.0, sla_action="cancel")
    run, _ = other.begin(other.new_run("flow", "f", policy=policy), Running())
    clock.advance(61)
    (after,) = deadlines.look()
    assert (after.state.name, after.state.by) == ("Cancelling", "sla")
    assert names(orion, run) == ["Pending", "Running", "Cancelling"]
    assert deadlines.look() == []


def test_several_services_do_it_once(orion, other, clock):
    both = [Deadlines(orion), Deadlines(other)]
    late = orion.create_run("flow", "late", policy={"sla": 60, "sla_action": "cancel"})
    slow = orion.create_run("flow", "slow", policy={"timeout": 60}, state=RUNNING)
    for each in both:
        each.look()
    clock.advance(61)
    for each in both:
        each.look()
    assert names(orion, late) == ["Pending", "Cancelled"]
    assert names(orion, slow) == ["Pending", "Running", "TimedOut"]
