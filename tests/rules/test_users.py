"""Rules of the user's own: they narrow, and never break nor hold up what must not be."""

from __future__ import annotations

import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.errors import InvalidInput
from orion_nb.rules import POLICIES, TASK_POLICY, Phase, enters, evaluate, rule
from orion_nb.rules.users import LOOK_AGAIN, load_rules, with_user_rules
from orion_nb.schemas.reports import Abort, Note, Reject, Status, Wait
from orion_nb.schemas.states import (
    CANCELLING,
    RUNNING,
    SCHEDULED,
    TERMINAL,
    Cancelled,
    Cancelling,
    Completed,
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
from tests.rules.asking import NOW, of, proposals, transition


def saying(answer, **governs):
    """A rule that answers this, or what this function answers."""

    @rule(**governs)
    def mine(t):
        """Mine."""
        return answer(t) if callable(answer) else answer

    return mine


def judged(mine, current=None, proposed=None, **facts):
    t = transition(current or Pending(), proposed or Running(), **facts)
    return evaluate(with_user_rules(POLICIES[t.run.kind], [mine]), t)


def line_of(report):
    return next(line for line in report.rules if line.rule == "mine")


# -- what they can do ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "name", "verdict"),
    [
        (None, Status.ACCEPT, "Running", "pass"),
        (Note("so it is"), Status.ACCEPT, "Running", "pass"),
        (Wait("later", after=2.0), Status.WAIT, "Pending", "wait"),
        (Abort("never"), Status.ABORT, "Pending", "abort"),
        (Reject(None, "no"), Status.REJECT, "Pending", "reject"),
        (Reject(Cancelled("no"), "no"), Status.REJECT, "Cancelled", "rewrite"),
        (Reject(Skipped(), "no use"), Status.REJECT, "Skipped", "rewrite"),
        (Reject(Scheduled(NOW + 1), "no use"), Status.REJECT, "Scheduled", "rewrite"),
    ],
)
def test_a_start_can_be_held_up_or_replaced(answer, status, name, verdict):
    report = judged(saying(answer, entering=[RUNNING]))
    assert (report.status, report.state.name) == (status, name)
    told = line_of(report)
    assert (told.verdict, told.says) == (verdict, "Mine.")
    assert told.reason == (answer.reason if answer else None)


def test_they_are_asked_last_and_only_of_what_the_others_let_through():
    report = judged(saying(Note("asked")))
    assert report.rules[-1].rule == "mine"
    refused = judged(saying(Note("asked")), Running(), Running(), attempt=1)
    assert refused.status is Status.ABORT
    assert "mine" not in [line.rule for line in refused.rules]


def test_what_they_put_in_its_place_is_judged_by_all_rules():
    report = judged(saying(Reject(Completed(), "skip it"), entering=[RUNNING]))
    assert (report.status, report.state) == (Status.REJECT, Pending())
    assert report.reason == "the run never ran: it is Pending; propose Running first"


def test_a_result_can_be_refused_and_the_run_is_tried_again():
    bad = Reject(Failed("too few rows"), "too few rows")
    report = judged(
        saying(bad, entering=[StateType.COMPLETED]), Running(), Completed(), retries=1, run_count=1
    )
    assert (report.state.name, report.state.message) == ("AwaitingRetry", "too few rows")


def test_a_mark_is_set():
    assert judged(saying(Note("odd", mark="odd"))).marks == ("odd",)


def test_a_wait_that_names_no_time_is_a_second():
    assert judged(saying(Wait("later"))).retry_after == LOOK_AGAIN
    assert judged(saying(Wait("later", until=NOW - 5))).retry_after == 0


# -- what they can't do ----------------------------------------------------------------------------


def raises(error):
    def answer(t):
        raise error

    return answer


class Wordless(Exception):
    def __str__(self):
        raise RuntimeError("not even that")


class Odd:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (raises(ValueError("oh")), "it raised ValueError: oh; it was not heeded"),
        (raises(KeyError()), "it raised KeyError; it was not heeded"),
        (raises(Wordless()), "it raised Wordless: (its text can't be shown); it was not heeded"),
        (True, "it answered True, which is no verdict; it was not heeded"),
        ("wait", "it answered 'wait', which is no verdict; it was not heeded"),
        (Odd(), "it answered a Odd, which is no verdict; it was not heeded"),
        (Wait(""), "it answered a Wait whose reason is ''; it was not heeded"),
        (Abort(None), "it answered a Abort whose reason is None"),
        (Wait("x", after="soon"), "it answered a Wait after 'soon', which is no number"),
        (Wait("x", after=float("nan")), "it answered a Wait after nan, which"),
        (Wait("x", after=float("inf")), "it answered a Wait after inf, which"),
        (Wait("x", until=1.5), "it answered a Wait until 1.5, which is no moment"),
        (Wait("x", until=2**80), "which is no moment (microseconds) within a year"),
        (Wait("x", facts=7), "it answered a Wait whose facts are 7"),
        (Note("x", facts={(1, 2): 3}), "it answered a Note whose facts are {(1, 2): 3}"),
        (Note("x", mark=7), "it answered a Note whose mark is 7"),
        (Reject("FAILED", "x"), "it answered a Reject whose state is 'FAILED'"),
        (Reject(State("FAILED", "Sulking"), "x"), "whose state is <Sulking> of the type 'FAILED'"),
    ],
)
def test_a_rule_that_is_wrong_passes_and_the_report_says_so(answer, says):
    report = judged(saying(answer))
    assert report.status is Status.ACCEPT
    told = line_of(report)
    assert told.verdict == "pass"
    assert says in told.reason
    assert told.reason.endswith("not heeded")


def test_what_ends_the_program_is_no_mistake_of_a_rule():
    with pytest.raises(KeyboardInterrupt):
        judged(saying(raises(KeyboardInterrupt())))


@pytest.mark.parametrize("answer", [Wait("not now"), Abort("no"), Reject(None, "no")])
@pytest.mark.parametrize("proposed", sorted(TERMINAL))
@pytest.mark.parametrize("current", [Running(), Cancelling(), Paused()])
def test_a_run_that_ends_is_not_held_up(current, proposed, answer):
    facts = {"run_count": 1, "attempt": 1, "retries": 1}
    plainly = judged(saying(None), current, of(proposed), **facts)
    report = judged(saying(answer), current, of(proposed), **facts)
    assert (report.status, report.state) == (plainly.status, plainly.state)
    assert enters(report, current)
    assert line_of(report).reason == f"{answer.reason} (not heeded: a run that ends is not held up)"


def test_nor_is_one_that_is_to_be_tried_again():
    report = judged(saying(Abort("no")), Running(), Failed("oh"), retries=1, run_count=1)
    assert report.state.name == "AwaitingRetry"


def test_a_run_that_ends_becomes_nothing_that_goes_on():
    answer = saying(Reject(Paused(), "let me see"), entering=[StateType.COMPLETED])
    report = judged(answer, Running(), Completed(), run_count=1)
    assert report.status is Status.ACCEPT
    assert line_of(report).reason.endswith("(not heeded: a run that ends can't become Paused)")


def test_a_state_is_replaced_by_them_once():
    report = judged(saying(lambda t: Reject(Failed("no"), "no")), Running(), Completed())
    assert report.state.name == "Failed"
    assert [line.verdict for line in report.rules if line.rule == "mine"] == ["rewrite", "pass"]
    cancelling = judged(saying(Reject(Failed("no"), "no")), Cancelling(), Cancelled())
    assert cancelling.state.name == "Cancelled"


def test_they_cancel_no_other_run_and_fence_nobody():
    waits = judged(saying(Wait("make way", after=1.0, cancels=("0" * 32,))))
    assert (waits.status, waits.cancels) == (Status.WAIT, ())
    assert not judged(saying(Abort("no", fenced=True))).fenced


answers = st.sampled_from(
    [
        None, 7, Wait("w"), Wait("w", after=-1.0), Abort("a", fenced=True), Reject(None, "r"),
        Note("n", mark="m"), raises(ValueError("oh")),
        *(Reject(state(kind), "r") for kind in StateType),
    ]
)  # fmt: skip


@given(proposals, answers)
def test_whatever_they_answer_what_must_hold_holds(t, answer):
    """Code that has ended leaves Running; Cancelling ends as Cancelled; what ended stays."""
    policy = with_user_rules(POLICIES[t.run.kind], [saying(answer)])
    report = evaluate(policy, t)
    assert report == evaluate(policy, t)
    entered = enters(report, t.current)
    if t.current.type is RUNNING and t.proposed.is_terminal:
        assert entered
        assert report.state.is_terminal or report.state.type is SCHEDULED
    if t.current.type is CANCELLING and t.proposed.is_terminal:
        assert report.state.name == "Cancelled"
    if t.current.is_terminal and not t.rerun:
        assert not entered
    if report.status is Status.WAIT:
        assert report.until >= t.now


@given(proposals, answers)
def test_what_the_other_rules_refuse_stays_refused(t, answer):
    plainly = evaluate(POLICIES[t.run.kind], t)
    if not enters(plainly, t.current):
        report = evaluate(with_user_rules(POLICIES[t.run.kind], [saying(answer)]), t)
        assert not enters(report, t.current)
        assert report.status is plainly.status


# -- how they are named and found ------------------------------------------------------------------


@pytest.fixture
def module(monkeypatch):
    """A module `my_rules`, on its own."""
    made = types.ModuleType("my_rules")
    made.mine, made.plain, made.seven = saying(Note("hi")), lambda t: None, 7
    monkeypatch.setitem(sys.modules, "my_rules", made)
    return made


def test_rules_are_loaded_by_name(module):
    assert load_rules("my_rules:mine") == (module.mine,)
    assert load_rules(" my_rules:mine , my_rules:mine,,") == (module.mine,)
    assert load_rules(("my_rules:mine",)) == (module.mine,)
    assert load_rules("") == load_rules(()) == ()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("my_rules", "'my_rules' is no name of a rule; write package.module:rule"),
        ("my_rules:", "is no name of a rule"),
        (":mine", "is no name of a rule"),
        ("my_rules:a b", "is no name of a rule"),
        ("my_rules:other", "module 'my_rules' has no 'other'"),
        ("my_rules:plain", "is no rule; decorate it with `@orion_nb.rules.rule()`"),
        ("my_rules:seven", "is no rule; decorate it with"),
        ("no_such:mine", "module 'no_such' can't be imported: ModuleNotFoundError: No module"),
        ("..:mine", "'..' can't be imported: TypeError"),
    ],
)
def test_a_name_that_names_no_rule_is_told(module, name, says):
    with pytest.raises(InvalidInput, match="rules: ") as told:
        load_rules(name)
    assert says in str(told.value)
    assert told.value.field == "rules"


def test_a_module_that_raises_is_told(tmp_path, monkeypatch):
    (tmp_path / "broken_rules.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidInput, match="can't be imported: ZeroDivisionError"):
        load_rules("broken_rules:mine")


def wordless(t):
    return None


def retry_failures(t):
    """I am another."""


@pytest.mark.parametrize(
    ("mine", "says"),
    [
        (saying(None, phase=Phase.TIME), "rule 'mine' is of phase TIME; rules of your own are of"),
        (rule()(wordless), "rule 'wordless' has no docstring"),
        (rule()(retry_failures), "'retry_failures' is a built-in rule; give yours another name"),
        (wordless, "is no rule; decorate it"),
    ],
)
def test_a_rule_that_is_none_of_the_users_own_is_refused(mine, says):
    with pytest.raises(InvalidInput) as told:
        with_user_rules(TASK_POLICY, [mine])
    assert says in str(told.value)


def test_one_of_the_same_name_takes_the_place_of_the_one_before():
    first = with_user_rules(TASK_POLICY, [saying(Abort("old"))])
    second = with_user_rules(first, [saying(Note("new"))])
    assert len(second) == len(first) == len(TASK_POLICY) + 1
    assert evaluate(second, transition(Pending(), Running())).status is Status.ACCEPT
