"""Each rule for every run, by a table of transitions; the whole policy by the answer it gives."""

from __future__ import annotations

import pytest

from orion_nb.clock import SECOND
from orion_nb.rules import FLOW_POLICY, TASK_POLICY, enters
from orion_nb.rules import common as rules
from orion_nb.schemas.reports import Abort, Reject, Status, Wait
from orion_nb.schemas.states import (
    ACTIVE,
    CANCELLED,
    CANCELLING,
    COMPLETED,
    CRASHED,
    FAILED,
    PAUSED,
    PENDING,
    RUNNING,
    SCHEDULED,
    TERMINAL,
    AwaitingRetry,
    Cached,
    Cancelled,
    Completed,
    Crashed,
    Failed,
    Paused,
    Pending,
    Running,
    Scheduled,
    Skipped,
    State,
    StateType,
    state,
)
from tests.rules.asking import NOW, asked, judged, of, transition

# What the policy says to a proposal from outside about a run that no session executes, that is in
# no other run and has no retries. `+` accepted · `=` the run stays as it is · `!` stop · or the
# name of the state that is entered instead.
ANSWERS = """
            SCHEDULED PENDING RUNNING PAUSED CANCELLING COMPLETED FAILED    CRASHED   CANCELLED
SCHEDULED   +         +       +       =      Cancelled  =         +         +         +
PENDING     +         +       +       =      Cancelled  =         +         +         +
RUNNING     +         !       !       +      +          +         +         +         +
PAUSED      +         =       +       =      Cancelled  +         +         +         +
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
    current, proposed = of(StateType(leaving)), of(StateType(entering))
    report = judged(current, proposed, kind=kind, run_count=1, attempt=1)
    match answer:
        case "+":
            assert (report.status, report.state) == (Status.ACCEPT, proposed)
        case "=":
            assert (report.status, report.state) == (Status.REJECT, current)
        case "!":
            assert (report.status, report.state) == (Status.ABORT, current)
        case name:
            assert (report.status, report.state.name) == (Status.REJECT, name)
            assert enters(report, current)
    assert (report.reason is None) == (answer == "+")
    assert report.proposed == proposed.name


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
    told = {"attempt": attempt, "claims": claims, "token_matches": matches}
    verdict = asked(rules.fence_stale_attempts, Running(), Completed(), **told)
    if fenced:
        assert isinstance(verdict, Abort)
        assert verdict.fenced
        assert verdict.facts == {"attempt": attempt, "claims": claims}
        assert judged(Running(), Completed(), **told).fenced
    else:
        assert verdict is None


@pytest.mark.parametrize(
    ("current", "proposed", "claims", "fenced"),
    [
        (Crashed(), Completed(), 1, True),
        (Crashed(), Failed(), 1, True),
        (Crashed(), Completed(), None, False),
        (Failed(), Completed(), 1, False),
        (Completed(), Crashed(), 1, False),
        (Crashed(), Running(), 1, False),
    ],
)
def test_news_of_an_attempt_that_was_found_dead_come_too_late(current, proposed, claims, fenced):
    report = judged(current, proposed, attempt=1, run_count=1, claims=claims)
    assert report.fenced == fenced
    assert not enters(report, current)
    assert not fenced or report.reason == "attempt 1 is over: the run was taken for Crashed"


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


@pytest.mark.parametrize("current", [Scheduled(NOW), Pending(), state("PAUSED")])
def test_what_never_ran_can_be_skipped_or_found_in_the_cache_but_not_complete(current):
    refused = judged(current, Completed())
    assert refused.status is Status.REJECT
    assert "propose Running first" in refused.reason
    for proposed in (Skipped(), State(StateType.COMPLETED, "Cached")):
        assert judged(current, proposed).status is Status.ACCEPT


@pytest.mark.parametrize("name", ["Completed", "Cached", "Skipped"])
@pytest.mark.parametrize(("run_count", "completes"), [(0, False), (1, True)])
def test_code_that_was_paused_from_outside_can_complete(name, run_count, completes):
    proposed = State(COMPLETED, name)
    verdict = asked(rules.complete_only_what_ran, Paused(), proposed, run_count=run_count)
    assert (verdict is None) == (completes or name != "Completed")


@pytest.mark.parametrize("proposed", [SCHEDULED, PENDING, RUNNING])
@pytest.mark.parametrize("current", sorted(TERMINAL))
def test_a_finished_run_is_opened_again_by_a_rerun(current, proposed):
    assert judged(of(current), of(proposed), rerun=True).status is Status.ACCEPT
    refused = judged(of(current), of(proposed))
    assert (refused.status, refused.state) == (Status.REJECT, of(current))
    assert refused.reason == f"the run has finished: {state(current).name}"


@pytest.mark.parametrize("proposed", [PAUSED, CANCELLING, *sorted(TERMINAL)])
@pytest.mark.parametrize("current", sorted(TERMINAL))
def test_a_rerun_opens_a_run_and_does_nothing_else(current, proposed):
    report = judged(of(current), of(proposed), rerun=True)
    assert (report.status, report.state) == (Status.REJECT, of(current))
    assert "can't be rerun into" in report.reason


@pytest.mark.parametrize(
    ("other", "enters_it"),
    [
        (Cached(None), True),
        (state(SCHEDULED, "AwaitingSlot"), True),
        (Skipped(), False),
        (Failed("upstream"), False),
        (Cancelled("its parent"), False),
    ],
)
def test_a_rerun_ends_only_as_cached_without_running(other, enters_it):
    told = {"rerun": True, "instead_of": Running()}
    verdict = asked(rules.keep_finished_runs_finished, Failed("old"), other, **told)
    if enters_it:
        assert verdict is None
    else:
        assert verdict == Reject(
            None, f"the run has finished: Failed; it can't be rerun into {other}"
        )


@pytest.mark.parametrize("current", sorted(ACTIVE))
def test_a_rerun_of_a_run_that_has_not_finished_is_a_proposal_like_any(current):
    for proposed in StateType:
        plainly = judged(of(current), of(proposed), run_count=1, attempt=1)
        assert judged(of(current), of(proposed), run_count=1, attempt=1, rerun=True) == plainly


@pytest.mark.parametrize(
    "parent", [Paused(), state(CANCELLING), Cancelled(), Completed(), Failed()]
)
def test_a_finished_run_can_be_rerun_though_its_parent_has_finished(parent):
    report = judged(Failed(), Running(), parent=parent, rerun=True)
    answers = {PAUSED: Status.WAIT, CANCELLING: Status.REJECT}
    assert report.status is answers.get(parent.type, Status.ACCEPT)
    assert enters(report, report.state) == (report.status is Status.ACCEPT)


@pytest.mark.parametrize("current", [SCHEDULED, PENDING, PAUSED])
def test_nothing_starts_in_a_paused_parent_until_it_goes_on(current):
    verdict = asked(
        rules.start_nothing_in_a_stopped_parent, of(current), Running(), parent=Paused()
    )
    assert verdict == Wait("its parent is paused", after=1.0)


@pytest.mark.parametrize(
    ("late", "name"), [(-SECOND, "Running"), (0, "Running"), (1, "TimedOut"), (None, "Running")]
)
def test_a_pause_ends_at_its_time(late, name):
    current = Paused(None if late is None else NOW - late)
    report = judged(current, Running(), attempt=1, run_count=1, retries=3)
    assert report.state.name == name
    assert late is None or late <= 0 or report.reason == "the pause was over 1e-06 s ago"


@pytest.mark.parametrize(("current", "says"), [(Pending(), "Pending"), (Paused(), "Paused")])
def test_only_what_runs_is_paused(current, says):
    report = judged(current, Paused(), attempt=1, run_count=1)
    assert (report.status, report.state) == (Status.REJECT, current)
    assert report.reason == f"only a running run can be paused: this one is {says}"


def test_a_paused_run_is_not_handed_over():
    report = judged(Paused(), Pending(), attempt=1, run_count=1)
    assert (report.status, report.state) == (Status.REJECT, Paused())
    assert report.reason == "the run is paused: resume it, or schedule it anew"


@pytest.mark.parametrize("proposed", [RUNNING, PENDING])
def test_a_second_attempt_does_not_start_beside_the_first(proposed):
    verdict = asked(rules.run_one_attempt_at_a_time, Running(), of(proposed), attempt=2)
    assert verdict == Abort("attempt 2 is running", facts={"attempt": 2})


def test_every_rule_is_documented_and_named_as_a_sentence():
    for rule in {*TASK_POLICY, *FLOW_POLICY}:
        assert rule.says.endswith("."), rule.name
        assert len(rule.says) <= 100
        assert rule.leaving
        assert rule.entering


def test_no_two_rules_have_one_name():
    for policy in (TASK_POLICY, FLOW_POLICY):
        assert len({rule.name for rule in policy}) == len(policy)
