"""What holds for every proposal that can be thought of, whatever the run and the facts."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from orion_nb.clock import SECOND
from orion_nb.rules import POLICIES, Phase, Transition, enters, evaluate
from orion_nb.rules.bookkeeping import bookkeep
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Abort, Reject, Status, Wait
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    CANCELLED,
    CANCELLING,
    PAUSED,
    RUNNING,
    SCHEDULED,
    Failed,
    Pending,
    Running,
    StateType,
)
from orion_nb.schemas.values import evolve
from tests.rules.asking import (
    ID,
    NOW,
    of,
    policies,
    proposals,
    runs,
    states,
    transition,
    transitions,
)

FLAGS = list(
    itertools.product([False, True], [False, True], [None, 0, 1], [False, True], [False, True])
)


def judged(t):
    return evaluate(POLICIES[t.run.kind], t)


@pytest.mark.parametrize("kind", ["flow", "task"])
@pytest.mark.parametrize("leaving", list(StateType))
@pytest.mark.parametrize("entering", list(StateType))
def test_each_pair_is_answered_whatever_the_flags(kind, leaving, entering):
    for held, rerun, claims, retriable, matches in FLAGS:
        t = transition(
            of(leaving), of(entering), kind=kind, attempt=1, run_count=1, retries=1, held=held,
            rerun=rerun, claims=claims, retriable=retriable, token_matches=matches,
        )  # fmt: skip
        report = judged(t)
        entered = enters(report, t.current)
        if claims == 0 or (claims == 1 and not matches):
            assert report.fenced
        if leaving is CANCELLING and entered:
            assert report.state.type is CANCELLED
        if t.current.is_terminal and entered:
            assert rerun
            assert not report.state.is_terminal
        if report.status is Status.ACCEPT:
            assert report.state is t.proposed


@given(transitions)
def test_every_proposal_gets_an_answer_and_the_same_one_again(t):
    report = judged(t)
    event(report.status)
    assert report == judged(t)
    assert report.proposed == t.proposed.name
    assert (report.reason is None) == (report.status is Status.ACCEPT)
    assert report.fenced <= (report.status is Status.ABORT)


@given(transitions | proposals)
def test_what_is_accepted_is_what_was_proposed(t):
    report = judged(t)
    if report.status is Status.ACCEPT:
        assert report.state is t.proposed
    elif not enters(report, t.current):
        assert report.state is t.current


@given(proposals)
def test_no_proposal_leads_out_of_a_finished_state_but_a_rerun(t):
    report = judged(t)
    if t.current.is_terminal and enters(report, t.current):
        assert t.rerun
        assert report.state.name == "Cached" or not report.state.is_terminal
        assert report.state.type is not PAUSED
        assert report.state.type is not CANCELLING


@given(proposals)
def test_a_run_that_is_being_cancelled_ends_as_cancelled_only(t):
    report = judged(t)
    if t.current.type is CANCELLING and enters(report, t.current):
        assert report.state.type is CANCELLED


@given(proposals)
def test_a_run_that_is_being_cancelled_can_always_end(t):
    """It never stays Cancelling for ever, whatever its last attempt comes to."""
    if t.current.type is CANCELLING and t.proposed.is_terminal:
        assert judged(t).state.type is CANCELLED


@given(proposals)
def test_code_that_has_ended_is_never_held_up(t):
    """Whatever it ended as, the run leaves Running: there is nobody left who would ask again."""
    if t.current.type is RUNNING and t.proposed.is_terminal:
        report = judged(t)
        assert enters(report, t.current)
        assert report.state.is_terminal or report.state.type is SCHEDULED


@given(proposals)
def test_an_answer_to_wait_names_a_moment_that_is_not_past(t):
    report = judged(t)
    if report.status is Status.WAIT:
        assert report.until >= t.now
        assert report.retry_after == (report.until - t.now) / SECOND
        assert report.state is t.current
    else:
        assert report.retry_after is None
        assert report.until is None
        assert report.cancels == ()


@given(transitions)
def test_a_stale_attempt_moves_nothing(t):
    if t.claims is not None and (t.claims != t.run.attempt or not t.token_matches):
        report = judged(t)
        assert report.fenced
        assert report.status is Status.ABORT


@given(transitions)
def test_a_live_run_is_ended_by_nobody_else(t):
    if t.held and t.current.type in (RUNNING, CANCELLING):
        report = judged(t)
        assert not (enters(report, t.current) and report.state.is_terminal)


@given(transitions | proposals)
def test_the_report_has_a_line_for_each_rule_asked_in_order(t):
    """First from identity on; after each rewrite again, from finality on, with the new state."""
    lines, after, asked = [], -1, t
    while True:
        verdict = None
        for one in sorted(POLICIES[t.run.kind], key=lambda one: one.phase):
            if one.phase <= after or not one.governs(t.current.type, asked.proposed.type):
                continue
            verdict = one(asked)
            lines.append((one.name, one.says, verdict and verdict.reason))
            if isinstance(verdict, Reject | Wait | Abort):
                break
        if not isinstance(verdict, Reject) or verdict.state is None:
            break
        after, asked = 0, evolve(asked, proposed=verdict.state, instead_of=t.proposed)
    assert [(line.rule, line.says, line.reason) for line in judged(t).rules] == lines


@given(transitions | proposals)
def test_lines_are_in_the_order_of_phases_until_a_rewrite(t):
    phases = {rule.name: rule.phase for rule in POLICIES[t.run.kind]}
    last = Phase.IDENTITY
    for line in judged(t).rules:
        assert phases[line.rule] >= last
        last = Phase.IDENTITY if line.verdict == "rewrite" else phases[line.rule]


@given(transitions | proposals)
def test_without_the_rule_that_decided_the_answer_is_another(t):
    report = judged(t)
    decisive = [line.rule for line in report.rules if line.verdict != "pass"]
    if not decisive:
        return
    policy = [rule for rule in POLICIES[t.run.kind] if rule.name != decisive[-1]]
    without = evaluate(policy, t)
    changed = (without.status, without.state, without.reason, without.until)
    assert changed != (report.status, report.state, report.reason, report.until)


@given(transitions | proposals, st.randoms(use_true_random=False))
def test_the_order_of_a_policy_within_phases_apart_counts_for_nothing(t, random):
    """Rules of different phases may stand anywhere in the policy."""
    by_phase = {}
    for rule in POLICIES[t.run.kind]:
        by_phase.setdefault(rule.phase, []).append(rule)
    groups = list(by_phase.values())
    Random(random.random()).shuffle(groups)
    assert evaluate([rule for group in groups for rule in group], t) == judged(t)


@given(policies, st.integers(1, 100), st.floats(0, 1))
def test_jitter_stays_within_its_bounds(policy, retry, chance):
    delay = policy.delay_before(retry, chance)
    least, middle, most = (policy.delay_before(retry, each) for each in (0, 0.5, 1))
    assert 0 <= least <= delay <= most
    assert least >= middle * (1 - policy.retry_jitter) * (1 - 1e-9)
    assert most <= middle * (1 + policy.retry_jitter) * (1 + 1e-9)
    if policy.retry_delay_max is not None:
        assert most <= policy.retry_delay_max * (1 + 1e-9)


@given(policies, st.integers(1, 4))
def test_a_retry_is_due_within_the_bounds_of_jitter(policy, run_count):
    policy = evolve(policy, retries=3, rerun_from=None)
    run = Run(ID, "task", "r", Running(timestamp=NOW), ID, policy=policy, run_count=run_count)
    report = judged(Transition(run, Failed(), NOW))
    if run_count > 3:
        assert report.status is Status.ACCEPT
        return
    delay = (report.state.scheduled_time - NOW) / SECOND
    least, most = (policy.delay_before(run_count, chance) for chance in (0, 1))
    assert report.state.scheduled_time <= 253402300799999999  # the end of the year 9999
    if most < 1e9:
        assert least - 1e-6 <= delay <= most + 1e-6


@given(st.lists(states, max_size=12), policies, st.sampled_from(["flow", "task"]))
def test_any_sequence_of_proposals_keeps_a_run_in_order(proposed, policy, kind):
    """Through all that can be proposed: numbers without gaps, one end, nothing after it."""
    run, ended = Run(ID, kind, "r", Pending(seq=1), ID, policy=policy), None
    for now, state in enumerate(proposed, 1):
        t = Transition(run, state, now * SECOND, claims=run.attempt)
        report = judged(t)
        if not enters(report, run.state):
            assert report.state is run.state
            continue
        after = bookkeep(run, report.state, t.now, "s", report.marks)
        assert after.state.seq == run.state.seq + 1
        resumed = run.state.type is PAUSED and run.attempt > 0
        assert after.attempt - run.attempt == (after.state.type is RUNNING and not resumed)
        assert (after.end_time is not None) == after.state.is_terminal
        assert ended is None
        assert after.total_time >= run.total_time
        run = after
        if run.state.is_terminal:
            ended = run


@given(runs, st.integers(0, 200))
def test_a_run_is_tried_a_bounded_number_of_times(run, retries):
    """Failures, crashes and reruns of its upstream together: at most as often as one of them."""
    policy = RunPolicy(retries=retries, retry_crashes=run.policy.retry_crashes)
    most = max(retries, policy.retry_crashes, run.policy.rerun_max if run.policy.rerun_from else 0)
    policy = evolve(policy, rerun_from=run.policy.rerun_from, rerun_max=run.policy.rerun_max)
    late = evolve(run, policy=policy, state=Running(), run_count=most + 1)
    for end in (of(StateType.FAILED), of(StateType.CRASHED)):
        assert judged(Transition(late, end, NOW)).status is Status.ACCEPT
