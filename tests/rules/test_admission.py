"""Who may run now: limits, and overlapping runs of one deployment."""

from __future__ import annotations

import pytest

from orion_nb.clock import SECOND
from orion_nb.rules import Other, Place
from orion_nb.rules import admission as rules
from orion_nb.schemas.reports import Status, Wait
from orion_nb.schemas.states import (
    TERMINAL,
    AwaitingRetry,
    AwaitingSlot,
    Cached,
    Failed,
    NotReady,
    Paused,
    Pending,
    Running,
    Scheduled,
    state,
)
from tests.rules.asking import NOW, asked, judged, of

FULL = Place("db", slots=2, used=2, ahead=0)
FREE = Place("api", slots=2, used=1, ahead=0)
SUBMITTING = state("PENDING", "Submitting")


@pytest.mark.parametrize("kind", ["flow", "task"])
@pytest.mark.parametrize(
    ("slots", "used", "ahead", "starts"),
    [
        (1, 0, 0, True),
        (2, 1, 0, True),
        (2, 2, 0, False),
        (2, 1, 1, False),  # whoever came first gets the slot
        (3, 1, 1, True),
        (0, 0, 0, False),
        (1, 5, 0, False),  # the limit was lowered
    ],
)
def test_a_run_starts_when_a_slot_is_free_and_its_turn_has_come(kind, slots, used, ahead, starts):
    place = Place("db", slots, used, ahead)
    report = judged(Pending(), Running(), kind=kind, places=(place,))
    assert report.state.name == ("Running" if starts else "AwaitingSlot")


@pytest.mark.parametrize("places", [(FULL, FREE), (FREE, FULL)])
def test_every_limit_must_have_a_slot(places):
    report = judged(Pending(), Running(), places=places)
    assert report.state == AwaitingSlot(message="limit 'db': 2 of 2 slots in use")
    decided = next(line for line in report.rules if line.verdict == "rewrite")
    assert decided.facts == {"limit": "db", "slots": 2, "used": 2, "ahead": 0}


def test_the_queue_is_told():
    place = Place("db", slots=5, used=3, ahead=4)
    report = judged(Pending(), Running(), places=(place,))
    assert report.reason == "limit 'db': 3 of 5 slots in use, 4 ahead in the queue"


def test_who_waits_for_a_slot_keeps_its_place():
    report = judged(AwaitingSlot(), Running(), places=(FULL,))
    assert (report.status, report.state) == (Status.WAIT, AwaitingSlot())
    assert report.retry_after == rules.LOOK_AGAIN


@pytest.mark.parametrize(
    ("current", "proposed", "answer"),
    [
        (Scheduled(NOW), SUBMITTING, "AwaitingSlot"),
        (AwaitingSlot(), SUBMITTING, "AwaitingSlot"),
        (Scheduled(NOW), Pending(), "Pending"),
        (Pending(), NotReady(), "NotReady"),
        (SUBMITTING, Running(), "Running"),  # it has taken its slot
        (SUBMITTING, SUBMITTING, "Submitting"),
        (AwaitingRetry(NOW), Running(), "AwaitingSlot"),
        (Paused(), Running(), "Running"),
        (Pending(), Failed(), "Failed"),
        (Running(), Failed(), "Failed"),
        (Running(), state("CANCELLING"), "Cancelling"),
    ],
)
def test_a_slot_is_taken_when_code_is_to_run(current, proposed, answer):
    assert judged(current, proposed, places=(FULL,), run_count=1, attempt=1).state.name == answer


@pytest.mark.parametrize("current", sorted(TERMINAL))
def test_a_rerun_takes_a_slot_like_any(current):
    assert judged(of(current), Running(), places=(FULL,), rerun=True).state.name == "AwaitingSlot"


def test_a_result_from_the_cache_needs_no_slot():
    cached = Other("2", "other", Cached("{}", timestamp=NOW))
    report = judged(Pending(), Running(cache_key="key"), places=(FULL,), cached=cached)
    assert report.state.name == "Cached"


def test_a_run_does_not_queue_before_its_time_or_its_upstream():
    report = judged(Scheduled(NOW + 1), Running(), places=(FULL,))
    assert (report.status, report.state) == (Status.WAIT, Scheduled(NOW + 1))
    upstream = (Other("2", "up", Running()),)
    report = judged(Pending(), Running(), places=(FULL,), upstream=upstream)
    assert (report.status, report.state) == (Status.WAIT, Pending())


# -- overlap ---------------------------------------------------------------------------------------

OTHERS = (
    Other("0" * 24 + "12345678", "daily", Running()),
    Other("0" * 24 + "87654321", "daily", SUBMITTING),
)
TOLD = "run 12345678 of the same deployment is Running"


@pytest.mark.parametrize("proposed", [SUBMITTING, Running()])
@pytest.mark.parametrize(
    ("overlap", "others", "status", "name"),
    [
        ("allow", OTHERS, Status.ACCEPT, None),
        ("queue", OTHERS, Status.WAIT, "Scheduled"),
        ("skip", OTHERS, Status.REJECT, "Skipped"),
        ("cancel_running", OTHERS, Status.WAIT, "Scheduled"),
        ("queue", (), Status.ACCEPT, None),
        ("skip", (), Status.ACCEPT, None),
        ("cancel_running", (), Status.ACCEPT, None),
    ],
)
def test_a_deployed_run_does_as_its_overlap_policy_says(proposed, overlap, others, status, name):
    report = judged(Scheduled(NOW), proposed, kind="flow", overlap=overlap, siblings=others)
    assert (report.status, report.state.name) == (status, name or proposed.name)
    assert report.reason == (None if status is Status.ACCEPT else TOLD)
    makes_way = overlap == "cancel_running" and others
    assert report.cancels == (tuple(each.id for each in OTHERS) if makes_way else ())


def test_it_says_which_runs_are_in_the_way():
    told = {"kind": "flow", "overlap": "queue", "siblings": OTHERS}
    verdict = asked(rules.heed_the_overlap, Scheduled(NOW), Running(), **told)
    facts = {"siblings": [each.id for each in OTHERS]}
    assert verdict == Wait(TOLD, after=rules.LOOK_AGAIN, facts=facts)


def test_a_run_that_was_handed_over_is_past_it():
    report = judged(SUBMITTING, Running(), kind="flow", overlap="skip", siblings=OTHERS)
    assert report.status is Status.ACCEPT


def test_nobody_is_cancelled_for_a_run_whose_time_is_to_come():
    told = {"kind": "flow", "overlap": "cancel_running", "siblings": OTHERS}
    report = judged(Scheduled(NOW + 1), Running(), **told)
    assert (report.status, report.cancels) == (Status.WAIT, ())


# -- missed slots ----------------------------------------------------------------------------------


@pytest.mark.parametrize("proposed", [SUBMITTING, Running()])
@pytest.mark.parametrize(
    ("late", "facts", "skipped"),
    [
        (3600, {}, True),
        (15.001, {}, True),
        (15, {}, False),  # everybody is a little late
        (3600, {"catch_up": "latest"}, False),
        (3600, {"catch_up": "all"}, False),
        (3600, {"deployment": None}, False),
        (3600, {"attempt": 1}, False),
    ],
)
def test_a_slot_that_was_missed_is_skipped_if_nothing_is_made_up_for(
    proposed, late, facts, skipped
):
    told = {"kind": "flow", "catch_up": "none", "deployment": "5", **facts}
    report = judged(Scheduled(NOW - round(late * SECOND)), proposed, **told)
    assert report.state.name == ("Skipped" if skipped else proposed.name)


def test_a_retry_and_one_that_waited_for_a_slot_were_not_missed():
    told = {"kind": "flow", "catch_up": "none", "deployment": "5"}
    for current in (AwaitingRetry(NOW - 3600 * SECOND), AwaitingSlot()):
        assert judged(current, Running(), **told).status is Status.ACCEPT


def test_it_says_by_how_much_it_was_missed():
    told = {"kind": "flow", "catch_up": "none", "deployment": "5"}
    report = judged(Scheduled(NOW - 60 * SECOND), Running(), **told)
    assert report.reason == "missed by 60 s, and missed instants are not made up for"
