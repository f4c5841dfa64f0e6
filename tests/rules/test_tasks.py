"""The rules for tasks: waiting for upstream runs, and the trigger."""

from __future__ import annotations

import pytest

from orion_nb.rules import TASK_POLICY, Other, Transition, evaluate
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import Run
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

NOW = 1_000_000
ID = "0" * 32
CACHED = State(StateType.COMPLETED, "Cached")


def judged(*states, trigger="all_completed", current=None):
    upstream = tuple(Other(f"{n:032x}", f"up{n}", each) for n, each in enumerate(states))
    policy = RunPolicy(trigger=trigger)
    run = Run(ID, "task", "t", current or Pending(), root=ID, policy=policy)
    return evaluate(TASK_POLICY, Transition(run, Running(), NOW, upstream=upstream))


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
    ],
)
def test_the_trigger_decides_once_they_have(trigger, states, entered):
    assert judged(*states, trigger=trigger).state.name == entered


def test_it_says_which_upstream_run_failed():
    report = judged(Completed(), Crashed())
    assert report.state.message == "upstream up1 is Crashed"
    decided = next(line for line in report.rules if line.verdict == "rewrite")
    assert decided.rule == "heed_the_trigger"
    assert decided.facts == {"upstream": [f"{1:032x}"]}
