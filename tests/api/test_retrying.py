"""A retry that is awaited is made at once when somebody asks for it."""

from __future__ import annotations

import pytest

from orion_nb.clock import SECOND
from orion_nb.errors import Conflict
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import Failed, Running

LATER = RunPolicy(2, (3600.0,))


@pytest.fixture
def waiting(orion, clock):
    """A flow, and tasks in it that wait an hour for a retry."""
    flow, _ = orion.begin(orion.new_run("flow", "nightly"), Running())
    made = []
    for name in ("load", "clean"):
        task, _ = orion.begin(orion.new_run("task", name, parent=flow.id, policy=LATER), Running())
        made.append(orion.advance(task, Failed("no"))[0])
    return flow, made


def test_all_retries_within_a_run_are_due_now(orion, waiting, clock):
    flow, tasks = waiting
    assert [task.state.scheduled_time for task in tasks] == [clock.at + 3600 * SECOND] * 2
    clock.advance(10)
    told = orion.retry_now(flow.id, why="it is back", by="ann")
    made = sorted(tasks, key=lambda task: task.id)  # both in the same millisecond
    assert told == {"retried": [{"id": task.id, "name": task.name} for task in made]}
    for task in tasks:
        now = orion.find(task.id)
        assert (now.state.name, now.state.scheduled_time) == ("AwaitingRetry", clock.at)
        assert (now.state.message, now.state.by) == ("it is back", "ann")
        again, report = orion.advance(now, Running())
        assert (again.state.name, report.status.value) == ("Retrying", "ACCEPT")
        after, _ = orion.advance(again, Failed("no"))
        assert after.state.name == "AwaitingRetry"  # no retry was spent by asking
        assert orion.advance(after, Running())[1].status.value == "WAIT"


def test_one_run_alone(orion, waiting):
    _, (load, clean) = waiting
    assert [each["id"] for each in orion.retry_now(load.id)["retried"]] == [load.id]
    assert orion.find(clean.id).state == clean.state


def test_what_awaits_no_retry_is_left_as_it_is(orion, waiting, clock):
    _, (load, _) = waiting
    orion.retry_now(load.id)
    running, _ = orion.advance(orion.find(load.id), Running())
    with pytest.raises(Conflict, match="is Retrying: it awaits no retry, and no run within it"):
        orion.retry_now(load.id)
    assert orion.find(load.id).state.seq == running.state.seq
    later = orion.create_run("flow", "later", scheduled_time=clock.at + 3600 * SECOND)
    with pytest.raises(Conflict, match="is Scheduled: it awaits no retry"):
        orion.retry_now(later.id)
    assert orion.find(later.id).state == later.state
