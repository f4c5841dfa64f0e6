"""What others did while a server was away is respected when it is told."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import CANCELLED, COMPLETED, RUNNING, Completed, Failed, Lost, Running
from orion_nb.schemas.values import evolve
from orion_nb.store.outbox import outboxes, peek
from tests.api.outbox.telling import names_of
from tests.waiting import until


def test_a_run_that_was_stopped_there_meanwhile_stays_so(serving, point, there, caplog):
    """What happened here after it was cancelled there is refused, and noted."""
    api = point(serving.url)
    run, _ = api.begin(api.new_run("flow", "cancelled-there"), Running())
    serving.kill()
    ended, report = api.advance(run, Completed())
    assert (report.status, ended.state.type) == (Status.ACCEPT, COMPLETED)
    there.cancel(run.id, why="enough", by="somebody")
    serving.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    known = there.find(run.id)
    assert known.state.type is CANCELLED
    assert "would have been Completed" in (known.state.message or "")


def test_what_a_fenced_attempt_did_is_put_aside(serving, point, there):
    api = point(serving.url)
    made = api.new_run("task", "fenced-there", policy=RunPolicy(retries=3, retry_delay=(0.0,)))
    run, _ = api.begin(made, Running())
    serving.kill()
    failed, _ = api.advance(run, Failed("boom"))
    again, _ = api.advance(failed, Running())
    api.advance(again, Completed())
    there.force(run.id, Failed("by hand"), by="somebody", why="it hangs")
    serving.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    assert there.find(run.id).state.message == "by hand"
    (path,) = outboxes(Path(os.environ["ORION_NB_HOME"]) / "outbox")
    _, _, waiting, refused = peek(path)
    assert waiting == []
    assert {each.run for each in refused} == {run.id}
    assert len(refused) == 3
    assert "the run has finished" in (refused[0].why or "")


def test_what_was_taken_for_lost_goes_on_when_it_is_heard_of(serving, point, there):
    """The process could not be seen for a lease; nobody else has taken its runs up."""
    api = point(serving.url)
    above, _ = api.begin(api.new_run("flow", "lost-and-found"), Running())
    made = evolve(api.new_run("task", "t"), parent=above.id, root=above.id)
    inner, _ = api.begin(made, Running())
    serving.kill()
    api.advance(inner, Completed())
    for run in (inner, above):
        there.force(run.id, Lost("nothing was heard of it"), by="reaper", why="a test")
    serving.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    states = names_of(there, inner.id)
    assert states == ["Pending", "Running", "Lost", "Running", "Completed"]
    known = there.find(above.id)
    assert (known.state.name, known.attempt, known.end_time) == ("Running", 1, None)
    assert known.state.reason == "its process lives: it was taken for lost"
    made = evolve(api.new_run("task", "u"), parent=above.id, root=above.id)
    following, report = api.begin(made, Running())
    assert (report.status, following.state.type) == (Status.ACCEPT, RUNNING)
    api.advance(following, Completed())
    assert api.advance(above, Completed())[0].state.type is COMPLETED


def test_what_somebody_else_has_taken_up_since_does_not(serving, point, there):
    api = point(serving.url)
    run, _ = api.begin(api.new_run("task", "taken-up"), Running())
    serving.kill()
    api.advance(run, Completed())
    there.force(run.id, Lost("nothing was heard of it"), by="reaper", why="a test")
    there.judge(run.id, Running(), rerun=True)
    serving.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    assert (there.find(run.id).state.type, there.find(run.id).attempt) == (RUNNING, 2)
    (path,) = outboxes(Path(os.environ["ORION_NB_HOME"]) / "outbox")
    assert "attempt 1 is over" in (peek(path)[3][0].why or "")


def test_times_of_what_is_told_late_are_not_in_the_future(serving, point, there):
    api = point(serving.url)
    made = api.new_run("flow", "future")
    told: dict[str, Any] = {
        "op": "begin", "run": {"id": made.id, "kind": "flow", "name": "future"},
        "state": {"type": "RUNNING"}, "at": clock.now() + 3600 * clock.SECOND, "secret": "s" * 16,
    }  # fmt: skip
    late = {
        "op": "advance", "run": made.id, "state": {"type": "COMPLETED"}, "attempt": 1,
        "token": "s" * 16, "at": 1,
    }  # fmt: skip
    answers = api.batch([told, late])["answers"]
    assert [answer["report"]["status"] for answer in answers] == ["ACCEPT", "ACCEPT"]
    first, second, third = there.read_states(made.id)["states"]
    assert first["timestamp"] <= second["timestamp"] <= clock.now()
    assert third["timestamp"] >= second["timestamp"]


def test_what_is_too_large_for_one_request_goes_in_several(serving, point, there):
    """Many large proposals at the same time; and those that waited for the server."""
    api = point(serving.url)
    runs = [api.new_run("task", f"large-{n}", parameters={"x": "x" * 400_000}) for n in range(8)]
    threads = [threading.Thread(target=api.begin, args=(run, Running())) for run in runs[:6]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    serving.kill()
    for run in runs[6:]:
        api.begin(run, Running())
    serving.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    assert {there.find(run.id).state.type for run in runs} == {RUNNING}
