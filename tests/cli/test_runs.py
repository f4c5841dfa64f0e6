"""`orion-nb runs` and `orion-nb explain`, on runs that are really there."""

from __future__ import annotations

import re

import pytest

from orion_nb import flow, task
from orion_nb.api.orion import Orion
from orion_nb.schemas.runs import Run


@task(retries=1)
def flaky(calls: list[int]) -> str:
    calls.append(1)
    if len(calls) == 1:
        raise ConnectionError("the line is down")
    return "data"


@flow
def etl() -> str:
    return flaky([])


@pytest.fixture
def told(here: Orion) -> Run:
    """A flow run with a task that was tried twice."""
    return here.find(etl.run().run_id)


def test_lists_flow_runs_and_with_all_tasks_too(call, told):
    assert [run["name"] for run in call("runs", "ls", "--json").json["runs"]] == ["etl"]
    found = call("runs", "ls", "--all", "--json").json
    assert [run["name"] for run in found["runs"]] == ["flaky", "etl"]
    assert found["cursor"] is None
    shown = call("runs", "ls", "--all").out
    assert "✔ Completed" in shown
    assert "2 of 2" in shown
    assert told.id[-8:] in shown


def test_pages_follow_one_another(call, here):
    made = [here.create_run("flow", f"f{number}").id for number in range(5)]
    first = call("runs", "ls", "--limit", 3, "--json").json
    rest = call("runs", "ls", "--limit", 3, "--cursor", first["cursor"], "--json").json
    assert [run["id"] for run in first["runs"] + rest["runs"]] == made[::-1]
    assert f"--cursor {first['cursor']}" in call("runs", "ls", "--limit", 3).err


def test_lists_by_the_words_of_a_filter(call, here, told):
    here.create_run("flow", "pending one", tags=["db"])

    def names(*words):
        return [run["name"] for run in call("runs", "ls", *words, "--json").json["runs"]]

    assert names("state:completed", "since:1h") == ["etl"]
    assert names("tag:db is:unfinished") == names("pending") == ["pending one"]
    assert names("kind:task") == names("task:flaky") == ["flaky"]
    done = call("runs", "ls", "--json", "--", "-state:completed")
    assert [run["name"] for run in done.json["runs"]] == ["pending one"]
    wrong = call("runs", "ls", "state:completed", "stat:x")
    assert wrong.code == 2
    assert "'stat:x' (character 17): 'stat' is no key; did you mean 'state'?" in wrong.err


def test_lists_by_state_and_text(call, here, told):
    here.create_run("flow", "pending one")
    names = [run["name"] for run in call("runs", "ls", "--state", "pending", "--json").json["runs"]]
    assert names == ["pending one"]
    found = call("runs", "ls", "--text", told.id[-6:], "--json").json["runs"]
    assert [run["id"] for run in found] == [told.id]
    assert "No run matches." in call("runs", "ls", "--state", "crashed").err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--state", "faild"], "'faild' is no state"),
        (["--limit", "0"], "limit: 0 is not between 1 and 200"),
        (["--cursor", "x"], "cursor: 'x': it is none"),
        (["--deployment", "none"], "no deployment 'none'"),
    ],
)
def test_what_can_not_be_listed_is_a_usage_error(call, words, says):
    done = call("runs", "ls", *words)
    assert done.code == 2
    assert says in done.err


def test_an_empty_list_says_what_to_do(call):
    assert "orion-nb demo" in call("runs", "ls").err
    assert call("runs", "ls", "--json").json == {"runs": [], "cursor": None}


def test_shows_a_run_with_its_states_and_tasks(call, told):
    shown = call("runs", "show", "etl").out
    assert told.id in shown
    assert "◐ Running" in shown
    assert "flaky" in shown
    as_json = call("runs", "show", told.id[-8:], "--json").json
    assert as_json["id"] == told.id
    assert [state["name"] for state in as_json["states"]] == ["Pending", "Running", "Completed"]
    assert [run["name"] for run in as_json["tasks"]] == ["flaky"]


def test_says_why_a_task_was_tried_again(call, told):
    assert "retry_failures entered AwaitingRetry instead" in call("runs", "why", "flaky").out
    assert call("runs", "why", "flaky", "--json").json["run"]["run_count"] == 2


def test_its_times_are_those_of_this_clock_to_the_millisecond(call, told):
    lines = call("runs", "why", "flaky").out.splitlines()[1:]
    times = [line.split()[0] for line in lines]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", time) for time in times), times


def test_explains_with_every_rule_that_was_asked(call, told):
    shown = call("explain", "flaky").out
    assert "↪ retry_failures" in shown
    assert "· fence_stale_attempts" in shown
    states = call("explain", "flaky", "--json").json["states"]
    asked = [line["rule"] for line in states[2]["report"]["rules"]]
    assert asked[-1] == "retry_failures"


def test_a_dry_run_says_what_would_happen_and_writes_nothing(call, here, told):
    before = here.last_event()
    done = call("explain", "etl", "--to", "running")
    assert done.code == 0
    assert "it would stay ✔ Completed" in done.out
    assert "keep_finished_runs_finished" in done.out
    as_json = call("explain", "etl", "--to", "Running", "--json").json
    assert (as_json["run_id"], as_json["status"]) == (told.id, "REJECT")
    assert here.last_event() == before


def test_a_dry_run_names_the_state_that_would_be_entered(call, here):
    here.create_run("flow", "waits")
    assert "it would become ◐ Running" in call("explain", "waits", "--to", "running").out
    assert "it would become ⊘ Cancelled" in call("explain", "waits", "--to", "cancelling").out


def test_cancels_what_has_not_finished(call, here, told):
    run = here.create_run("flow", "waits")
    done = call("runs", "cancel", run.id, "--why", "wrong day", "--json")
    assert (done.code, done.json["state"]["name"]) == (0, "Cancelled")
    assert here.find(run.id).state.message == "wrong day"
    late = call("runs", "cancel", "etl")
    assert late.code == 1
    assert "the run has finished" in late.out


def test_sets_a_state_by_hand_and_keeps_who_and_why(call, here, told):
    done = call("runs", "set-state", "etl", "failed", "--why", "wrong numbers", "--json")
    assert done.code == 0
    assert done.json["state"]["by"] == "cli"
    assert done.json["token"] is None
    assert here.find(told.id).state.reason == "set by cli: wrong numbers"
    call("runs", "set-state", "etl", "Skipped", "--why", "never mind", "--message", "gone")
    assert str(here.find(told.id).state) == "Skipped: gone"


def test_a_state_that_is_none_is_a_usage_error(call, told):
    done = call("runs", "set-state", "etl", "complete", "--why", "x")
    assert done.code == 2
    assert "did you mean 'completed'" in done.err
    assert call("runs", "set-state", "etl", "completed").code == 2
