"""Results that are known already, or are just being computed."""

from __future__ import annotations

import pytest

from orion_nb.clock import SECOND
from orion_nb.rules import Other
from orion_nb.rules import cache as rules
from orion_nb.schemas.reports import Note, Reject, Status, Wait
from orion_nb.schemas.states import (
    TERMINAL,
    Cached,
    Completed,
    Pending,
    Running,
    Scheduled,
)
from tests.rules.asking import ID, NOW, PARENT, asked, judged, of

KEYED = Running(cache_key="key")
OTHER = "0" * 24 + "12345678"


def made(seconds_ago=2.0, by=OTHER):
    at = NOW - round(seconds_ago * SECOND)
    return Other(by, "load", Completed(result="{}", cache_key="key", timestamp=at))


def looked(current=None, proposed=KEYED, **facts):
    return asked(rules.retrieve_from_cache, current or Pending(), proposed, **facts)


@pytest.mark.parametrize("current", [Pending(), Scheduled(NOW)])
def test_a_result_in_the_cache_is_taken(current):
    verdict = looked(current, cached=made())
    assert verdict == Reject(
        Cached("{}", cache_key="key"),
        "computed 2 s ago by run 12345678",
        {"key": "key", "run": OTHER, "age": 2.0},
    )
    report = judged(current, KEYED, cached=made())
    assert (report.status, report.state.name, report.state.result) == (
        Status.REJECT, "Cached", "{}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "nothing in the cache for this key"),
        ({"cached": made(), "cache_refresh": True}, "computed anew, as asked"),
        ({"cached": made(61), "cache_expires": 60.0}, "expired: 61 s old, kept for 60 s"),
        ({"cached": made(), "cache_expires": 0.0}, "expired: 2 s old, kept for 0 s"),
    ],
)
def test_else_the_task_runs_and_the_report_says_why(facts, says):
    verdict = looked(**facts)
    assert isinstance(verdict, Note)
    assert verdict.reason == says
    assert judged(Pending(), KEYED, **facts).status is Status.ACCEPT


@pytest.mark.parametrize("age", [0, 59.9, 60])
def test_a_result_is_kept_for_as_long_as_the_policy_says(age):
    assert isinstance(looked(cached=made(age), cache_expires=60.0), Reject)


def test_without_a_key_nothing_is_looked_up():
    facts = {"cached": made(), "filling": made()}
    assert looked(proposed=Running(), **facts) is None
    assert asked(rules.let_one_fill_the_cache, Pending(), Running(), **facts) is None


@pytest.mark.parametrize("current", sorted(TERMINAL))
def test_a_rerun_can_be_found_in_the_cache(current):
    report = judged(of(current), KEYED, cached=made(), rerun=True)
    assert (report.status, report.state.name) == (Status.REJECT, "Cached")


@pytest.mark.parametrize(("rerun", "name"), [(True, "Running"), (False, "Cached")])
def test_a_rerun_does_not_find_its_own_earlier_result(rerun, name):
    current = Completed() if rerun else Pending()
    assert judged(current, KEYED, cached=made(by=ID), rerun=rerun).state.name == name


def test_one_computes_and_the_others_wait_for_it():
    told = asked(rules.let_one_fill_the_cache, Pending(), KEYED, filling=made())
    facts = {"key": "key", "run": OTHER}
    assert told == Wait("run 12345678 is computing the same", after=1.0, facts=facts)
    assert judged(Pending(), KEYED, filling=made()).status is Status.WAIT


def test_what_is_there_is_taken_though_somebody_computes_it_anew():
    report = judged(Pending(), KEYED, cached=made(), filling=made())
    assert report.state.name == "Cached"


@pytest.mark.parametrize(
    "facts",
    [
        {"cache_refresh": True, "filling": made()},
        {"inside": PARENT, "filling": made(by=PARENT)},
        {"root": PARENT, "filling": made(by=PARENT)},
    ],
)
def test_nobody_waits_for_what_waits_for_itself_or_is_not_wanted(facts):
    assert judged(Pending(), KEYED, **facts).status is Status.ACCEPT
