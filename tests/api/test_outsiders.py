"""Who does not execute a run proposes states for it: what is refused, what answered twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from orion_nb.errors import Conflict, Fenced, InvalidInput, RunNotFound
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import (
    CANCELLING,
    COMPLETED,
    FAILED,
    PENDING,
    RUNNING,
    TERMINAL,
    Completed,
    Crashed,
    Running,
    StateType,
)
from tests.api.proposing import begun, names

# -- from outside ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        {"attempt": 0},
        {"attempt": 2},
        {"attempt": 1, "token": "wrong"},
        {"attempt": 0, "token": "wrong"},
    ],
)
def test_a_stale_attempt_or_a_wrong_token_is_fenced_and_writes_nothing(orion, claim):
    run, _ = begun(orion)
    before = orion.find(run.id)
    with pytest.raises(Fenced) as fenced:
        orion.propose(run.id, COMPLETED, **claim)
    assert fenced.value.status == 409
    assert orion.find(run.id) == before
    report = orion.propose(run.id, COMPLETED, **claim, explain=True)
    assert (report.status, report.fenced) == (Status.ABORT, True)


def test_a_token_without_its_attempt_is_refused(orion):
    run, _ = begun(orion)
    with pytest.raises(InvalidInput, match="give both"):
        orion.propose(run.id, COMPLETED, token=run.token)


@pytest.mark.parametrize("proposed", sorted(TERMINAL))
@pytest.mark.parametrize("claims", [False, True])
def test_an_outsider_cant_end_a_run_that_a_live_session_executes(orion, other, proposed, claims):
    run, _ = begun(orion)
    claim = {"attempt": run.attempt} if claims else {}  # the number of an attempt is no secret
    report = other.propose(run.id, proposed, **claim)
    assert report.status is Status.ABORT
    assert "live session" in report.reason
    assert orion.find(run.id).state.type is RUNNING
    assert orion.find(run.id).blocked is None  # it goes on


def test_who_shows_the_token_speaks_for_the_run(orion, other):
    run, _ = begun(orion)
    report = other.propose(run.id, COMPLETED, attempt=run.attempt, token=run.token)
    assert report.status is Status.ACCEPT


def test_an_outsider_may_end_a_run_that_no_session_executes(orion):
    """A client that only speaks HTTP has no session; it needs no token either."""
    run = orion.create_run("task", "by hand", state=RUNNING)
    assert orion.propose(run.id, COMPLETED).status is Status.ACCEPT


def test_a_run_of_a_session_that_has_ended_is_anybodys(orion, other):
    run, _ = begun(other)
    other.close()
    assert orion.propose(run.id, FAILED, message="it is gone").status is Status.ACCEPT


def test_an_outsider_starts_a_run_and_is_given_attempt_and_token(orion):
    run = orion.create_run("flow", "by hand")
    report = orion.propose(run.id, RUNNING)
    assert (report.attempt, len(report.token)) == (1, 16)
    report = orion.propose(run.id, COMPLETED, attempt=1, token=report.token)
    assert report.status is Status.ACCEPT
    assert (report.attempt, report.token) == (None, None)


def test_a_run_that_was_paused_while_it_ran_can_complete(orion, other):
    run, _ = begun(orion)
    assert other.propose(run.id, StateType.PAUSED).status is Status.ACCEPT
    assert other.propose(run.id, COMPLETED).status is Status.ABORT
    run, report = orion.advance(run, Completed())
    assert (report.status, run.state.type) == (Status.ACCEPT, COMPLETED)


def test_a_run_can_be_driven_by_words(orion):
    run = orion.create_run("flow", "by hand")
    for word in ("RUNNING", "COMPLETED"):
        assert orion.propose(run.id, StateType(word)).status is Status.ACCEPT


def test_a_proposal_for_a_state_that_has_passed_is_a_conflict(orion):
    run = orion.create_run("task", "t")
    orion.propose(run.id, RUNNING)
    with pytest.raises(Conflict, match="has moved on: it is Running now"):
        orion.judge(run.id, Crashed(), expected_seq=run.state.seq)
    seq = orion.find(run.id).state.seq
    for asked in ({}, {"force": True, "why": "it hangs"}, {"explain": True}):
        with pytest.raises(Conflict, match="has moved on: it is Running now"):
            orion.propose(run.id, FAILED, seq=run.state.seq, **asked)
    assert orion.find(run.id).state.seq == seq
    assert orion.propose(run.id, FAILED, seq=seq, force=True, why="it hangs").state.seq == seq + 1


def test_a_run_that_is_not_there_is_named(orion):
    with pytest.raises(RunNotFound, match=r"ffff.*orion-nb runs ls"):
        orion.judge("f" * 32, Running())
    with pytest.raises(RunNotFound):
        orion.propose("f" * 32, RUNNING)
    with pytest.raises(RunNotFound):
        orion.force("f" * 32, Running(), by="a", why="b")


# -- the same proposal twice -----------------------------------------------------------------------


@pytest.mark.parametrize("proposed", [RUNNING, CANCELLING, FAILED])
def test_a_repeated_proposal_is_answered_as_the_first_time(orion, proposed):
    run = orion.create_run("task", "t", policy={"retries": 1})
    first = orion.propose(run.id, proposed, transition_id="abc")
    seen = orion.propose(run.id, proposed, transition_id="abc", explain=True)
    again = orion.propose(run.id, proposed, transition_id="abc")
    assert again.replayed
    assert not first.replayed
    for repeated in (again, seen):
        assert repeated.state == first.state
        assert repeated.status == first.status
        assert repeated.reason == first.reason
        assert repeated.rules == first.rules
        assert repeated.proposed == first.proposed
    assert (again.attempt, again.token) == (first.attempt, first.token)
    assert seen.token is None
    assert len(orion.read_states(run.id)["states"]) == 2


def test_a_repeated_proposal_is_answered_so_even_after_others(orion):
    run = orion.create_run("task", "t")
    first = orion.propose(run.id, RUNNING, transition_id="1")
    orion.propose(run.id, COMPLETED)
    again = orion.propose(run.id, RUNNING, transition_id="1")
    assert (again.replayed, again.state) == (True, first.state)
    assert orion.find(run.id).state.type is COMPLETED


def test_the_token_of_an_attempt_that_is_over_is_not_handed_out_again(orion):
    run = orion.create_run("task", "t")
    orion.propose(run.id, RUNNING, transition_id="1")
    orion.propose(run.id, PENDING, force=True, why="once more")
    orion.propose(run.id, RUNNING, transition_id="2")
    assert orion.propose(run.id, RUNNING, transition_id="1").token is None


def test_the_same_words_for_another_run_are_another_proposal(orion):
    one, two = (orion.create_run("task", "t") for _ in range(2))
    orion.propose(one.id, RUNNING, transition_id="1")
    assert not orion.propose(two.id, RUNNING, transition_id="1").replayed


def test_many_who_repeat_one_proposal_at_once_get_one_state(orion, other):
    run = orion.create_run("task", "t")
    asked = [orion, other] * 4
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda o: o.propose(run.id, RUNNING, transition_id="1"), asked))
    assert sorted(report.replayed for report in told) == [False] + [True] * 7
    assert len({report.token for report in told}) == 1
    assert names(orion, run) == ["Pending", "Running"]


def test_of_many_who_start_one_run_one_does(orion, other):
    run = orion.create_run("task", "t")
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda o: o.propose(run.id, RUNNING), [orion, other] * 4))
    assert sorted(report.status for report in told) == ["ABORT"] * 7 + ["ACCEPT"]
