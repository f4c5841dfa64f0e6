"""Each rule for every run, by a table of transitions; the whole policy by the answer it gives."""

from __future__ import annotations

import pytest

from orion_nb.clock import SECOND
from orion_nb.rules import FLOW_POLICY, POLICIES, TASK_POLICY, Transition, enters, evaluate
from orion_nb.rules import common as rules
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Abort, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    CANCELLED,
    CANCELLING,
    CRASHED,
    FAILED,
    PAUSED,
    PENDING,
    RUNNING,
    SCHEDULED,
    TERMINAL,
    AwaitingRetry,
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
    TimedOut,
    state,
)

NOW = 1_000 * SECOND
ID = "0" * 32


def transition(current, proposed, *, kind="flow", policy=None, attempt=0, run_count=0, **facts):
    run = Run(
        ID, kind, "f", current, root=ID, attempt=attempt, run_count=run_count,
        policy=policy or RunPolicy(),
    )  # fmt: skip
    return Transition(run, proposed, NOW, **facts)


def judged(*args, **facts):
    return evaluate(FLOW_POLICY, transition(*args, **facts))


def of(kind):
    """A state of this type, due in the past if it is scheduled."""
    return state(kind, scheduled_time=NOW - SECOND if kind is SCHEDULED else None)


# What the policy says to a proposal from outside about a run that no session executes, that is in
# no other run and has no retries. `+` accepted · `=` the run stays as it is · `!` stop · or the
# name of the state that is entered instead.
ANSWERS = """
            SCHEDULED PENDING RUNNING PAUSED CANCELLING COMPLETED FAILED    CRASHED   CANCELLED
SCHEDULED   +         +       +       =      Cancelled  =         +         +         +
PENDING     +         +       +       =      Cancelled  =         +         +         +
RUNNING     +         !       !       +      +          +         +         +         +
PAUSED      +         +       +       =      Cancelled  +         +         +         +
CANCELLING  =         =       =       =      =          Cancelled Cancelled Cancelled +
COMPLETED   =         =       =       =      =          =         =         =         =
FAILED      =         =       =       =      =          =         =         =         =
CRASHED     =         =       =       =      =          =         =         =         =
CANCELLED   =         =       =       =      =          =         =         =         =
"""


def answers():
    head, *rows = (line.split() for line in ANSWERS.strip().splitlines())
    for leaving, *cells in rows:
        for entering, answer in zip(head, cells, strict=True):
            yield pytest.param(leaving, entering, answer, id=f"{leaving}-{entering}")


@pytest.mark.parametrize("kind", ["flow", "task"])
@pytest.mark.parametrize(("leaving", "entering", "answer"), list(answers()))
def test_the_policies_answer_every_proposal(kind, leaving, entering, answer):
    asked = transition(of(StateType(leaving)), of(StateType(entering)), kind=kind, run_count=1)
    report = evaluate(POLICIES[kind], asked)
    match answer:
        case "+":
            assert (report.status, report.state) == (Status.ACCEPT, asked.proposed)
        case "=":
            assert (report.status, report.state) == (Status.REJECT, asked.current)
        case "!":
            assert (report.status, report.state) == (Status.ABORT, asked.current)
        case name:
            assert (report.status, report.state.name) == (Status.REJECT, name)
            assert enters(report, asked.current)
    assert (report.reason is None) == (answer == "+")
    assert report.proposed == asked.proposed.name


@pytest.mark.parametrize(
    ("attempt", "claims", "matches", "fenced"),
    [
        (1, None, True, False),
        (1, 1, True, False),
        (1, 0, True, True),
        (1, 2, True, True),
        (1, 1, False, True),
        (0, 0, True, False),
    ],
)
def test_an_attempt_that_is_over_is_fenced(attempt, claims, matches, fenced):
    asked = transition(
        Running(), Completed(), attempt=attempt, claims=claims, token_matches=matches
    )
    verdict = rules.fence_stale_attempts(asked)
    if fenced:
        assert isinstance(verdict, Abort)
        assert verdict.fenced
        assert verdict.facts == {"attempt": attempt, "claims": claims}
        assert evaluate(FLOW_POLICY, asked).fenced
    else:
        assert verdict is None


@pytest.mark.parametrize("proposed", sorted(TERMINAL))
@pytest.mark.parametrize("current", [RUNNING, PAUSED, CANCELLING])
def test_nobody_but_its_owner_ends_a_live_run(current, proposed):
    report = judged(of(current), of(proposed), attempt=1, held=True)
    assert report.status is Status.ABORT
    assert "live session" in report.reason


def test_anybody_may_ask_a_live_run_to_stop():
    assert judged(Running(), of(CANCELLING), attempt=1, held=True).status is Status.ACCEPT


def test_a_run_that_is_asked_to_stop_ends_as_cancelled_and_says_what_it_would_have_been():
    report = judged(of(CANCELLING), Failed("no more ink"))
    assert report.status is Status.REJECT
    assert report.state.type is CANCELLED
    assert report.state.message == "stopped as asked; would have been Failed (no more ink)"


def test_a_run_that_executes_nothing_is_cancelled_at_once_with_the_words_of_who_asked():
    report = judged(of(PENDING), state(CANCELLING, message="not today"))
    assert (report.state.type, report.state.message) == (CANCELLED, "not today")
    assert report.reason == "nothing to stop: the run was Pending"


@pytest.mark.parametrize(
    ("parent", "entered"),
    [
        (None, "Running"),
        (of(PENDING), "Running"),
        (of(RUNNING), "Running"),
        (AwaitingRetry(NOW + 1), "Running"),
        (of(CANCELLING), "Cancelled"),
        (Cancelled(), "Cancelled"),
        (Completed(), "Cancelled"),
        (Failed(), "Cancelled"),
        (Crashed(), "Cancelled"),
    ],
)
def test_nothing_starts_in_a_parent_that_has_stopped(parent, entered):
    report = judged(Pending(), Running(), parent=parent)
    assert report.state.name == entered


@pytest.mark.parametrize("current", [Scheduled, AwaitingRetry])
@pytest.mark.parametrize("entering", [PENDING, RUNNING])
@pytest.mark.parametrize(
    ("seconds", "waits"), [(-1, False), (0, False), (0.000001, True), (1.25, True)]
)
def test_a_scheduled_run_waits_for_its_time_to_the_microsecond(current, entering, seconds, waits):
    due = NOW + round(seconds * SECOND)
    report = judged(current(due), of(entering))
    if waits:
        assert report.status is Status.WAIT
        assert report.until == due
        assert report.retry_after == seconds
        assert report.state == current(due)
    else:
        assert report.status is Status.ACCEPT


def test_a_scheduled_run_without_a_time_does_not_wait():
    assert rules.wait_for_the_scheduled_time(transition(state(SCHEDULED), Running())) is None


@pytest.mark.parametrize("entering", [FAILED, CRASHED, CANCELLED, CANCELLING])
def test_a_run_can_be_stopped_before_its_time(entering):
    assert enters(judged(Scheduled(NOW + SECOND), of(entering)), Scheduled(NOW + SECOND))


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
def test_a_failure_is_tried_again_after_its_delay(retries, run_count, delays, delay):
    policy = RunPolicy(retries, delays)
    facts = {"policy": policy, "run_count": run_count, "attempt": run_count}
    report = judged(Running(), Failed("oh"), **facts)
    if delay is None:
        assert (report.status, report.state.name) == (Status.ACCEPT, "Failed")
        return
    assert (report.status, report.state.name) == (Status.REJECT, "AwaitingRetry")
    assert report.state.scheduled_time == NOW + delay * SECOND
    assert report.state.message == "oh"
    assert report.reason == f"attempt {run_count} of {retries + 1} failed; retry in {delay:g} s"


@pytest.mark.parametrize(
    ("current", "proposed", "facts"),
    [
        (Running(), Failed(), {"retriable": False}),
        (Running(), Crashed(), {}),
        (Running(), Cancelled(), {}),
        (Running(), Completed(), {}),
        (Pending(), Failed(), {}),
        (Scheduled(NOW), TimedOut(), {}),
    ],
)
def test_nothing_else_is_tried_again(current, proposed, facts):
    policy = RunPolicy(retries=3)
    report = judged(current, proposed, policy=policy, run_count=1, **facts)
    assert "AwaitingRetry" not in report.state.name


def test_a_timeout_is_a_failure_and_tried_again():
    report = judged(Running(), TimedOut("slow"), policy=RunPolicy(1), run_count=1)
    assert report.state.name == "AwaitingRetry"


@pytest.mark.parametrize("current", [Scheduled(NOW), Pending(), state("PAUSED")])
def test_what_never_ran_can_be_skipped_or_found_in_the_cache_but_not_complete(current):
    refused = judged(current, Completed())
    assert refused.status is Status.REJECT
    assert "propose Running first" in refused.reason
    for proposed in (Skipped(), State(StateType.COMPLETED, "Cached")):
        assert judged(current, proposed).status is Status.ACCEPT


def test_the_rules_are_asked_in_the_order_of_their_phases():
    for policy in (FLOW_POLICY, TASK_POLICY):
        asked = transition(Pending(), Running(), kind="task", claims=0)
        names = [line.rule for line in evaluate(policy, asked).rules]
        phases = {rule.name: rule.phase for rule in policy}
        assert names == sorted(names, key=lambda name: phases[name])
        assert len(names) == len(set(names))


def test_every_rule_is_documented_and_named_as_a_sentence():
    for rule in TASK_POLICY:
        assert rule.says.endswith((".", ":")), rule.name
        assert len(rule.says) <= 100
        assert rule.leaving
        assert rule.entering
