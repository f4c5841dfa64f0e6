"""%orion lists runs, says why, and cancels."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True, scope="module")
def some_runs(shared_kernel: Any) -> None:
    """A flow that completed after a retry, and one that failed."""
    shared_kernel.do("""\
listed_tries = []
@task(retries=1)
def listed_task():
    listed_tries.append(1)
    if len(listed_tries) == 1: raise ValueError("<b>once</b>")

@flow
def listed_good(): listed_task()

@flow
def listed_bad(): raise KeyError("price")
listed_good()
listed_bad.run()
""")


def test_it_lists_the_newest_flow_runs(kernel: Any) -> None:
    for line in ("%orion", "%orion runs"):
        ran = kernel.do(line)
        assert ran.result is not None
        heads, *rows = ran.result.splitlines()
        assert heads.split() == ["run", "name", "state", "attempts", "started", "time", "message"]
        bad = next(row for row in rows if "listed_bad" in row)
        assert "✖ Failed" in bad
        assert "KeyError: 'price'" in bad
        assert "listed_task" not in ran.result
        assert "<table>" in ran.html


def test_it_lists_runs_of_one_state_and_tasks_too(kernel: Any) -> None:
    failed = kernel.do("%orion runs failed").result or ""
    assert "listed_bad" in failed
    assert "listed_good" not in failed
    assert "listed_task" in (kernel.do("%orion runs --tasks completed").result or "")
    kernel.do("listed = %orion runs failed")
    assert kernel.value("listed.data[0]['name']") == "listed_bad"
    assert kernel.do("%orion runs paused").result == "No runs are paused."


def test_a_comment_may_follow_it(kernel: Any) -> None:
    assert "listed_bad" in (kernel.do("%orion               # the newest runs").result or "")
    why = kernel.do("%orion why listed_task  # what happened, and why").result or ""
    assert why.startswith("task listed_task")


def test_it_says_what_happened_and_why(kernel: Any) -> None:
    ran = kernel.do("%orion why listed_task")
    run = kernel.orion.find("listed_task")
    lines = (ran.result or "").splitlines()
    assert lines[0] == f"task listed_task ({run.id[-8:]})"
    assert "AwaitingRetry" in "\n".join(lines)
    assert "retry_failures entered AwaitingRetry instead: attempt 1 of 2 failed" in "\n".join(lines)
    assert "&lt;b&gt;once" in ran.html
    assert "<b>once" not in ran.html
    assert ran.html.count("<li>") == len(lines) - 1
    for ref in (run.id, run.id[-8:], run.id[-4:]):
        assert (kernel.do(f"%orion why {ref}").result or "").startswith("task listed_task")


def test_it_cancels(kernel: Any) -> None:
    run = kernel.orion.create_run("flow", "to_cancel")
    said = kernel.do(f"%orion cancel {run.id[-8:]}").result or ""
    assert said.startswith(f"to_cancel {run.id[-8:]}: Cancelled, nothing to stop")
    assert kernel.orion.find(run.id).state.name == "Cancelled"
    assert kernel.orion.find(run.id).state.by == "notebook"


def test_help_says_what_there_is(kernel: Any) -> None:
    for line in ("%orion help", "%orion --help"):
        shown = kernel.do(line).stdout
        assert "%orion why RUN" in shown
        assert "%orion cancel RUN" in shown


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("wy listed_task", "UsageError: %orion: no 'wy' (did you mean 'why'?)"),
        ("frobnicate", "UsageError: %orion: no 'frobnicate'; see %orion help"),
        ("why", "UsageError: %orion why: give one run: an id, the end of one, or a name"),
        ("cancel a b", "UsageError: %orion cancel: give one run"),
        ("why nobody", "UsageError: %orion why: no run 'nobody'; `orion-nb runs ls` lists"),
        ("runs sleepy", "UsageError: %orion runs: states: 'sleepy' is no state; there are"),
        ("runs --limit", "UsageError: %orion runs: states: '--limit' is no state; there are"),
    ],
)
def test_what_it_does_not_know_it_says(kernel: Any, line: str, says: str) -> None:
    ran = kernel.run(f"%orion {line}")
    assert not ran.ok
    assert says in ran.stderr
    assert ran.traceback == ""
