"""Runs over the API: created with checks, found by what people type, listed page by page."""

from __future__ import annotations

import re

import pytest

from orion_nb.clock import SECOND
from orion_nb.errors import InvalidInput, OrionError, RunNotFound
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import new_id
from orion_nb.schemas.states import (
    CANCELLED,
    COMPLETED,
    FAILED,
    PENDING,
    RUNNING,
    SCHEDULED,
    StateType,
)

# -- create ----------------------------------------------------------------------------------------


def test_a_run_is_born_pending(orion, clock):
    run = orion.create_run("flow", "etl", tags=["a", "b"], parameters={"x": [1]}, key="etl.py:etl")
    assert run == orion.find(run.id)
    assert (run.state.type, run.state.seq, run.created) == (PENDING, 1, clock.at)
    assert (run.tags, run.parameters, run.key) == (("a", "b"), {"x": [1]}, "etl.py:etl")
    assert (run.attempt, run.run_count, run.root, run.report) == (0, 0, run.id, None)


def test_a_run_with_a_time_is_born_scheduled(orion, clock):
    run = orion.create_run("flow", "f", scheduled_time=clock.at + SECOND)
    assert (run.state.type, run.scheduled_time) == (SCHEDULED, clock.at + SECOND)


@pytest.mark.parametrize(
    ("state", "entered"), [(None, PENDING), (PENDING, PENDING), (SCHEDULED, SCHEDULED)]
)
def test_a_run_is_born_in_the_state_asked_for(orion, clock, state, entered):
    run = orion.create_run("flow", "f", state=state)
    assert run.state.type is entered
    assert run.scheduled_time == (clock.at if entered is SCHEDULED else None)
    assert len(orion.read_states(run.id)["states"]) == 1


def test_a_run_can_be_started_as_it_is_created(orion):
    run = orion.create_run("task", "t", state=RUNNING)
    assert (run.state.type, run.report.status, run.report.attempt) == (RUNNING, Status.ACCEPT, 1)
    assert run.as_json()["report"]["token"] == run.token
    assert "token" not in run.as_json()


def test_one_that_is_started_before_its_time_waits(orion, clock):
    run = orion.create_run("task", "t", state=RUNNING, scheduled_time=clock.at + SECOND)
    assert (run.state.type, run.report.status) == (SCHEDULED, Status.WAIT)
    assert orion.find(run.id).blocked.until == clock.at + SECOND


def test_a_run_knows_its_family(orion):
    top = orion.create_run("flow", "top")
    child = orion.create_run("task", "child", parent=top.id)
    grandchild = orion.create_run("flow", "grandchild", parent=child.id[-8:])
    assert (child.parent, child.root) == (top.id, top.id)
    assert (grandchild.parent, grandchild.root) == (child.id, top.id)


def test_a_run_can_wait_for_others(orion):
    first = orion.create_run("task", "first")
    second = orion.create_run("task", "second", upstream=[first.id], state=RUNNING)
    assert second.report.reason == "waits for first (Pending)"
    orion.propose(first.id, FAILED)
    assert orion.propose(second.id, RUNNING).state.name == "UpstreamFailed"


def test_a_policy_is_read_with_durations_as_texts(orion):
    policy = {"retries": 2, "retry_delay": ["1s", "1m"], "timeout": "1h", "trigger": "any_failed"}
    run = orion.create_run("task", "t", policy=policy)
    assert run.policy == RunPolicy(2, (1.0, 60.0), 3600.0, "any_failed")
    assert orion.find(run.id).policy == run.policy


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": ""}, "name: 1 to 255 characters, got 0"),
        ({"name": "x" * 256}, "name: 1 to 255 characters, got 256"),
        ({"name": "a\x1b[31m"}, "name: 'a\\x1b[31m' has a control character"),
        ({"name": "\ud800"}, "name: '\\ud800' has a control character"),
        ({"run_name": "a\x1b[31m"}, "run_name: 'a\\x1b[31m' has a control character"),
        ({"tags": ["fine", "\n"]}, "tags: '\\n' has a control character"),
        ({"policy": {"retry": 1}}, "policy.retry: not known; there are retries, retry_delay"),
        ({"policy": {"retries": -1}}, "policy.retries: expected 0..100, got -1"),
        ({"policy": {"retries": True}}, "policy.retries: expected 0..100, got True"),
        ({"policy": {"retries": "3"}}, "policy.retries: expected 0..100, got '3'"),
        ({"policy": {"trigger": "never"}}, "policy.trigger: 'never' is none of all_completed"),
        ({"policy": {"retry_delay": "soon"}}, "soon"),
        ({"policy": {"timeout": -1}}, "-1"),
        ({"parameters": {"x": "y" * 600_000}}, "parameters: more than 512 KiB"),
        ({"state": COMPLETED}, "state: no run is born COMPLETED; use"),
        ({"scheduled_time": -1}, "scheduled_time: -1 µs since 1970 is not in the years"),
        ({"scheduled_time": 2**70}, "is not in the years 1970 to 9999"),
        ({"parent": new_id()}, "no run"),
        ({"upstream": [new_id()]}, "no run"),
        ({"kind": "flow", "upstream": [new_id()]}, "upstream: only a task run waits for others"),
        ({"kind": "flow", "policy": {"trigger": "any_failed"}}, "policy: only a task run waits"),
    ],
)
def test_what_cant_be_accepted_is_named_and_nothing_is_written(orion, wrong, says):
    with pytest.raises(OrionError, match=re.escape(says)) as refused:
        orion.create_run(**{"kind": "task", "name": "t", **wrong})
    assert refused.value.status in (404, 422)
    assert orion.filter_runs()["runs"] == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "Done"}, "name: 'Done' is no name of COMPLETED; there are Completed, Cached"),
        ({"scheduled_time": 2**70}, "scheduled_time: .* is not in the years"),
    ],
)
def test_a_proposal_that_cant_be_read_is_refused(orion, wrong, says):
    run = orion.create_run("task", "t", state=RUNNING)
    with pytest.raises(InvalidInput, match=says):
        orion.propose(run.id, COMPLETED, **wrong)


def test_a_proposed_time_is_that_of_the_state(orion, clock):
    run = orion.create_run("task", "t")
    report = orion.propose(run.id, SCHEDULED, scheduled_time=clock.at + 5)
    assert report.state.scheduled_time == orion.find(run.id).scheduled_time == clock.at + 5
    assert orion.propose(run.id, SCHEDULED).state.scheduled_time == clock.at


# -- find ------------------------------------------------------------------------------------------


@pytest.fixture
def three(orion):
    """Three runs, the ids of two of which end alike."""
    made = []
    for name, run_id in (
        ("etl", f"{1:024x}abcd1234"),
        ("report", f"{2:024x}ffff1234"),
        ("etl", f"{3:024x}00005678"),
    ):
        run = orion.new_run("flow", name, run_name=f"{name}-{run_id[-4:]}")
        object.__setattr__(run, "id", run_id)
        object.__setattr__(run, "root", run_id)
        made.append(orion.begin(run)[0])
    return made


@pytest.mark.parametrize(
    ("ref", "index"),
    [
        (f"{1:024x}abcd1234", 0),
        (f"{1:024x}ABCD1234", 0),
        ("00000000-0000-0000-0000-0001abcd1234", 0),
        (" abcd1234 ", 0),
        ("ABCD1234", 0),
        ("5678", 2),
        ("etl", 2),
        ("report", 1),
        ("etl-1234", 0),
    ],
)
def test_a_run_is_found_by_id_by_its_last_digits_and_by_name(orion, three, ref, index):
    assert orion.find(ref) == three[index]


def test_digits_that_fit_several_runs_are_answered_with_all_of_them(orion, three):
    with pytest.raises(InvalidInput, match="give more digits") as refused:
        orion.find("1234")
    assert three[0].id in str(refused.value)
    assert three[1].id in str(refused.value)


@pytest.mark.parametrize("ref", ["", "ab", "nothing", "e" * 32, "ee" * 40, "%", "_tl"])
def test_what_is_no_run_is_said_to_be_none(orion, three, ref):
    with pytest.raises(RunNotFound, match="orion-nb runs ls"):
        orion.find(ref)


@pytest.mark.parametrize(
    "asked",
    [
        lambda orion: orion.find("\ud800"),
        lambda orion: orion.filter_runs(name="\ud800"),
        lambda orion: orion.count_runs(name="a", deployment="\ud800"),
        lambda orion: orion.events_after(2**64),
    ],
)
def test_what_no_database_can_hold_is_refused_and_no_server_error(orion, asked):
    with pytest.raises(InvalidInput, match=r"no text|too large"):
        asked(orion)


def test_a_name_in_hexadecimal_digits_is_a_name_if_no_id_ends_so(orion):
    run = orion.create_run("flow", "facade")
    assert orion.find("facade") == run


# -- cancel, events, health ------------------------------------------------------------------------


def test_cancelling_tells_who_and_why(orion):
    run = orion.create_run("flow", "f", state=RUNNING)
    report = orion.cancel(run.id, why="wrong data", by="ann")
    assert (report.state.name, report.state.message, report.state.by) == (
        "Cancelling", "wrong data", "ann",
    )  # fmt: skip
    assert orion.cancel(run.id).status is Status.REJECT


def test_cancelling_what_has_not_begun_is_done_at_once(orion):
    run = orion.create_run("flow", "f")
    report = orion.cancel(run.id, by="ann")
    assert (report.status, report.state.type, report.state.by) == (
        Status.REJECT, CANCELLED, "ann",
    )  # fmt: skip


def test_events_are_the_states_of_all_runs_in_order(orion, other):
    one = orion.create_run("flow", "one", state=RUNNING)
    two = other.create_run("task", "two", parent=one.id)
    orion.propose(one.id, COMPLETED)
    told = orion.events_after(0)
    assert [(each.name, each.state_name) for each in told] == [
        ("one", "Pending"), ("one", "Running"), ("two", "Pending"), ("one", "Completed"),
    ]  # fmt: skip
    assert [each.n for each in told] == sorted({each.n for each in told})
    assert told[-1].n == orion.last_event()
    assert orion.events_after(told[1].n) == told[2:]
    assert orion.events_after(0, limit=2) == told[:2]
    assert {each.run for each in orion.events_after(0, root=one.id)} == {one.id, two.id}
    assert orion.events_after(0, root=two.id) == []


def test_whoever_watches_sees_what_others_commit(orion, other):
    start = orion.last_event()
    run = other.create_run("flow", "f")
    seen = []

    def done():
        return len(seen) >= 3

    for told in orion.watch(after=start, until=done):
        seen += [each.state_name for each in told]
        if len(seen) == 1:
            other.propose(run.id, RUNNING)
        elif len(seen) == 2:
            orion.propose(run.id, COMPLETED)
    assert seen == ["Pending", "Running", "Completed"]


def test_a_watcher_stops_when_the_database_is_closed(orion, other):
    orion.create_run("flow", "f")
    watching = other.watch(after=0)
    assert len(next(watching)) == 1
    other.close()
    assert list(watching) == []


def test_health_tells_the_schema_and_the_last_event(orion):
    orion.create_run("flow", "f")
    told = orion.health()
    assert (told["status"], told["last_event"]) == ("ok", orion.last_event())


@pytest.mark.parametrize("kind", list(StateType))
def test_a_run_is_shown_as_json_in_every_state(orion, kind):
    import json

    run = orion.create_run("flow", "f", parameters={"x": 1.5})
    orion.propose(run.id, kind, force=True, why="to see")
    shown = json.loads(json.dumps(orion.read_run(run.id).as_json()))
    assert shown["state"]["type"] == kind
    assert shown["parameters"] == {"x": 1.5}
    assert "token" not in shown


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda api: api.filter_runs(text="%" * 60_000), "text: 1 to 255 characters"),
        (lambda api: api.count_runs(text="x" * 256), "text: 1 to 255 characters"),
        (lambda api: api.create_run("flow", "f", tags=["t"] * 51), "tags: at most 50, got 51"),
    ],
)
def test_what_is_too_long_is_refused_by_name(orion, ask, says):
    with pytest.raises(InvalidInput, match=says):
        ask(orion)
