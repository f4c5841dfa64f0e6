"""`orion-nb explain` and the stories that `runs why` and `runs show` tell."""

from __future__ import annotations

import time

import pytest

from orion_nb import flow, task
from orion_nb.api.orion import Orion
from orion_nb.schemas.states import RUNNING


@task(cache=True)
def load() -> int:
    return 1


@flow(sla=0.001)
def late() -> int:
    time.sleep(0.01)
    return load()


@pytest.fixture
def told(here: Orion) -> Orion:
    late()
    return here


@pytest.mark.parametrize("option", ["--propose", "--to"])
def test_a_proposal_is_tried_and_nothing_is_written(call, told, option):
    before = told.last_event()
    done = call("explain", "late", option, "running")
    assert done.code == 0
    assert "REJECT, it would stay ✔ Completed" in done.out
    assert told.last_event() == before


def test_a_proposal_that_is_no_state_is_a_usage_error(call, told):
    done = call("explain", "late", "--propose", "runing")
    assert done.code == 2
    assert "did you mean 'running'" in done.err


def test_a_rule_that_passed_and_had_something_to_say_stands_out(call, told):
    shown = call("explain", "late").out
    assert "✎ mark_a_late_end" in shown
    assert "after its SLA" in shown
    assert "· time_out_at_the_deadline" in shown


def test_a_missed_promise_is_seen_at_once(call, told):
    assert "⚑ missed sla" in call("explain", "late").out.splitlines()[0]
    assert "⚑ missed sla" in call("runs", "ls").out
    assert "mark_a_late_end: ended" in call("runs", "why", "late").out


def test_an_answer_from_the_cache_names_the_run_that_computed_it(call, told):
    first = told.find("load")
    late()
    said = call("runs", "why", "load").out
    assert "retrieve_from_cache entered Cached instead: computed" in said
    assert f"by run {first.id[-8:]}" in said


def test_notes_are_told_at_their_time_and_times_are_those_of_this_clock(call, here):
    run = here.create_run("task", "t", state=RUNNING)
    attempt = here.find(run.id).attempt
    here.propose(run.id, "COMPLETED")
    here.propose(run.id, "FAILED", attempt=attempt)
    lines = call("runs", "why", "t").out.splitlines()
    assert "too late: Failed was proposed" in lines[-1]
    assert lines[-1].split()[0].count(":") == 2
    assert "note: too late" in call("explain", "t").out
    assert "note: too late" in call("runs", "show", "t").out


def test_a_run_is_shown_with_the_beginning_of_its_result(call, told):
    lines = call("runs", "show", "late").out.splitlines()
    assert ["result", "1"] in [line.split() for line in lines]


def test_what_waits_for_a_slot_says_who_has_it(call, here):
    here.set_limit("db", 1)
    policy = {"concurrency": {"db": 1}}
    first = here.create_run("task", "first", policy=policy, state=RUNNING)
    here.create_run("task", "second", policy=policy, state=RUNNING)
    said = f"waits for a slot of limit 'db': 1 of 1 in use by first ({first.id[-8:]})"
    for command in (("runs", "why"), ("explain",), ("runs", "show")):
        assert said in call(*command, "second").out
