"""A server that is away: runs go on, and it is told about them later, in order, once each."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from orion_nb import clock
from orion_nb.engine.flows import flow
from orion_nb.engine.tasks import task
from orion_nb.errors import ServerUnreachable
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import COMPLETED, Completed, Running
from orion_nb.store.listing import RunFilter
from orion_nb.store.outbox import outboxes, peek
from tests.api.cutting import Cutting
from tests.api.outbox.telling import check_whole, names_of
from tests.api.serving import TOKEN
from tests.waiting import until


def test_a_flow_outlives_its_server(serving, point, there, capsys):
    """The server is killed after 50 of 200 tasks, and is there again after 150."""
    api = point(serving.url)

    @task
    def square(x: int) -> int:
        if x == 50:
            serving.kill()
        if x == 150:
            serving.start()
        return x * x

    @flow(name="outlives")
    def total() -> int:
        return sum(square(x) for x in range(200))

    started = time.monotonic()
    assert total() == sum(x * x for x in range(200))
    assert time.monotonic() - started < 60
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    run = there.find("outlives")
    check_whole(there, run.id, 200)
    told = capsys.readouterr().err
    assert told.count("can't be reached") == 1
    assert "is back" in told
    assert outboxes(Path(os.environ["ORION_NB_HOME"]) / "outbox") == []
    away = there.list_runs(RunFilter(root=run.id, kind="task"), 200)
    reasons = {state["reason"] for each in away for state in there.read_states(each.id)["states"]}
    assert "judged in its own process: the server was away" in reasons


def test_mapped_tasks_outlive_it_too(serving, point, there):
    api = point(serving.url)
    lock, done = threading.Lock(), [0]

    @task
    def square(x: int) -> int:
        with lock:
            done[0] += 1
            count = done[0]
        if count == 60:
            serving.kill()
        if count == 140:
            serving.start()
        return x * x

    @flow(name="mapped")
    def total() -> int:
        return sum(f.result() for f in square.map(range(200)))

    assert total() == sum(x * x for x in range(200))
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    run = there.find("mapped")
    found = there.list_runs(RunFilter(root=run.id, kind="task"), 10_000)
    assert len(found) == 200
    assert {each.state.name for each in found} == {"Completed"}
    for each in found:
        assert names_of(there, each.id)[-2:] == ["Running", "Completed"]
    assert there.find(run.id).state.type is COMPLETED


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_what_is_lost_on_the_way_is_asked_again(serving, point, there, lost):
    """Every seventh request, or its answer, is lost: nothing is done twice, and nothing is not."""
    name = f"lost-{lost}"
    between = Cutting(serving.port, lambda number: lost if number % 7 == 0 else None)
    try:
        api = point(between.url)

        @task
        def square(x: int) -> int:
            return x * x

        @flow(name=name)
        def total() -> int:
            return sum(square(x) for x in range(50))

        assert total() == sum(x * x for x in range(50))
        until(lambda: not api.outbox.is_open, "the outbox is not delivered")
        made = api.create_run("flow", f"{name}-created")
        assert there.find(made.id).state.name == "Pending"
        api.close()
    finally:
        between.close()
    assert len(between.cut) >= 7
    check_whole(there, there.find(name).id, 50)


def test_answers_may_be_lost_twice_in_a_row(serving, point, there):
    """The second sending is lost too: the outbox delivers the same proposals a third time."""
    between = Cutting(serving.port, lambda n: "answer" if n % 9 in (0, 1, 2) else None)
    try:
        api = point(between.url)

        @task
        def square(x: int) -> int:
            return x * x

        @flow(name="lost-twice")
        def total() -> int:
            return sum(square(x) for x in range(30))

        assert total() == sum(x * x for x in range(30))
        until(lambda: not api.outbox.is_open, "the outbox is not delivered")
        api.close()
    finally:
        between.close()
    check_whole(there, there.find("lost-twice").id, 30)


def test_a_server_that_was_never_there(ever, point, there, capsys):
    """The first contact fails: the flow runs, and is told about when the server is there."""
    ever.stop()
    api = point(ever.url)

    @task(retries=1)
    def flaky(x: int, calls: list[int]) -> int:
        calls.append(x)
        if len(calls) == 1:
            raise ValueError("once")
        return x

    @flow(name="never-there")
    def total() -> int:
        return flaky(1, []) + sum(f.result() for f in flaky.map(range(3), [[0], [0], [0]]))

    started = time.monotonic()
    assert total() == 4
    assert time.monotonic() - started < 20
    assert capsys.readouterr().err.count("can't be reached") == 1
    (path,) = outboxes(Path(os.environ["ORION_NB_HOME"]) / "outbox")
    url, session, waiting, refused = peek(path)
    assert (url, session["pid"], refused) == (ever.url, os.getpid(), [])
    assert TOKEN not in path.read_bytes().decode(errors="replace")
    proposals = [each for each in waiting if "op" in each.told]
    assert len(proposals) == 2 + 4 + 3 * 2  # the flow, the task that is tried again, the mapped
    before = clock.now()
    ever.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    run = there.find("never-there")
    assert names_of(there, run.id) == ["Pending", "Running", "Completed"]
    assert run.end_time is not None
    assert run.end_time < before
    histories = [
        names_of(there, each.id) for each in there.list_runs(RunFilter(root=run.id, kind="task"))
    ]
    retried = ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
    assert sorted(histories, key=len)[-1] == retried


def test_a_server_that_hangs_holds_nobody_up_for_long(serving, point, there):
    api = point(serving.url)
    run, _ = api.begin(api.new_run("flow", "hangs"), Running())
    assert serving.process is not None
    serving.process.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        ended, report = api.advance(run, Completed())
        assert time.monotonic() - started < 15
        assert (report.status, ended.state.type) == (Status.ACCEPT, COMPLETED)
        started = time.monotonic()
        other, _ = api.begin(api.new_run("flow", "hangs-too"), Running())
        api.advance(other, Completed())
        assert time.monotonic() - started < 5
    finally:
        serving.process.send_signal(signal.SIGCONT)
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    for run_id in (run.id, other.id):
        assert names_of(there, run_id) == ["Pending", "Running", "Completed"]


def test_a_folder_that_cant_be_written_fails_nobody(ever, point, there, home, capsys):
    ever.stop()
    home.mkdir(parents=True, exist_ok=True)
    (home / "outbox").write_text("a file where the folder should be")
    api = point(ever.url)
    run, _ = api.begin(api.new_run("flow", "no-folder"), Running())
    api.advance(run, Completed())
    assert "kept in memory" in capsys.readouterr().err
    ever.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    assert names_of(there, run.id) == ["Pending", "Running", "Completed"]


def test_what_needs_an_answer_says_that_the_server_is_away(ever, point):
    ever.stop()
    api = point(ever.url)
    with pytest.raises(ServerUnreachable, match=f"{ever.url} can't be reached") as raised:
        api.list_deployments()
    assert raised.value.status == 503
    assert TOKEN not in str(raised.value) + repr(api.settings) + repr(vars(api.client)).replace(
        repr(TOKEN), ""
    )
    assert (api.last_event(), api.events_after(3)) == (0, [])
