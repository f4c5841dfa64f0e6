"""Proposals are judged alike in the process and over HTTP."""

from __future__ import annotations

import pytest

from orion_nb import clock
from orion_nb.api.answers import Proposal
from orion_nb.errors import Conflict, Fenced, RunNotFound
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
    Cancelling,
    Completed,
    Failed,
    Running,
)
from orion_nb.schemas.values import evolve
from tests.api.contract.conftest import begun


def test_a_run_is_begun_and_ended(api, name):
    before = clock.now()
    made = api.new_run("flow", name, tags=("a", "b"), parameters={"x": 1}, key="k", run_name="r")
    run, report = api.begin(made, Running())
    assert (report.status, report.attempt, report.proposed) == (Status.ACCEPT, 1, "Running")
    assert report.token
    assert run.token == report.token
    assert (run.id, run.state.type, run.attempt, run.run_count) == (made.id, RUNNING, 1, 1)
    assert before <= run.created <= run.start_time <= clock.now()
    assert run.session == api.session
    assert [line.rule for line in report.rules][:1] == ["fence_stale_attempts"]
    assert all(line.says for line in report.rules)
    ended, report = api.advance(run, Completed(result='{"inline":1}'))
    assert (report.status, ended.state.type, ended.state.seq) == (Status.ACCEPT, COMPLETED, 3)
    assert ended.end_time == ended.state.timestamp
    assert ended.total_time == ended.end_time - ended.start_time
    known = api.find(run.id)
    assert evolve(known, token=None, session=None) == evolve(ended, token=None, session=None)
    assert (known.tags, known.parameters, known.key) == (("a", "b"), {"x": 1}, "k")


def test_a_new_run_may_be_written_without_a_proposal(api, name):
    run, report = api.begin(api.new_run("flow", name))
    assert (run.state.type, run.state.seq, report) == (PENDING, 1, None)
    assert api.find(run.id).state == run.state


def test_a_run_within_another_is_part_of_its_tree(api, name):
    above = begun(api, name)
    below = begun(api, "t", "task", parent=above.id)
    within = begun(api, "u", "task", parent=below.id)
    assert (within.root, within.parent) == (above.id, below.id)
    assert [run.id for run in api.children(above.id, above.root)] == [below.id]


def test_a_refusal_says_which_rule_and_stays_with_the_run(api, name):
    first = begun(api, name, "task")
    waits, report = api.begin(
        api.new_run("task", name, policy=RunPolicy()), Running(), [(first.id, "x")]
    )
    assert (report.status, waits.state.type) == (Status.WAIT, PENDING)
    assert report.rules[-1].rule == "wait_for_upstream_runs"
    assert report.retry_after is not None
    assert waits.blocked is not None
    assert api.find(waits.id).blocked.reason == report.reason
    api.advance(first, Completed())
    after, report = api.advance(waits, Running())
    assert (report.status, after.state.type) == (Status.ACCEPT, RUNNING)


def test_a_failure_is_retried_as_the_policy_says(api, name):
    run = begun(api, name, "task", policy=RunPolicy(retries=1))
    after, report = api.advance(run, Failed("boom"))
    assert (report.status, after.state.name) == (Status.REJECT, "AwaitingRetry")
    assert after.state.scheduled_time is not None
    again, report = api.advance(after, Running())
    assert (again.state.name, again.attempt, report.attempt) == ("Retrying", 2, 2)
    assert again.token != run.token
    final, report = api.advance(again, Failed("boom"), retriable=False)
    assert (report.status, final.state.type) == (Status.ACCEPT, FAILED)


def test_an_attempt_that_is_over_is_fenced(api, name):
    first = begun(api, name, "task", policy=RunPolicy(retries=1))
    waiting, _ = api.advance(first, Failed("boom"))
    api.advance(waiting, Running())
    with pytest.raises(Fenced, match="attempt 1 is over: attempt 2 owns the run"):
        api.advance(first, Completed())
    with pytest.raises(Fenced, match="token"):
        api.judge(first.id, Completed(), claims=2, token="0" * 16)


def test_what_comes_from_outside_is_judged_too(api, name):
    run = begun(api, name)
    asked, report = api.judge(run.id, Cancelling(by="somebody"))
    assert (report.status, asked.state.type, asked.state.by) == (
        Status.ACCEPT, CANCELLING, "somebody",
    )  # fmt: skip
    ended, report = api.advance(run, Completed())
    assert (report.status, ended.state.type) == (Status.REJECT, CANCELLED)
    with pytest.raises(RunNotFound):
        api.judge(new_id(), Completed())


def test_foreseen_and_proposed_are_the_same(api, name):
    run = begun(api, name)
    claim = {"claims": run.attempt, "token": run.token}
    seen = api.foresee(run.id, Completed(), **claim)
    assert api.find(run.id).state == run.state
    _, report = api.advance(run, Completed())
    assert [line.as_json() for line in seen.rules] == [line.as_json() for line in report.rules]
    assert (seen.status, seen.state.name) == (report.status, report.state.name)


def test_one_ends_and_the_next_begins_at_once(api, name):
    flow_run = begun(api, name)
    first = begun(api, "a", "task", parent=flow_run.id)
    second = api.new_run("task", "b", parent=flow_run.id)
    (ended, said), (next_run, told) = api.put_all(
        [Proposal(first, Completed()), Proposal(second, Running())]
    )
    assert (ended.state.type, next_run.state.type) == (COMPLETED, RUNNING)
    assert (said.status, told.status) == (Status.ACCEPT, Status.ACCEPT)


def test_a_refused_proposal_keeps_none_beside_it_from_being_judged(api, name):
    first = begun(api, name, "task", policy=RunPolicy(retries=1))
    waiting, _ = api.advance(first, Failed("boom"))
    api.advance(waiting, Running())
    following = api.new_run("task", "c")
    late, (began, report) = api.put_all(
        [Proposal(first, Completed()), Proposal(following, Running())]
    )
    assert isinstance(late, Fenced)
    assert (began.state.type, report.status) == (RUNNING, Status.ACCEPT)
    assert api.find(following.id).state.type is RUNNING


def test_what_cannot_even_be_judged_takes_none_beside_it_along(api, name):
    known = begun(api, name, "task")
    first, last = api.new_run("task", "first"), api.new_run("task", "last")
    twice = evolve(api.new_run("task", "twice"), id=known.id)  # it was written already
    answers = api.put_all([Proposal(each, Running()) for each in (first, twice, last)])
    assert [type(each) for each in answers] == [tuple, Conflict, tuple]
    for run in (first, last):
        assert [state["name"] for state in api.read_states(run.id)["states"]] == [
            "Pending", "Running",
        ]  # fmt: skip
    assert api.find(known.id).name == name


def test_a_run_can_be_reopened(api, name):
    run = begun(api, name)
    ended, _ = api.advance(run, Completed())
    refused, report = api.advance(ended, Running())
    assert (report.status, refused.state.type) == (Status.REJECT, COMPLETED)
    again, report = api.advance(ended, Running(), rerun=True)
    assert (again.state.name, again.attempt) == ("Rerunning", 2)


@pytest.mark.parametrize("odd", ["\udcff", "\ud83d\ude00", "é\n", float("nan"), {"a": object}])
def test_odd_values_are_kept_as_well_as_can_be(api, name, odd):
    run = begun(api, name, parameters={"x": odd})
    ended, _ = api.advance(run, Failed(f"about {odd}"), retriable=False)
    assert ended.state.type is FAILED
    assert api.find(run.id).state.type is FAILED
    assert "x" in api.find(run.id).parameters
