"""Runs are listed page by page, and counted, by filters as people type them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb import clock as orion_clock
from orion_nb.api.orion import Orion
from orion_nb.clock import SECOND
from orion_nb.errors import DeploymentNotFound, InvalidInput, RunNotFound
from orion_nb.schemas.cursors import seal
from orion_nb.schemas.runs import new_id
from orion_nb.schemas.states import CANCELLED, CANCELLING, FAILED, RUNNING, SCHEDULED
from orion_nb.settings import Settings
from orion_nb.store import listing


def listed(orion, **chosen):
    return [run["name"] for run in orion.filter_runs(**chosen)["runs"]]


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
