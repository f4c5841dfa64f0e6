"""Runs over the API: created with checks, found by what people type, listed page by page."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb import clock as orion_clock
from orion_nb.api.orion import Orion
from orion_nb.clock import SECOND
from orion_nb.errors import DeploymentNotFound, InvalidInput, OrionError, RunNotFound
from orion_nb.schemas.cursors import seal
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import new_id
from orion_nb.schemas.states import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    FAILED,
    PENDING,
    RUNNING,
    SCHEDULED,
    StateType,
)
from orion_nb.settings import Settings
from orion_nb.store import listing


def listed(orion, **chosen):
    return [run["name"] for run in orion.filter_runs(**chosen)["runs"]]


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
    assert listed(orion) == []


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


# -- lists -----------------------------------------------------------------------------------------


def test_every_run_is_on_exactly_one_page(orion):
    made = [orion.create_run("task", f"t{n}").id for n in range(23)]
    seen, cursor, pages = [], None, 0
    while True:
        page = orion.filter_runs(limit=5, cursor=cursor)
        seen += [run["id"] for run in page["runs"]]
        cursor, pages = page["cursor"], pages + 1
        if cursor is None:
            break
        orion.create_run("task", "later")  # newer runs do not disturb older pages
    assert seen == made[::-1]
    assert pages == 5


def test_the_last_page_that_is_just_full_has_no_next(orion):
    for _ in range(5):
        orion.create_run("task", "t")
    assert orion.filter_runs(limit=5)["cursor"] is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"limit": 0}, "limit: 0 is not between 1 and 200"),
        ({"limit": 201}, "limit: 201 is not between 1 and 200"),
        ({"cursor": "next"}, "cursor: 'next': it is none that this"),
        ({"states": ["Done"]}, "states: 'Done' is no state; there are AwaitingRetry"),
        ({"parent": "nobody"}, "no run 'nobody'"),
        ({"root": "nobody"}, "no run 'nobody'"),
        ({"since": 2**80}, "since: "),
    ],
)
def test_a_filter_that_cant_be_read_is_refused(orion, wrong, says):
    with pytest.raises((InvalidInput, RunNotFound), match=re.escape(says)):
        orion.filter_runs(**wrong)


def test_a_filter_by_a_deployment_that_is_not_there_says_so(orion):
    with pytest.raises(DeploymentNotFound, match="'weekly'"):
        orion.filter_runs(deployment="weekly")
    assert listed(orion, deployment=new_id()) == []  # one that was deleted, say


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["running"], "b"),
        (["RUNNING"], "b"),
        (["Pending", "failed"], "a c"),
        (["Scheduled"], "d e"),
        (["late"], "d"),
        (["AwaitingRetry"], ""),
    ],
)
def test_states_are_named_as_people_say_them(orion, clock, words, names):
    orion.create_run("flow", "a")
    orion.create_run("flow", "b", state=RUNNING)
    orion.propose(orion.create_run("flow", "c").id, FAILED)
    orion.create_run("flow", "d", scheduled_time=clock.at)
    orion.create_run("flow", "e", scheduled_time=clock.at + 60 * SECOND)
    clock.advance(15.000001)
    assert sorted(listed(orion, states=words)) == names.split()


def test_a_run_is_late_fifteen_seconds_after_its_time_and_nothing_is_written_for_it(orion, clock):
    run = orion.create_run("flow", "f", scheduled_time=clock.at)
    clock.advance(15)
    assert orion.count_runs()["counts"] == {"SCHEDULED": 1}
    clock.advance(0.000001)
    assert orion.count_runs()["counts"] == {"Late": 1}
    assert len(orion.read_states(run.id)["states"]) == 1


def test_counts_take_the_same_filters(orion):
    top = orion.create_run("flow", "top", state=RUNNING)
    for name in ("x", "x", "y"):
        orion.create_run("task", name, parent=top.id)
    assert orion.count_runs()["counts"] == {"RUNNING": 1, "PENDING": 3}
    assert orion.count_runs(parent=top.id, name="x")["counts"] == {"PENDING": 2}
    assert orion.count_runs(kind="flow", top_level=True)["counts"] == {"RUNNING": 1}
    assert orion.count_runs(states=["failed"])["counts"] == {}


def test_runs_created_since_a_moment(orion, clock):
    orion.create_run("flow", "old")
    clock.advance(10)
    orion.create_run("flow", "new")
    assert listed(orion, since=clock.at) == ["new"]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Many runs of all sorts, in a tree, made once."""
    opened = Orion(Settings.load(home=tmp_path_factory.mktemp("crowd")))
    with orion_clock.frozen(100 * SECOND) as now:
        tops = [opened.create_run("flow", f"flow {n % 3}") for n in range(4)]
        for n in range(40):
            run = opened.create_run(
                "task", f"task_{n % 5}", parent=tops[n % 4].id,
                scheduled_time=n * 5 * SECOND if n % 3 == 0 else None,
            )  # fmt: skip
            if n % 4 == 1:
                opened.propose(run.id, [FAILED, CANCELLED, RUNNING, CANCELLING][n // 4 % 4])
            now.advance(1)
        yield opened, tops
    opened.close()


@given(data=st.data())
def test_any_filter_finds_what_matches_each_of_its_parts(crowd, data):
    orion, tops = crowd
    everyone = orion.list_runs(listing.RunFilter(), 1000)
    now = orion_clock.now()

    def is_late(run):
        due = run.state.scheduled_time
        return run.state.type is SCHEDULED and due is not None and due + 15 * SECOND < now

    parts = {
        "kind": (st.sampled_from(["flow", "task"]), lambda r, v: r.kind == v),
        "states": (
            st.lists(st.sampled_from(["FAILED", "Late", "SCHEDULED", "Cancelled"]), min_size=1),
            lambda r, v: r.state.type in v or r.state.name in v or ("Late" in v and is_late(r)),
        ),
        "text": (
            st.sampled_from(["task_1", "FLOW", "_", "zzz", tops[0].id[-6:]]),
            lambda r, v: v.lower() in r.name.lower() or r.id.endswith(v),
        ),
        "name": (st.sampled_from(["flow 1", "task_2", "task"]), lambda r, v: r.name == v),
        "parent": (st.sampled_from([t.id for t in tops]), lambda r, v: r.parent == v),
        "root": (st.sampled_from([t.id for t in tops]), lambda r, v: r.root == v),
        "top_level": (st.just(True), lambda r, v: r.parent is None),
        "since": (st.integers(100 * SECOND, 145 * SECOND), lambda r, v: r.created >= v),
        "cursor": (st.sampled_from([r.id for r in everyone]), lambda r, v: r.id < v),
    }
    chosen = data.draw(
        st.fixed_dictionaries({}, optional={name: part[0] for name, part in parts.items()})
    )
    wanted = [r for r in everyone if all(parts[name][1](r, v) for name, v in chosen.items())]
    asked = dict(chosen)
    if "cursor" in asked:
        place = bytes.fromhex(asked.pop("cursor"))
        asked["cursor"] = seal(place, asked)
    found = orion.filter_runs(**asked, limit=200)["runs"]
    assert [run["id"] for run in found] == [run.id for run in wanted]
    if "cursor" not in chosen:
        counts = orion.count_runs(**chosen)["counts"]
        assert sum(counts.values()) == len(wanted)
        assert counts.get("Late", 0) == sum(map(is_late, wanted))


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
