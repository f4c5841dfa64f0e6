"""A server that is away: runs go on, and it is told about them later, in order, once each."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orion_nb import clock
from orion_nb.api.client import Client
from orion_nb.api.connect import connect
from orion_nb.api.delivery import deliver, deliver_left
from orion_nb.api.orion import Orion
from orion_nb.api.remote import RemoteOrion
from orion_nb.engine.flows import flow
from orion_nb.engine.tasks import task
from orion_nb.errors import ServerUnreachable
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import (
    CANCELLED,
    COMPLETED,
    CRASHED,
    RUNNING,
    Completed,
    Failed,
    Lost,
    Running,
)
from orion_nb.schemas.values import evolve
from orion_nb.settings import Settings
from orion_nb.store.listing import RunFilter
from orion_nb.store.outbox import Box, outboxes, peek
from tests.api.cutting import Cutting
from tests.api.serving import TOKEN, Serving
from tests.waiting import until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="module")
def ever(folder: Path) -> Iterator[Serving]:
    """The server of this module, on one port and one database, whether it runs or not."""
    made = Serving(folder)
    yield made
    made.stop()


@pytest.fixture
def serving(ever: Serving) -> Serving:
    """The server, running."""
    if ever.process is None:
        ever.start()
    return ever


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch, home: Path) -> Callable[[str], RemoteOrion]:
    """Points this process to a URL, and answers its API."""

    def make(url: str) -> RemoteOrion:
        monkeypatch.setenv("ORION_NB_API_URL", url)
        monkeypatch.setenv("ORION_NB_API_TOKEN", TOKEN)
        found = connect()
        assert isinstance(found, RemoteOrion)
        return found

    return make


@pytest.fixture
def there(ever: Serving) -> Iterator[Orion]:
    """The server's database, looked at directly."""
    opened = Orion(Settings.load({}, home=str(ever.home)))
    yield opened
    opened.close()


def names_of(orion: Orion, run_id: str) -> list[str]:
    return [state["name"] for state in orion.read_states(run_id)["states"]]


def check_whole(orion: Orion, root: str, tasks: int) -> None:
    """Each task of the flow is Completed, once, with no gap in its states, in their order."""
    found = orion.list_runs(RunFilter(root=root, kind="task"), 10_000)
    assert len(found) == tasks
    for run in found:
        states = orion.read_states(run.id)["states"]
        assert [state["name"] for state in states] == ["Pending", "Running", "Completed"]
        assert [state["seq"] for state in states] == [1, 2, 3]
        times = [state["timestamp"] for state in states]
        assert times == sorted(times)
        assert run.attempt == 1
    top = orion.find(root)
    assert (top.state.type, top.attempt) == (COMPLETED, 1)


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


def test_what_a_killed_process_left_is_delivered_by_the_next(ever, there, script, point, home):
    """Its runs are told of, each once; the one it was executing is Crashed."""
    ever.stop()
    process = script(
        """
        import os, sys
        os.environ["ORION_NB_API_URL"], os.environ["ORION_NB_API_TOKEN"] = sys.argv[1:3]
        from orion_nb import flow, task

        @task
        def square(x):
            return x * x

        @flow(name="left-behind")
        def total():
            values = [square(x) for x in range(10)]
            print("done", flush=True)
            os.kill(os.getpid(), 9)

        total()
        """,
        ever.url,
        TOKEN,
    )
    assert process.stdout.readline() == "done\n"
    assert process.wait(30) == -signal.SIGKILL
    (path,) = outboxes(home / "outbox")
    ever.start()
    api = point(ever.url)
    found = [deliver_left(api.client, home / "outbox") for _ in range(2)]
    assert found == [21 - found[1], 0] or found[0] >= 20
    assert outboxes(home / "outbox") == []
    run = there.find("left-behind")
    tasks = there.list_runs(RunFilter(root=run.id, kind="task"))
    assert [each.state.name for each in tasks] == ["Completed"] * 10
    assert run.state.type in (RUNNING, CRASHED)
    until(lambda: there.find(run.id).state.type is CRASHED, "it stays open")
    assert not path.exists()


def test_two_who_deliver_the_same_deliver_it_once(ever, serving, point, there, home):
    """A process that is killed between the delivery and its note of it delivers again."""
    api = point(serving.url)
    serving.kill()
    run, _ = api.begin(api.new_run("flow", "twice"), Running())
    api.advance(run, Completed())
    (path,) = outboxes(home / "outbox")
    _, session, waiting, _ = peek(path)
    again = Box.make(home / "again", "again", ever.url, session)
    for letter in waiting:
        again.put(letter.run, json.dumps(letter.told), letter.written)
    serving.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    assert deliver(api.client, again) == 2
    assert again.refused() == []
    again.close()
    assert names_of(there, run.id) == ["Pending", "Running", "Completed"]


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


WORKLOAD = """
import os, sys, threading
os.environ["ORION_NB_API_URL"], os.environ["ORION_NB_API_TOKEN"] = sys.argv[1:3]
from orion_nb.api.client import Client
from orion_nb.api.connect import connect
from orion_nb.schemas.states import Completed, Running
from orion_nb.schemas.values import evolve

api = connect()
flow, _ = api.begin(api.new_run("flow", sys.argv[3]), Running())
print(flow.id, "Running", flush=True)

def work():
    while True:
        made = evolve(api.new_run("task", "t"), parent=flow.id, root=flow.id)
        run, _ = api.begin(made, Running())
        os.write(1, f"{run.id} Running\\n".encode())
        api.advance(run, Completed())
        os.write(1, f"{run.id} Completed\\n".encode())

for _ in range(4):
    threading.Thread(target=work).start()
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost_whoever_is_killed(ever, there, script, home, seed):
    """The server is killed and started again, and then the client is killed, at random moments."""
    chance = random.Random(seed)
    if ever.process is None:
        ever.start()
    process = script(WORKLOAD, ever.url, TOKEN, f"killed-{seed}")
    told: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: told.extend(process.stdout))
    reader.start()
    until(lambda: len(told) > 20, "the client does not work")
    for _ in range(3):
        time.sleep(chance.uniform(0.1, 0.6))
        ever.kill()
        time.sleep(chance.uniform(0.1, 0.6))
        if chance.random() < 0.7:
            ever.start()
    process.kill()
    process.wait(30)
    reader.join(30)
    if ever.process is None:
        ever.start()
    client = Client(ever.url, TOKEN)
    deliver_left(client, home / "outbox")
    client.close()
    assert outboxes(home / "outbox") == []
    whole = [line.split() for line in told if line.endswith("\n")]
    assert len(whole) > 20
    for run_id, name in whole:
        names = names_of(there, run_id)
        assert name in names, (run_id, name, names)
        # What its process did before it was found dead is entered all the same.
        assert names in (
            ["Pending", "Running"], ["Pending", "Running", "Completed"],
            ["Pending", "Running", "Crashed"],
            ["Pending", "Running", "Crashed", "Running", "Completed"],
        ), names  # fmt: skip
    flow_id = whole[0][0]
    assert len({run_id for run_id, _ in whole}) <= 1 + len(there.children(flow_id, flow_id))
    until(lambda: there.find(flow_id).state.type is CRASHED, "it stays open")
