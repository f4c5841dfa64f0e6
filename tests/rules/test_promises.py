"""Service levels: what was too late is marked, and nothing is stopped."""

from __future__ import annotations

import pytest

from orion_nb.clock import SECOND
from orion_nb.rules import promises as rules
from orion_nb.schemas.reports import Note, Status
from orion_nb.schemas.states import (
    Cancelled,
    Completed,
    Failed,
    Pending,
    Running,
    Skipped,
    TimedOut,
)
from tests.rules.asking import NOW, asked, judged

AGO = NOW - 100 * SECOND


@pytest.mark.parametrize("kind", ["flow", "task"])
@pytest.mark.parametrize(
    ("facts", "late"),
    [
        ({"sla_start": 99.0, "created": AGO}, 1),
        ({"sla_start": 100.0, "created": AGO}, None),
        ({"sla_start": 99.0, "created": 1, "scheduled_time": AGO}, 1),
        ({"sla_start": 99.0, "created": AGO, "scheduled_time": NOW}, None),
        ({"sla": 1.0, "created": AGO}, None),
        ({"sla_start": 99.0, "created": AGO, "start_time": AGO + 1}, None),
        ({"sla_start": 99.0, "created": AGO, "marks": (rules.LATE_START,)}, None),
        ({"sla_start": 99.0}, None),  # nobody knows when it was due
        ({"created": AGO}, None),
    ],
)
def test_a_late_start_is_marked_once(kind, facts, late):
    verdict = asked(rules.mark_a_late_start, Pending(), Running(), kind=kind, **facts)
    told = late and Note(f"started {late} s after its SLA", "missed_sla_start", {"late": late})
    assert verdict == told
    report = judged(Pending(), Running(), kind=kind, **facts)
    assert (report.status, report.reason) == (Status.ACCEPT, None)
    assert report.marks == (("missed_sla_start",) if late else ())


@pytest.mark.parametrize("proposed", [Completed(), Failed(), Cancelled(), TimedOut()])
@pytest.mark.parametrize(
    ("facts", "late"),
    [
        ({"sla": 99.5, "created": AGO}, 0.5),
        ({"sla": 100.0, "created": AGO}, None),
        ({"sla": 1.0, "created": 1, "scheduled_time": NOW - SECOND}, None),
        ({"sla_start": 1.0, "created": AGO}, None),
        ({"sla": 1.0, "created": AGO, "marks": (rules.LATE_END,)}, None),
    ],
)
def test_a_late_end_is_marked_whatever_the_end_is(proposed, facts, late):
    verdict = asked(rules.mark_a_late_end, Running(), proposed, run_count=1, attempt=1, **facts)
    assert verdict == (late and Note(f"ended {late} s after its SLA", "missed_sla", {"late": late}))
    report = judged(Running(), proposed, run_count=1, attempt=1, **facts)
    assert (report.status, report.state) == (Status.ACCEPT, proposed)
    assert report.marks == (("missed_sla",) if late else ())


def test_a_retry_is_measured_from_its_first_start_and_not_from_its_own_time():
    told = {"sla": 50.0, "attempt": 2, "run_count": 2, "scheduled_time": NOW, "start_time": AGO}
    assert judged(Running(), Completed(), **told).marks == ("missed_sla",)


def test_what_is_tried_again_has_not_ended_late():
    told = {"sla": 1.0, "created": AGO, "run_count": 1, "attempt": 1}
    assert judged(Running(), Failed(), retries=1, **told).marks == ()
    inside = {"rerun_from": "load", "inside": "0" * 32}
    assert judged(Running(), Failed(), **inside, **told).marks == ()


def test_what_is_skipped_late_has_ended_late():
    report = judged(Pending(), Skipped(), sla=1.0, created=AGO)
    assert report.marks == ("missed_sla",)
