"""How a policy judges: properties that hold for every transition, and the order of asking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orion_nb.clock import SECOND
from orion_nb.rules import (
    FLOW_POLICY,
    POLICIES,
    TASK_POLICY,
    Other,
    Phase,
    Transition,
    enters,
    evaluate,
    rule,
)
from orion_nb.rules.bookkeeping import bookkeep
from orion_nb.rules.common import COMMON
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Abort, Reject, Status, Wait
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    FAILED,
    NAMES,
    PENDING,
    RUNNING,
    Cancelled,
    Completed,
    Failed,
    Pending,
    Running,
    Scheduled,
    Skipped,
    State,
    StateType,
)
from orion_nb.schemas.values import evolve

ID = "0" * 32
NOW = 1_000 * SECOND

moments = st.integers(0, 2_000 * SECOND)
states = st.sampled_from(list(StateType)).flatmap(
    lambda kind: st.builds(
        State,
        st.just(kind),
        st.sampled_from(NAMES[kind]),
        timestamp=moments,
        message=st.none() | st.text(max_size=5),
        scheduled_time=st.none() | moments,
    )
)
policies = st.builds(
    RunPolicy,
    retries=st.integers(0, 3),
    retry_delay=st.lists(st.floats(0, 100), max_size=3).map(tuple),
    trigger=st.sampled_from(["all_completed", "all_finished", "any_failed"]),
)
transitions = st.builds(
    lambda kind, current, policy, attempt, run_count, **facts: Transition(
        Run(ID, kind, "r", current, ID, policy=policy, attempt=attempt, run_count=run_count),
        **facts,
    ),
    kind=st.sampled_from(["flow", "task"]),
    current=states,
    policy=policies,
    attempt=st.integers(0, 2),
    run_count=st.integers(0, 4),
    proposed=states,
    now=moments,
    claims=st.none() | st.integers(0, 2),
    token_matches=st.booleans(),
    held=st.booleans(),
    retriable=st.booleans(),
    parent=st.none() | states,
    upstream=st.lists(
        st.builds(Other, st.text(max_size=3), st.text(max_size=3), states), max_size=3
    ).map(tuple),
)


def judged(t):
    return evaluate(POLICIES[t.run.kind], t)


@given(transitions)
def test_every_transition_gets_an_answer_and_the_same_one_again(t):
    report = judged(t)
    assert report == judged(t)
    assert report.proposed == t.proposed.name
    assert (report.reason is None) == (report.status is Status.ACCEPT)


@given(transitions)
def test_no_proposal_leads_out_of_a_finished_state(t):
    if t.current.is_terminal:
        assert not enters(judged(t), t.current)


@given(transitions)
def test_a_run_that_is_being_cancelled_ends_as_cancelled_only(t):
    report = judged(t)
    if t.current.type is CANCELLING and enters(report, t.current):
        assert report.state.type is CANCELLED


@given(transitions)
def test_an_answer_to_wait_says_how_long(t):
    report = judged(t)
    if report.status is Status.WAIT:
        assert report.retry_after >= 0
        assert report.until >= t.now
        assert report.state is t.current
    else:
        assert report.retry_after is None
        assert report.until is None


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


@given(transitions)
def test_the_report_has_a_line_for_each_rule_asked_in_order(t):
    """First from identity on; after a rewrite once more, from finality on, with the new state."""
    lines, after, proposed = [], -1, t.proposed
    while True:
        verdict = None
        for one in sorted(POLICIES[t.run.kind], key=lambda one: one.phase):
            if one.phase <= after or not one.governs(t.current.type, proposed.type):
                continue
            verdict = one(evolve(t, proposed=proposed))
            lines.append((one.name, one.says, verdict and verdict.reason))
            if verdict is not None:
                break
        if not isinstance(verdict, Reject) or verdict.state is None or after >= 0:
            break
        after, proposed = Phase.IDENTITY, verdict.state
    assert [(line.rule, line.says, line.reason) for line in judged(t).rules] == lines


@given(transitions)
def test_without_the_rule_that_decided_the_answer_is_another(t):
    report = judged(t)
    decisive = [line.rule for line in report.rules if line.verdict != "pass"]
    if not decisive:
        return
    policy = [rule for rule in POLICIES[t.run.kind] if rule.name != decisive[-1]]
    without = evaluate(policy, t)
    changed = (without.status, without.state, without.reason, without.until)
    assert changed != (report.status, report.state, report.reason, report.until)


@given(st.lists(states, max_size=12), policies, st.sampled_from(["flow", "task"]))
def test_any_sequence_of_proposals_keeps_a_run_in_order(proposals, policy, kind):
    """Through all that can be proposed: numbers without gaps, one end, nothing after it."""
    run, ended = Run(ID, kind, "r", Pending(seq=1), ID, policy=policy), None
    for now, proposed in enumerate(proposals, 1):
        t = Transition(run, proposed, now * SECOND, claims=run.attempt)
        report = evaluate(POLICIES[kind], t)
        if not enters(report, run.state):
            assert report.state is run.state
            continue
        after = bookkeep(run, report.state, t.now, "s")
        assert after.state.seq == run.state.seq + 1
        assert after.attempt - run.attempt == (after.state.type is RUNNING)
        assert (after.end_time is not None) == after.state.is_terminal
        assert ended is None
        assert after.total_time >= run.total_time
        run = after
        if run.state.is_terminal:
            ended = run


# -- how rules are asked: small policies of our own ------------------------------------------------


def policy_of(*judges, leaving=StateType, entering=StateType):
    """A policy of these (phase, function) pairs."""
    return tuple(rule(phase, leaving=leaving, entering=entering)(judge) for phase, judge in judges)


def ask(policy, current=None, proposed=None):
    run = Run(ID, "flow", "f", current or Pending(), ID)
    return evaluate(policy, Transition(run, proposed or Running(), NOW))


def never(t):
    """Never."""
    return Abort("never")


def always(t):
    """Always."""


def skip(t):
    """Skips."""
    return Reject(Skipped(), "not worth it")


def later(t):
    """Later."""
    return Wait("later", after=2.5)


def stay(t):
    """Stays."""
    return Reject(None, "as it is")


def test_the_phase_and_not_the_place_in_the_policy_decides_who_is_asked_first():
    report = ask(policy_of((Phase.USER, never), (Phase.TIME, later)))
    assert (report.status, [line.rule for line in report.rules]) == (Status.WAIT, ["later"])


def test_within_a_phase_the_policy_decides():
    report = ask(policy_of((Phase.USER, always), (Phase.USER, never), (Phase.USER, later)))
    assert [line.rule for line in report.rules] == ["always", "never"]


def test_a_wait_is_told_in_seconds_and_as_a_moment():
    report = ask(policy_of((Phase.TIME, later)))
    assert (report.retry_after, report.until) == (2.5, NOW + 2_500_000)


def test_a_moment_that_has_passed_is_waited_for_no_longer():
    def passed(t):
        """Passed."""
        return Wait("passed", until=t.now - SECOND)

    assert ask(policy_of((Phase.TIME, passed))).retry_after == 0


def test_after_a_rewrite_the_new_state_is_judged_once_more_from_finality():
    seen = []

    def note(t):
        """Notes."""
        seen.append(t.proposed.type)

    def identity(t):
        """Identity."""
        seen.append("identity")

    def rewrite(t):
        """Rewrites."""
        return Reject(Skipped(), "not worth it") if t.proposed.type is RUNNING else None

    report = ask(
        policy_of((Phase.IDENTITY, identity), (Phase.FINALITY, note), (Phase.CACHE, rewrite))
    )
    assert seen == ["identity", RUNNING, COMPLETED]
    assert (report.status, report.state.name) == (Status.REJECT, "Skipped")
    assert [line.verdict for line in report.rules] == ["pass", "pass", "rewrite", "pass", "pass"]
    assert report.reason == "not worth it"


def test_a_third_rewrite_is_not_made():
    report = ask(policy_of((Phase.CACHE, skip)))
    assert report.status is Status.ABORT
    assert report.reason == "not worth it (more than 2 rewrites are not made)"
    assert [line.verdict for line in report.rules] == ["rewrite"] * 3
    assert not enters(report, report.state)


def test_what_a_rewrite_led_to_can_be_refused():
    def no_skipping(t):
        """No skipping."""
        return Abort("no skipping") if t.proposed.type is COMPLETED else None

    def skip_once(t):
        """Skips once."""
        return Reject(Skipped(), "not worth it") if t.proposed.type is RUNNING else None

    report = ask(policy_of((Phase.CACHE, skip_once), (Phase.USER, no_skipping)))
    assert (report.status, report.reason) == (Status.ABORT, "no skipping")
    assert [line.verdict for line in report.rules] == ["rewrite", "pass", "abort"]


def test_a_rule_is_asked_only_about_the_transitions_it_governs():
    policy = policy_of((Phase.USER, never), leaving=[PENDING], entering=[FAILED])
    assert ask(policy, Pending(), Failed()).status is Status.ABORT
    assert ask(policy, Pending(), Cancelled()).rules == ()
    assert ask(policy, Scheduled(0), Failed()).rules == ()


def test_a_policy_that_is_a_list_and_a_new_rule_with_an_old_name_are_asked_afresh():
    assert ask(list(policy_of((Phase.USER, never)))).status is Status.ABORT

    def never_(t):
        """Never, but."""

    never_.__name__ = "never"
    assert ask(list(policy_of((Phase.USER, never_)))).status is Status.ACCEPT


def test_staying_as_it_is_enters_nothing():
    report = ask(policy_of((Phase.USER, stay)), Running(), Completed())
    assert (report.status, report.state) == (Status.REJECT, Running())
    assert not enters(report, report.state)


def test_an_equal_state_that_a_rule_made_is_entered_all_the_same():
    """A run that is rewritten into what it already is does enter it again."""
    current = Pending()

    def again(t):
        """Again."""
        return Reject(Pending(), "again") if t.proposed.type is RUNNING else None

    report = ask(policy_of((Phase.USER, again)), current)
    assert report.state == current
    assert enters(report, current)


def test_the_policies_of_both_kinds_share_the_common_rules():
    assert set(COMMON) == set(FLOW_POLICY) & set(TASK_POLICY)
