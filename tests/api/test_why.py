"""What happened to a run and why, in sentences that a person can act on."""

from __future__ import annotations

from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import CANCELLED, COMPLETED, FAILED, RUNNING, Failed, Running


def summary(orion, run):
    return orion.why(run.id)["summary"]


def test_a_life_is_told_state_by_state(orion, clock):
    run = orion.create_run("task", "t", policy={"retries": 1, "retry_delay": 5}, state=RUNNING)
    clock.advance(1)
    orion.propose(run.id, FAILED, message="ValueError: no ink\nmore")
    told = summary(orion, run)
    assert told[0] == "09:00:00.000Z Pending: created"
    assert told[1].startswith("09:00:00.000Z Running: accepted, ")
    assert told[2] == (
        "09:00:01.000Z AwaitingRetry (ValueError: no ink): Failed was proposed; retry_failures "
        "entered AwaitingRetry instead: attempt 1 of 2 failed; retry in 5 s"
    )


def test_what_holds_a_run_up_is_told_with_the_rule_that_said_so(orion, clock):
    first = orion.create_run("task", "first")
    run = orion.create_run("task", "second", upstream=[first.id], state=RUNNING)
    assert summary(orion, run)[-1] == (
        "blocked: Running was proposed, wait_for_upstream_runs said WAIT: waits for first (Pending)"
    )
    assert orion.why(run.id)["blocked"]["rules"][-1]["rule"] == "wait_for_upstream_runs"


def test_a_run_that_nobody_starts_is_late(orion, clock):
    run = orion.create_run("flow", "f", scheduled_time=clock.at)
    clock.advance(15)
    assert not any("late" in line for line in summary(orion, run))
    clock.advance(46)
    assert summary(orion, run)[-1] == (
        "late by 61 s: nobody has started it; is a server or a worker running?"
    )


def test_what_failed_within_is_told_with_the_digits_to_look_it_up_by(orion):
    flow = orion.create_run("flow", "f", state=RUNNING)
    good = orion.create_run("task", "good", parent=flow.id, state=RUNNING)
    orion.propose(good.id, COMPLETED)
    bad = orion.create_run("task", "bad", parent=flow.id, state=RUNNING)
    orion.propose(bad.id, FAILED, message="oh")
    told = orion.why(flow.id)
    assert told["summary"][-1] == f"in it, task bad ({bad.id[-8:]}) is Failed: oh"
    assert [task["name"] for task in told["tasks"]] == ["good", "bad"]
    assert orion.find(bad.id[-8:]).id == bad.id


def test_many_that_failed_are_counted(orion):
    flow = orion.create_run("flow", "f", state=RUNNING)
    for n in range(13):
        orion.propose(orion.create_run("task", f"t{n}", parent=flow.id).id, CANCELLED)
    assert summary(orion, flow)[-1] == "in it, 3 more did not complete"


def test_a_state_set_by_hand_is_told_with_by_whom_and_why(orion, clock):
    run = orion.create_run("task", "t")
    orion.propose(run.id, COMPLETED, force=True, why="did it by hand", by="ann")
    assert summary(orion, run)[-1] == "09:00:00.000Z Completed: set by ann: did it by hand"


def test_each_state_comes_with_its_report_and_the_run_with_all_it_is(orion):
    run, _ = orion.begin(orion.new_run("task", "t", policy=RunPolicy(1)), Running())
    orion.advance(run, Failed("oh"))
    told = orion.why(run.id)
    assert told["run"] == orion.find(run.id).as_json()
    assert told["states"] == orion.read_states(run.id)["states"]
    assert [state["name"] for state in told["states"]] == ["Pending", "Running", "AwaitingRetry"]
    assert told["states"][-1]["report"]["rules"][-1]["verdict"] in ("pass", "rewrite")
    assert told["blocked"] is None


def test_long_messages_are_told_by_their_first_line(orion):
    run = orion.create_run("task", "t", state=RUNNING)
    orion.propose(run.id, FAILED, message="x" * 500 + "\nmore")
    (line,) = [line for line in summary(orion, run) if "Failed" in line]
    assert "x" * 199 + "…" in line
    assert "more" not in line
