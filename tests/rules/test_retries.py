"""Trying again, and ending what takes too long."""

from __future__ import annotations

import pytest

from orion_nb.clock import LAST_MOMENT, SECOND
from orion_nb.rules import retries as rules
from orion_nb.schemas.reports import Note, Status
from orion_nb.schemas.states import (
    CRASHED,
    AwaitingRetry,
    Cancelled,
    Completed,
    Crashed,
    Failed,
    Lost,
    Paused,
    Pending,
    Running,
    Scheduled,
    TimedOut,
    state,
)
from tests.rules.asking import NOW, PARENT, asked, judged

KINDS = pytest.mark.parametrize("kind", ["flow", "task"])


@KINDS
@pytest.mark.parametrize(
    ("retries", "run_count", "delays", "delay"),
    [
        (0, 1, (0.0,), None),
        (1, 1, (0.0,), 0),
        (1, 2, (0.0,), None),
        (3, 1, (0.5,), 0.5),
        (3, 3, (0.5,), 0.5),
        (3, 4, (0.5,), None),
        (3, 1, (1, 10, 100), 1),
        (3, 2, (1, 10, 100), 10),
        (3, 3, (1, 10, 100), 100),
        (5, 5, (1, 10), 10),
        (1, 1, (), 0),
    ],
)
def test_a_failure_is_tried_again_after_its_delay(kind, retries, run_count, delays, delay):
    report = judged(
        Running(), Failed("oh"), kind=kind, retries=retries, retry_delay=delays,
        run_count=run_count, attempt=run_count,
    )  # fmt: skip
    if delay is None:
        assert (report.status, report.state.name) == (Status.ACCEPT, "Failed")
        return
    assert (report.status, report.state.name) == (Status.REJECT, "AwaitingRetry")
    assert report.state.scheduled_time == NOW + delay * SECOND
    assert report.state.message == "oh"
    assert report.reason == f"attempt {run_count} of {retries + 1} failed; retry in {delay:g} s"


@KINDS
@pytest.mark.parametrize(
    ("current", "proposed", "facts"),
    [
        (Running(), Failed(), {"retriable": False}),
        (Running(), Crashed(), {}),
        (Running(), Cancelled(), {}),
        (Running(), Completed(), {}),
        (Pending(), Failed(), {}),
        (Scheduled(NOW), TimedOut(), {}),
        (Paused(), TimedOut("nobody resumed it"), {}),
        (Running(), Failed(), {"run_count": 0}),
    ],
)
def test_nothing_else_is_tried_again(kind, current, proposed, facts):
    report = judged(current, proposed, kind=kind, retries=3, **{"run_count": 1, **facts})
    assert "AwaitingRetry" not in report.state.name


@pytest.mark.parametrize("current", [Running(), Paused()])
def test_code_that_fails_is_tried_again_though_its_run_was_paused_meanwhile(current):
    assert judged(current, Failed("oh"), retries=1, run_count=1).state.name == "AwaitingRetry"


def test_a_timeout_is_a_failure_and_tried_again():
    report = judged(Running(), TimedOut("slow"), retries=1, run_count=1)
    assert report.state.name == "AwaitingRetry"


@pytest.mark.parametrize(
    ("run_count", "most", "delay"), [(1, None, 1), (2, None, 2), (4, None, 8), (4, 5, 5), (2, 5, 2)]
)
def test_the_delay_grows_up_to_its_maximum(run_count, most, delay):
    report = judged(
        Running(), Failed(), retries=9, retry_delay=(1.0,), retry_backoff=2.0,
        retry_delay_max=most, run_count=run_count,
    )  # fmt: skip
    assert report.state.scheduled_time == NOW + delay * SECOND


def test_a_delay_without_end_is_due_at_the_last_moment():
    report = judged(
        Running(), Failed(), retries=100, retry_delay=(60.0,), retry_backoff=100.0, run_count=100
    )
    assert report.state.scheduled_time == LAST_MOMENT


def test_jitter_is_another_for_each_run_and_attempt_and_the_same_when_asked_again():
    def due(run_id, attempt):
        told = {"retries": 9, "retry_delay": (100.0,), "retry_jitter": 0.5, "run_count": 1}
        return judged(Running(), Failed(), id=run_id, attempt=attempt, **told).state.scheduled_time

    keys = [(f"{n:032x}", attempt) for n in range(30) for attempt in (1, 2)]
    found = {key: due(*key) for key in keys}
    assert len(set(found.values())) > 50
    assert all(50 <= (at - NOW) / SECOND <= 150 for at in found.values())
    assert max(found.values()) - min(found.values()) > 80 * SECOND
    assert {key: due(*key) for key in found} == found


@KINDS
@pytest.mark.parametrize("proposed", [Crashed("gone"), Lost("gone")])
@pytest.mark.parametrize(
    ("crashes", "run_count", "again"),
    [(0, 1, False), (1, 0, False), (1, 1, True), (1, 2, False), (3, 3, True), (3, 4, False)],
)
def test_a_crash_is_tried_again_only_if_asked(kind, proposed, crashes, run_count, again):
    told = {"kind": kind, "retry_crashes": crashes, "retries": 100, "run_count": run_count}
    report = judged(Running(), proposed, **told)
    assert report.state.name == ("AwaitingRetry" if again else proposed.name)
    if again:
        assert report.reason == f"attempt {run_count} of {crashes + 1} crashed; retry in 0 s"
        assert judged(Running(), proposed, retriable=False, **told).state == proposed


@pytest.mark.parametrize("current", [Pending(), state("PENDING", "Submitting"), Scheduled(NOW)])
def test_a_run_that_was_lost_before_it_ran_is_not_handed_over_for_ever(current):
    report = judged(current, state(CRASHED), retry_crashes=9, run_count=1)
    assert report.state.type is CRASHED


@pytest.mark.parametrize(
    ("timeout", "took", "name"),
    [
        (None, 1e6, "Completed"),
        (5.0, 4, "Completed"),
        (5.0, 6, "Completed"),  # the news may have been under way for a second
        (5.0, 6.1, "TimedOut"),
    ],
)
def test_what_completes_after_its_deadline_is_timed_out(timeout, took, name):
    current = Running(timestamp=NOW - round(took * SECOND))
    report = judged(current, Completed(), timeout=timeout, run_count=1)
    assert report.state.name == name
    assert (report.reason == "it took 6.1 s, its timeout is 5 s") == (name == "TimedOut")


def test_what_is_timed_out_at_its_end_is_tried_again():
    current = Running(timestamp=NOW - 60 * SECOND)
    report = judged(current, Completed(), timeout=1.0, retries=1, run_count=1)
    assert report.state == AwaitingRetry(NOW, message="it took 60 s, its timeout is 1 s")
    deciding = [line.rule for line in report.rules if line.verdict == "rewrite"]
    assert deciding == ["time_out_at_the_deadline", "retry_failures"]


@pytest.mark.parametrize(
    ("run_count", "facts", "decides"),
    [
        (1, {}, "rerun_the_upstream"),
        (2, {"rerun_max": 2}, "rerun_the_upstream"),
        (2, {}, None),
        (1, {"retriable": False}, None),
        (1, {"inside": None}, None),
        (1, {"rerun_from": None}, None),
        (1, {"retries": 5}, "rerun_the_upstream"),
        (2, {"retries": 5}, "retry_failures"),
    ],
)
def test_a_check_that_fails_goes_back_before_it_is_retried(run_count, facts, decides):
    told = {"rerun_from": "load", "inside": PARENT, "run_count": run_count, **facts}
    report = judged(Running(), Failed("bad"), **told)
    found = [line.rule for line in report.rules if line.verdict == "rewrite"]
    assert found == ([decides] if decides else [])
    assert report.state.name == ("AwaitingRetry" if decides else "Failed")


def test_it_says_that_it_does_not_go_back_once_more():
    told = {"rerun_from": "load", "inside": PARENT, "run_count": 2}
    verdict = asked(rules.rerun_the_upstream, Running(), Failed(), **told)
    assert verdict == Note("failed 2 times: load is not rerun once more")
