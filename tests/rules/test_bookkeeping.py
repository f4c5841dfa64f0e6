"""What a new state does to its run: attempt, token, counts and times."""

from __future__ import annotations

import pytest

from orion_nb.rules.bookkeeping import bookkeep
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    AwaitingRetry,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Paused,
    Pending,
    Running,
    Scheduled,
    State,
    StateType,
)

ID = "0" * 32


def after(*entered, run=None):
    """The run after these states, entered at 10, 20, 30 ... by session `s`."""
    run = run or Run(ID, "task", "t", Pending(seq=1, timestamp=1), root=ID)
    for n, state in enumerate(entered, 1):
        run = bookkeep(run, state, n * 10, "s")
    return run


def test_states_are_numbered_and_carry_their_time_and_attempt():
    run = after(Running(), Failed())
    assert (run.state.seq, run.state.timestamp, run.state.attempt) == (3, 20, 1)


def test_each_entry_into_running_is_a_new_attempt_with_a_token_of_its_own():
    first = after(Running())
    second = after(AwaitingRetry(15), Running(), run=first)
    assert (first.attempt, second.attempt) == (1, 2)
    assert (first.run_count, second.run_count) == (1, 2)
    assert len(first.token) == len(second.token) == 16
    assert first.token != second.token


def test_a_run_that_is_opened_again_has_all_its_retries_again():
    first = after(Running(), AwaitingRetry(15), Running(), Failed())
    again = after(Running(), run=first)
    assert (first.attempt, first.run_count) == (2, 2)
    assert (again.attempt, again.run_count) == (3, 1)
    assert again.token != first.token


def test_a_run_that_goes_on_after_a_pause_is_in_the_same_attempt():
    first = after(Running())
    resumed = after(Paused(), Running(), run=first)
    assert (resumed.attempt, resumed.run_count, resumed.token) == (1, 1, first.token)
    assert resumed.total_time == 0  # a pause is no time of execution


def test_marks_are_set_once_each_and_stay():
    marked = bookkeep(after(Running()), Failed(), 9, None, ["missed_sla"])
    again = bookkeep(marked, Running(), 10, None, ["missed_sla", "more"])
    assert (marked.marks, again.marks) == (("missed_sla",), ("missed_sla", "more"))


def test_a_second_attempt_is_told_as_a_retry():
    assert after(Running(), AwaitingRetry(15), Running()).state.name == "Retrying"
    rerunning = State(StateType.RUNNING, "Rerunning")
    assert after(Running(), Failed(), rerunning).state.name == "Rerunning"


def test_times_are_those_of_the_first_start_and_the_last_end():
    run = after(Running(), AwaitingRetry(25), Running(), Completed())
    assert (run.start_time, run.end_time) == (10, 40)
    assert run.total_time == 20  # two attempts of 10 each; the wait between them is none of it


def test_what_is_rerun_starts_anew():
    run = after(
        Running(), Failed(), Pending(), Running(), AwaitingRetry(45), Running(), Completed()
    )
    assert (run.start_time, run.end_time) == (40, 70)
    assert run.state.attempt == 3
    assert run.total_time == 30  # of all attempts


def test_another_end_does_not_make_it_longer():
    run = after(Running(), Failed(), Completed())
    assert (run.start_time, run.end_time) == (10, 20)


def test_a_run_that_is_opened_again_has_not_ended():
    run = after(Running(), Failed(), Pending())
    assert run.end_time is None
    assert run.start_time == 10


def test_a_clock_that_goes_backwards_takes_no_time_away():
    run = after(Running())
    assert bookkeep(run, Completed(), 3, None).total_time == 0


def test_scheduled_time_is_that_of_the_last_scheduled_state():
    run = after(Scheduled(50), Pending(), Running())
    assert run.scheduled_time == 50
    assert after(AwaitingRetry(70), run=run).scheduled_time == 70


@pytest.mark.parametrize(
    ("entered", "session"),
    [
        ([Pending()], None),
        ([State(StateType.PENDING, "Submitting")], "s"),
        ([Running()], "s"),
        ([Running(), Cancelling()], "s"),
        ([Running(), Crashed()], "s"),
    ],
)
def test_a_run_belongs_to_the_session_that_takes_or_executes_it(entered, session):
    assert after(*entered).session == session


def test_the_last_refusal_is_forgotten_when_a_state_is_entered():
    blocked = Run(ID, "task", "t", Pending(seq=1), root=ID, blocked=object())
    assert after(Running(), run=blocked).blocked is None
