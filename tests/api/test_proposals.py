"""Proposals end to end: what is written, what is answered, who may, and what is refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orion_nb.errors import Fenced, InvalidInput
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import (
    CANCELLED,
    COMPLETED,
    FAILED,
    PENDING,
    RUNNING,
    SCHEDULED,
    AwaitingRetry,
    Cancelling,
    Completed,
    Failed,
    Pending,
    Running,
    Scheduled,
)
from tests.api.proposing import begun, names

# -- the owner's path: begin and advance -----------------------------------------------------------


def test_a_run_begins_and_ends_in_two_writes_with_all_its_states(orion, clock):
    run, report = begun(orion)
    assert report.status is Status.ACCEPT
    assert (run.attempt, report.attempt, report.token) == (1, 1, run.token)
    clock.advance(1.5)
    run, report = orion.advance(run, Completed(result="there"))
    assert names(orion, run) == ["Pending", "Running", "Completed"]
    read = orion.find(run.id)
    assert read == run
    assert read.total_time == 1_500_000
    assert read.state.result == "there"
    assert read.end_time == clock.at


def test_every_state_has_its_report_and_the_first_one_none(orion):
    run, _ = begun(orion)
    run, _ = orion.advance(run, Failed("oh"))
    born, running, failed = orion.read_states(run.id)["states"]
    assert born["report"] is None
    assert running["report"]["status"] == "ACCEPT"
    assert [line["verdict"] for line in failed["report"]["rules"]].count("pass") == len(
        failed["report"]["rules"]
    )
    assert all(line["says"] for line in running["report"]["rules"])


def test_a_failure_is_tried_again_and_the_report_says_so(orion, clock):
    run, _ = begun(orion, policy=RunPolicy(1, (2.0,)))
    run, report = orion.advance(run, Failed("oh"))
    assert (report.status, run.state.name) == (Status.REJECT, "AwaitingRetry")
    assert run.state.reason == "attempt 1 of 2 failed; retry in 2 s"
    run, report = orion.advance(run, Running())
    assert (report.status, report.retry_after) == (Status.WAIT, 2.0)
    clock.advance(2)
    run, report = orion.advance(run, Running())
    assert (run.state.name, run.attempt) == ("Retrying", 2)
    run, _ = orion.advance(run, Failed("oh again"))
    assert names(orion, run) == ["Pending", "Running", "AwaitingRetry", "Retrying", "Failed"]


def test_a_failure_that_is_not_to_be_retried_is_final(orion):
    run, _ = begun(orion, policy=RunPolicy(3))
    run, report = orion.advance(run, Failed("no use"), retriable=False)
    assert (report.status, run.state.type) == (Status.ACCEPT, FAILED)


def test_a_run_that_must_wait_is_written_with_what_it_waits_for(orion):
    upstream, _ = begun(orion)
    run, report = orion.begin(orion.new_run("task", "after"), Running(), [(upstream.id, "x")])
    assert report.status is Status.WAIT
    assert report.reason == "waits for work (Running)"
    read = orion.find(run.id)
    assert read.state.type is PENDING
    assert read.blocked.reason == report.reason
    assert read.blocked.retry_after == report.retry_after
    orion.advance(upstream, Completed())
    run, report = orion.advance(run, Running())
    assert report.status is Status.ACCEPT
    assert orion.find(run.id).blocked is None


def test_text_of_any_kind_is_taken(orion):
    run, _ = begun(orion, run_name="ü\udce9", key="k", parameters={"a": object})
    run, _ = orion.advance(run, Failed("file \udce9 \x00 \U0001f600"))
    assert orion.find(run.id).state.message == "file \\udce9 \x00 \U0001f600"


def test_an_interrupt_within_a_proposal_leaves_nothing_half_written(orion, monkeypatch):
    run, _ = begun(orion)
    keep = orion.reports.keep

    def interrupted(*args):
        keep(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(orion.reports, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        orion.advance(run, Completed())
    with pytest.raises(KeyboardInterrupt):
        begun(orion)
    monkeypatch.undo()
    assert names(orion, run) == ["Pending", "Running"]
    assert [each["id"] for each in orion.filter_runs()["runs"]] == [run.id]
    run, report = orion.advance(run, Completed())
    assert report.status is Status.ACCEPT


# -- two who know of one run -----------------------------------------------------------------------


def test_a_cancellation_by_another_is_seen_by_the_owner_when_it_ends(orion, other):
    run, _ = begun(orion)
    assert other.cancel(run.id, why="enough").status is Status.ACCEPT
    run, report = orion.advance(run, Completed())
    assert (report.status, run.state.type) == (Status.REJECT, CANCELLED)
    assert "would have been Completed" in run.state.message
    assert names(orion, run) == ["Pending", "Running", "Cancelling", "Cancelled"]


def test_a_cancellation_by_another_is_seen_by_an_owner_that_would_have_to_wait(orion, other, clock):
    """What the owner knows would refuse it; what has become true meanwhile is told instead."""
    run, _ = begun(orion, policy=RunPolicy(1, (60.0,)))
    run, _ = orion.advance(run, Failed())
    assert run.state.name == "AwaitingRetry"
    other.cancel(run.id)
    run, report = orion.advance(run, Running())
    assert report.status is Status.REJECT
    assert report.state.type is CANCELLED
    assert run.state == orion.find(run.id).state
    assert orion.find(run.id).blocked is None


def test_an_owner_whose_run_was_started_anew_by_another_is_fenced(orion, other):
    first, _ = begun(orion)
    other.force(first.id, Pending(), by="ann", why="it hangs")
    second, _ = other.judge(first.id, Running(), session=other.session)
    assert second.attempt == 2
    with pytest.raises(Fenced, match="attempt 1 is over: attempt 2 owns the run"):
        orion.advance(first, Completed())
    assert names(orion, first) == ["Pending", "Running", "Pending", "Retrying"]
    assert other.advance(second, Completed())[1].status is Status.ACCEPT


# -- by force --------------------------------------------------------------------------------------


def test_force_sets_any_state_and_the_report_says_by_whom_and_why(orion):
    run = orion.create_run("task", "t", state=RUNNING)
    orion.propose(run.id, FAILED)
    report = orion.propose(run.id, COMPLETED, force=True, why="looked at it", by="ann")
    assert report.status is Status.ACCEPT
    assert report.reason == "set by ann: looked at it"
    assert [(line.rule, line.reason) for line in report.rules] == [
        ("set_by_hand", "set by ann: looked at it")
    ]
    state = orion.read_states(run.id)["states"][-1]
    assert (state["name"], state["by"]) == ("Completed", "ann")
    assert state["report"]["rules"][0]["reason"] == "set by ann: looked at it"


def test_each_forced_state_keeps_its_own_why(orion):
    told = []
    for n in range(3):
        run = orion.create_run("task", "t")
        orion.propose(run.id, FAILED, force=True, why=f"reason {n}")
        report = orion.read_states(run.id)["states"][-1]["report"]
        told.append(report["rules"][0]["reason"])
    assert told == [f"set by api: reason {n}" for n in range(3)]


@pytest.mark.parametrize("why", [None, "", "  "])
@pytest.mark.parametrize("explain", [False, True])
def test_force_without_a_why_is_refused(orion, why, explain):
    run = orion.create_run("task", "t")
    with pytest.raises(InvalidInput, match="why: say why") as refused:
        orion.propose(run.id, COMPLETED, force=True, why=why, explain=explain)
    assert refused.value.field == "why"
    assert names(orion, run) == ["Pending"]


def test_force_into_running_hands_out_an_attempt_and_ends_that_of_the_owner(orion, other):
    run, _ = begun(orion)
    report = other.propose(run.id, RUNNING, force=True, why="mine now")
    assert report.attempt == 2
    with pytest.raises(Fenced):
        orion.advance(run, Completed())
    assert other.propose(run.id, COMPLETED, attempt=2, token=report.token).status == "ACCEPT"


# -- many at once ----------------------------------------------------------------------------------


def test_sixteen_threads_each_finish_their_runs_and_lose_nothing(orion):
    def work(n):
        done = []
        for _ in range(20):
            run, _ = begun(orion, policy=RunPolicy(1))
            run, _ = orion.advance(run, Failed(f"{n}"))
            run, _ = orion.advance(run, Running())
            run, _ = orion.advance(run, Completed())
            done.append(run)
        return done

    with ThreadPoolExecutor(16) as pool:
        finished = [run for done in pool.map(work, range(16)) for run in done]
    assert len({run.id for run in finished}) == 320
    for run in finished[::7]:
        assert names(orion, run) == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
    assert orion.count_runs()["counts"] == {"COMPLETED": 320}
    assert orion.last_event() == 320 * 5


def test_owner_and_canceller_never_both_win(orion, other):
    """Whoever is first, the history is one path, and both are told how it is."""
    for _ in range(30):
        run, _ = begun(orion)
        barrier = threading.Barrier(2)

        def cancel(run=run, barrier=barrier):
            barrier.wait()
            return other.cancel(run.id)

        def end(run=run, barrier=barrier):
            barrier.wait()
            return orion.advance(run, Completed())[1]

        with ThreadPoolExecutor(2) as pool:
            cancelled, ended = (each.result() for each in [pool.submit(cancel), pool.submit(end)])
        last = orion.find(run.id).state
        if cancelled.status is Status.ACCEPT:
            assert names(orion, run)[2:] == ["Cancelling", "Cancelled"]
            assert ended.state.type is CANCELLED
        else:
            assert names(orion, run)[2:] == ["Completed"]
            assert cancelled.state == last


def test_the_report_of_a_wait_is_kept_until_the_run_moves(orion, clock):
    run = orion.create_run("flow", "f", scheduled_time=clock.at + 3_000_000)
    report = orion.propose(run.id, RUNNING)
    kept = orion.find(run.id).blocked
    assert (kept.status, kept.reason, kept.until) == (report.status, report.reason, report.until)
    assert kept.rules == report.rules
    clock.advance(3)
    orion.propose(run.id, RUNNING)
    assert orion.find(run.id).blocked is None


def test_the_stored_report_is_the_one_that_was_answered(orion):
    run = orion.create_run("task", "t", policy={"retries": 2, "retry_delay": [1, 2]}, state=RUNNING)
    answered = orion.propose(run.id, FAILED, message="oh")
    stored = orion.read_states(run.id)["states"][-1]["report"]
    assert stored == answered.as_json()


def test_reports_that_are_alike_are_kept_once(orion):
    for _ in range(50):
        run, _ = begun(orion)
        orion.advance(run, Completed())
    with orion.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM reports").fetchone()[0] == 2


def test_a_report_whose_transaction_was_rolled_back_is_stored_the_next_time(orion):
    def failing(tx):
        _, report = orion._judge(tx, orion.new_run("task", "t"), Running(), None, claims=0)
        orion.reports.keep(tx, report)
        raise LookupError

    with pytest.raises(LookupError):
        orion.database.write(failing)
    run, _ = begun(orion)
    assert orion.read_states(run.id)["states"][-1]["report"] is not None


@pytest.mark.parametrize(
    ("proposed", "name"),
    [
        (Scheduled(5), "Scheduled"),
        (AwaitingRetry(5), "AwaitingRetry"),
        (Cancelling(), "Cancelling"),
        (Pending(), "Pending"),
    ],
)
def test_force_enters_just_what_is_given(orion, proposed, name):
    run, _ = begun(orion)
    after, _ = orion.force(run.id, proposed, by="ann", why="to see")
    assert after.state.name == name
    assert orion.find(run.id).state == after.state
    if proposed.type is SCHEDULED:
        assert orion.find(run.id).scheduled_time == 5
