"""How a policy judges: the order of asking, and what a report says of it."""

from __future__ import annotations

from orion_nb.clock import SECOND
from orion_nb.rules import FLOW_POLICY, TASK_POLICY, Phase, Transition, enters, evaluate, rule
from orion_nb.rules.common import COMMON
from orion_nb.schemas.reports import Abort, Note, Reject, Status, Wait
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    COMPLETED,
    FAILED,
    PENDING,
    RUNNING,
    Cancelled,
    Completed,
    Failed,
    Pending,
    Running,
    Scheduled,
    Skipped,
    StateType,
)

ID = "0" * 32
NOW = 1_000 * SECOND


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

    report = ask(policy_of((Phase.TIME, passed)))
    assert (report.retry_after, report.until) == (0, NOW)


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


def test_marks_are_those_of_the_state_that_is_entered():
    def note(t):
        """Notes."""
        return Note("late", mark=f"late_{t.proposed.name}")

    def skip_once(t):
        """Skips once."""
        return Reject(Skipped(), "not worth it") if t.proposed.type is RUNNING else None

    report = ask(policy_of((Phase.TIME, note), (Phase.CACHE, skip_once)))
    assert report.marks == ("late_Skipped",)
    assert [line.verdict for line in report.rules] == ["pass", "rewrite", "pass", "pass"]


def test_a_rule_is_told_what_was_proposed_in_the_first_place():
    seen = []

    def note(t):
        """Notes."""
        seen.append((t.proposed.name, t.instead_of and t.instead_of.name))
        return Reject(Skipped(), "once") if t.proposed.type is RUNNING else None

    ask(policy_of((Phase.CACHE, note)))
    assert seen == [("Running", None), ("Skipped", "Running")]


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
