"""The rules for tasks: waiting for upstream runs, and the trigger."""

from __future__ import annotations

import pytest

from orion_nb.rules import Other
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import (
    Cancelled,
    Completed,
    Crashed,
    Failed,
    Pending,
    Running,
    Scheduled,
    Skipped,
    State,
    StateType,
)
from tests.rules import asking
from tests.rules.asking import NOW

CACHED = State(StateType.COMPLETED, "Cached")


def judged(*states, current=None, **told):
    upstream = tuple(Other(f"{n:032x}", f"up{n}", each) for n, each in enumerate(states))
    return asking.judged(current or Pending(), Running(), upstream=upstream, **told)


@pytest.mark.parametrize("current", [Pending(), Scheduled(NOW)])
@pytest.mark.parametrize("trigger", ["all_completed", "all_finished", "any_failed"])
def test_a_task_waits_until_all_upstream_runs_have_finished(current, trigger):
    report = judged(Completed(), Running(), Failed(), Pending(), trigger=trigger, current=current)
    assert report.status is Status.WAIT
    assert report.retry_after > 0
    assert report.reason == "waits for up1 (Running) and 1 more"
    assert report.rules[-1].facts["upstream"] == [f"{1:032x}", f"{3:032x}"]


@pytest.mark.parametrize(
    ("trigger", "states", "entered"),
    [
        ("all_completed", [], "Running"),
        ("all_completed", [Completed(), CACHED, Skipped()], "Running"),
        ("all_completed", [Completed(), Failed()], "UpstreamFailed"),
        ("all_completed", [Crashed()], "UpstreamFailed"),
        ("all_completed", [Cancelled()], "UpstreamFailed"),
        ("all_finished", [Failed(), Crashed(), Cancelled(), Completed()], "Running"),
        ("any_failed", [Completed(), Failed()], "Running"),
        ("any_failed", [Cancelled()], "Running"),
        ("any_failed", [Completed(), Completed()], "Skipped"),
        ("any_failed", [], "Running"),
        ("function", [Failed(), Completed()], "Running"),
        ("function", [], "Running"),
    ],
)
def test_the_trigger_decides_once_they_have(trigger, states, entered):
    assert judged(*states, trigger=trigger).state.name == entered


@pytest.mark.parametrize(
    ("pulled", "entered"), [(None, "Running"), (True, "Running"), (False, "Skipped")]
)
@pytest.mark.parametrize("states", [[], [Completed()], [Failed()]])
def test_a_trigger_that_is_a_function_was_asked_where_the_task_runs(states, pulled, entered):
    report = judged(*states, trigger="function", pulled=pulled)
    assert report.state.name == entered
    assert report.reason == (None if entered == "Running" else "its trigger said no")


def test_a_trigger_is_asked_of_what_has_finished():
    report = judged(Running(), trigger="function", pulled=False)
    assert report.status is Status.WAIT


@pytest.mark.parametrize("current", [Failed(), Completed(), Cancelled(), Crashed()])
def test_a_rerun_waits_and_heeds_its_trigger_too(current):
    waits = judged(Running(), current=current, rerun=True)
    assert (waits.status, waits.reason) == (Status.WAIT, "waits for up0 (Running)")
    stays = judged(Failed(), current=current, rerun=True)
    assert (stays.status, stays.state) == (Status.REJECT, current)
    assert stays.reason.endswith("can't be rerun into UpstreamFailed: upstream up0 is Failed")
    assert judged(Completed(), current=current, rerun=True).status is Status.ACCEPT


@pytest.mark.parametrize(
    ("trigger", "may_fail", "entered"),
    [
        ("all_completed", False, "UpstreamFailed"),
        ("all_completed", True, "Running"),
        ("any_failed", False, "Running"),
        ("any_failed", True, "Skipped"),
    ],
)
def test_an_upstream_run_that_may_fail_counts_as_completed(trigger, may_fail, entered):
    upstream = (Other("1", "up", Failed(), may_fail),)
    report = asking.judged(Pending(), Running(), upstream=upstream, trigger=trigger)
    assert report.state.name == entered


def test_it_says_which_upstream_run_failed():
    report = judged(Completed(), Crashed())
    assert report.state.message == "upstream up1 is Crashed"
    decided = next(line for line in report.rules if line.verdict == "rewrite")
    assert decided.rule == "heed_the_trigger"
    assert decided.facts == {"upstream": [f"{1:032x}"]}
