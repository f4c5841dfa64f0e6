"""What happened to a run and why, in sentences that a person can act on."""

from __future__ import annotations

from pathlib import Path

import pytest

from orion_nb.schemas.pauses import Pause
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    FAILED,
    PAUSED,
    RUNNING,
    Failed,
    Paused,
    Running,
)


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


def test_sentences_come_with_the_moments_they_tell_of(orion, clock):
    run = orion.create_run("task", "t", state=RUNNING)
    told = orion.why(run.id)
    assert [each["timestamp"] for each in told["sentences"]] == [clock.at, clock.at]
    assert told["summary"][0] == f"09:00:00.000Z {told['sentences'][0]['text']}"
    # what it waits for is of no moment: it holds now
    waits = orion.create_run("task", "w", upstream=[run.id], state=RUNNING)
    assert orion.why(waits.id)["sentences"][-1]["timestamp"] is None


def test_who_waits_for_a_slot_is_told_of_whom_and_of_the_queue(orion, clock):
    orion.set_limit("db", 1)
    policy = {"concurrency": {"db": 1}}
    first, second, third = (
        orion.create_run("task", f"t{n}", policy=policy, state=RUNNING) for n in range(3)
    )
    assert summary(orion, second)[-1] == (
        f"waits for a slot of limit 'db': 1 of 1 in use by t0 ({first.id[-8:]})"
    )
    assert summary(orion, third)[-1].endswith(", 1 ahead in the queue")
    orion.propose(first.id, COMPLETED)
    assert not any("in use by" in line for line in summary(orion, second))


def test_many_in_the_slots_are_counted(orion):
    orion.set_limit("db", 5)
    policy = {"concurrency": {"db": 5}}
    for n in range(5):
        orion.create_run("task", f"t{n}", policy=policy, state=RUNNING)
    waits = orion.create_run("task", "last", policy=policy, state=RUNNING)
    assert summary(orion, waits)[-1].endswith("and 2 more")


def asks(orion, clock, schema, until=None):
    """A run that is paused until then, and asks for what the schema says."""
    run, _ = orion.begin(orion.new_run("flow", "f"), Running())
    orion.ask_pause(Pause(run.id, "pause", "publish?", schema, until, clock.at))
    return orion.advance(run, Paused(until, message="publish?"))[0]


def test_a_paused_run_is_told_with_what_it_asks_until_when_and_how_to_resume_it(orion, clock):
    schema = {
        "properties": {
            "ok": {"type": "boolean"},
            "size": {"enum": ["small", "big"]},
            "rows": {"type": "integer", "default": 5},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["ok", "size"],
    }
    run = asks(orion, clock, schema, clock.at + 600_000_000)
    assert orion.why(run.id)["pause"]["message"] == "publish?"
    assert summary(orion, run)[-4:] == [
        "09:00:00.000Z Paused (publish?): accepted, 1 rule asked",
        "it asks for ok (boolean), size (small or big), rows (integer, or else 5), "
        "note (string or null, or else null)",
        "it waits for 10 min 00 s more, then it is TimedOut",
        f"resume it: `orion-nb runs resume {run.id[-8:]} --input ok=true|false "
        "--input size=small|big`",
    ]


def test_a_pause_that_is_over_is_not_told_to_be_resumed(orion, clock):
    run = asks(orion, clock, None, clock.at + 1_000_000)
    clock.advance(3)
    (last,) = [line for line in summary(orion, run) if "pause was over" in line]
    assert last == "its pause was over 2.0 s ago: it can't be resumed any more"
    assert not any("runs resume" in line for line in summary(orion, run))


def test_who_was_paused_by_somebody_else_asks_for_nothing(orion):
    run = orion.create_run("flow", "f", state=RUNNING)
    orion.propose(run.id, PAUSED)
    assert summary(orion, run)[-2:] == [
        "paused by hand: what runs in it goes on, nothing new starts",
        f"resume it: `orion-nb runs resume {run.id[-8:]}`",
    ]
    assert orion.why(run.id)["pause"] is None


def test_a_missed_promise_is_told_by_the_rule_that_marked_it(orion, clock):
    run = orion.create_run("task", "t", policy={"sla": 5}, state=RUNNING)
    clock.advance(8)
    orion.propose(run.id, COMPLETED)
    assert summary(orion, run)[-1].endswith("; mark_a_late_end: ended 3 s after its SLA")
    assert orion.why(run.id)["run"]["marks"] == ["missed_sla"]


def test_an_answer_from_the_cache_is_told_with_its_run_and_its_age(orion, clock):
    first = orion.create_run("task", "t", state=RUNNING)
    orion.propose(first.id, COMPLETED, result='{"inline":1}', cache_key="k")
    clock.advance(90)
    second = orion.create_run("task", "t")
    orion.propose(second.id, RUNNING, cache_key="k")
    assert summary(orion, second)[-1] == (
        "09:01:30.000Z Cached: Running was proposed; retrieve_from_cache entered Cached instead: "
        f"computed 90 s ago by run {first.id[-8:]}"
    )


def test_a_rule_that_let_it_pass_and_had_something_to_say_is_heard(orion, clock):
    run = orion.create_run("task", "t")
    orion.propose(run.id, RUNNING, cache_key="k")
    said = "retrieve_from_cache: nothing in the cache for this key"
    assert summary(orion, run)[-1].endswith(f"; {said}")


def test_a_result_that_was_not_kept_is_told_with_the_reason(orion):
    run = orion.create_run("task", "t", state=RUNNING)
    orion.propose(run.id, COMPLETED, result='{"note":"<lock>","problem":"can\'t pickle a lock"}')
    assert summary(orion, run)[-1] == (
        "its result is unpersisted (can't pickle a lock): "
        "when its flow is rerun it is executed again"
    )
    assert orion.why(run.id)["problems"][0]["reason"] == "can't pickle a lock"


def test_a_result_on_its_way_is_told_with_the_command_that_takes_it_on(orion):
    run = orion.create_run("task", "t", state=RUNNING)
    told = f'{{"key":"{"a" * 64}","url":"s3://b","spooled":true}}'
    orion.propose(run.id, COMPLETED, result=told)
    assert "`orion-nb results flush` takes it on" in summary(orion, run)[-1]


def test_a_run_that_is_to_stop_is_told_for_how_long(orion, clock):
    run = orion.create_run("flow", "f", state=RUNNING)
    orion.propose(run.id, CANCELLING)
    clock.advance(4)
    says = "it was asked to stop 4.0 s ago; its code has not stopped yet"
    assert summary(orion, run)[-1] == says


def test_a_run_that_is_tried_again_says_when(orion, clock):
    run = orion.create_run("task", "t", policy={"retries": 1, "retry_delay": 60}, state=RUNNING)
    orion.propose(run.id, FAILED, message="oh")
    clock.advance(20)
    orion.propose(run.id, RUNNING)  # refused: a reason that ages is not repeated
    assert summary(orion, run)[-1] == "tried again in 40.0 s"
    assert not any("blocked" in line for line in summary(orion, run))


def test_a_scheduled_run_says_when_it_is_due(orion, clock):
    run = orion.create_run("flow", "f", scheduled_time=clock.at + 90_000_000)
    assert summary(orion, run) == [
        "09:00:00.000Z Scheduled: created, due 2026-03-02 09:01:30Z",
        "due in 1 min 30 s",
    ]


def test_while_a_run_goes_on_it_is_told_what_goes_on_in_it(orion, clock):
    flow = orion.create_run("flow", "f", state=RUNNING)
    runs = []
    for n in range(7):
        runs.append(orion.create_run("task", f"t{n}", parent=flow.id, state=RUNNING))
        clock.advance(1)
    assert summary(orion, flow)[2:4] == [
        f"in it, task t0 ({runs[0].id[-8:]}) is Running, for 7.0 s",
        f"in it, task t1 ({runs[1].id[-8:]}) is Running, for 6.0 s",
    ]
    assert summary(orion, flow)[-1] == "in it, 2 more go on or wait"


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("etl.nightly", "run it once more: `orion-nb runs rerun {0} --code etl.py:nightly`"),
        ("jobs.etl.nightly", "run it once more: `orion-nb runs rerun {0} --code FILE.py:nightly`"),
        ("__main__.nightly", "run it once more, where its code is: `nightly.rerun('{0}')`"),
    ],
)
def test_a_flow_that_failed_is_told_with_the_command_that_runs_it_once_more(orion, key, says):
    run = orion.create_run("flow", "nightly", key=key, state=RUNNING)
    orion.propose(run.id, FAILED, message="oh")
    assert summary(orion, run)[-1] == says.format(run.id[-8:])


def test_nothing_is_to_be_done_about_what_was_cancelled_or_is_part_of_another(orion):
    flow = orion.create_run("flow", "f", key="etl.f", state=RUNNING)
    inner = orion.create_run("flow", "g", key="etl.g", parent=flow.id, state=RUNNING)
    orion.propose(inner.id, FAILED)
    orion.propose(flow.id, CANCELLED)
    assert not any("once more" in line for line in summary(orion, inner) + summary(orion, flow))


def test_who_was_to_try_again_and_died_is_told_with_how_to_pick_it_up(orion, script):
    died = script(
        """
        import os, sys
        from orion_nb import flow
        from orion_nb.engine.context import here

        @flow(retries=1, retry_delay=600)
        def nightly():
            raise ConnectionError("no line")

        def told(run, report):
            if report.state.name == "AwaitingRetry":
                print(run.id, flush=True)

        nightly.with_options(on_change=told)()
        """
    )
    run_id = died.stdout.readline().strip()
    assert not any("is gone" in line for line in orion.why(run_id)["summary"])
    died.kill()
    died.wait()
    orion.reap()
    gone, remedy = orion.why(run_id)["summary"][-2:]
    assert gone == "the process that was to try it again is gone"
    file = Path(died.args[-1]).name
    assert remedy == f"pick it up: `orion-nb runs rerun {run_id[-8:]} --code {file}:nightly`"
