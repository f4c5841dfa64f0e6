"""What holds of the API holds in the process and over HTTP: each test is run against both."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orion_nb import clock
from orion_nb.api.answers import Proposal
from orion_nb.api.connect import connect
from orion_nb.api.orion import ROUTES, Orion
from orion_nb.api.remote import RemoteOrion
from orion_nb.engine.flows import flow
from orion_nb.engine.tasks import task
from orion_nb.errors import (
    DeploymentNotFound,
    Fenced,
    InvalidInput,
    RunNotFound,
    RunStopped,
    UpstreamFailed,
)
from orion_nb.schemas.filters import parse_filter
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import new_id
from orion_nb.schemas.states import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    CRASHED,
    FAILED,
    PENDING,
    RUNNING,
    Cancelling,
    Completed,
    Failed,
    NotReady,
    Running,
)
from orion_nb.schemas.values import evolve
from orion_nb.store.listing import RunFilter
from tests.api.serving import TOKEN, Serving
from tests.waiting import until


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One server for all tests of this module; none of them makes it fail on a request."""
    started = Serving(tmp_path_factory.mktemp("serving"))
    started.start()
    try:
        yield started
    finally:
        started.stop()
    assert "Traceback" not in started.log


@pytest.fixture(params=["local", "remote"])
def api(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Orion:
    """The API of this process, in it or on a server: as `connect()` gives it to a user."""
    if request.param == "remote":
        serving = request.getfixturevalue("serving")
        monkeypatch.setenv("ORION_NB_API_URL", serving.url)
        monkeypatch.setenv("ORION_NB_API_TOKEN", TOKEN)
    found = connect()
    assert isinstance(found, RemoteOrion) is (request.param == "remote")
    return found


@pytest.fixture
def name() -> str:
    """A name that no other test uses: the server is one for all of them."""
    return f"flow-{new_id()}"


def begun(api: Orion, name: str, kind: Any = "flow", **fields: Any) -> Any:
    run, report = api.begin(api.new_run(kind, name, **fields), Running())
    assert report is not None
    assert report.status is Status.ACCEPT
    return run


# -- proposals -----------------------------------------------------------------------------------


def test_a_run_is_begun_and_ended(api, name):
    before = clock.now()
    made = api.new_run("flow", name, tags=("a", "b"), parameters={"x": 1}, key="k", run_name="r")
    run, report = api.begin(made, Running())
    assert (report.status, report.attempt, report.proposed) == (Status.ACCEPT, 1, "Running")
    assert report.token
    assert run.token == report.token
    assert (run.id, run.state.type, run.attempt, run.run_count) == (made.id, RUNNING, 1, 1)
    assert before <= run.created <= run.start_time <= clock.now()
    assert run.session == api.session
    assert [line.rule for line in report.rules][:1] == ["fence_stale_attempts"]
    assert all(line.says for line in report.rules)
    ended, report = api.advance(run, Completed(result='{"inline":1}'))
    assert (report.status, ended.state.type, ended.state.seq) == (Status.ACCEPT, COMPLETED, 3)
    assert ended.end_time == ended.state.timestamp
    assert ended.total_time == ended.end_time - ended.start_time
    known = api.find(run.id)
    assert evolve(known, token=None, session=None) == evolve(ended, token=None, session=None)
    assert (known.tags, known.parameters, known.key) == (("a", "b"), {"x": 1}, "k")


def test_a_new_run_may_be_written_without_a_proposal(api, name):
    run, report = api.begin(api.new_run("flow", name))
    assert (run.state.type, run.state.seq, report) == (PENDING, 1, None)
    assert api.find(run.id).state == run.state


def test_a_run_within_another_is_part_of_its_tree(api, name):
    above = begun(api, name)
    below = begun(api, "t", "task", parent=above.id)
    within = begun(api, "u", "task", parent=below.id)
    assert (within.root, within.parent) == (above.id, below.id)
    assert [run.id for run in api.children(above.id, above.root)] == [below.id]


def test_a_refusal_says_which_rule_and_stays_with_the_run(api, name):
    first = begun(api, name, "task")
    waits, report = api.begin(
        api.new_run("task", name, policy=RunPolicy()), Running(), [(first.id, "x")]
    )
    assert (report.status, waits.state.type) == (Status.WAIT, PENDING)
    assert report.rules[-1].rule == "wait_for_upstream_runs"
    assert report.retry_after is not None
    assert waits.blocked is not None
    assert api.find(waits.id).blocked.reason == report.reason
    api.advance(first, Completed())
    after, report = api.advance(waits, Running())
    assert (report.status, after.state.type) == (Status.ACCEPT, RUNNING)


def test_a_failure_is_retried_as_the_policy_says(api, name):
    run = begun(api, name, "task", policy=RunPolicy(retries=1))
    after, report = api.advance(run, Failed("boom"))
    assert (report.status, after.state.name) == (Status.REJECT, "AwaitingRetry")
    assert after.state.scheduled_time is not None
    again, report = api.advance(after, Running())
    assert (again.state.name, again.attempt, report.attempt) == ("Retrying", 2, 2)
    assert again.token != run.token
    final, report = api.advance(again, Failed("boom"), retriable=False)
    assert (report.status, final.state.type) == (Status.ACCEPT, FAILED)


def test_an_attempt_that_is_over_is_fenced(api, name):
    first = begun(api, name, "task", policy=RunPolicy(retries=1))
    waiting, _ = api.advance(first, Failed("boom"))
    api.advance(waiting, Running())
    with pytest.raises(Fenced, match="attempt 1 is over: attempt 2 owns the run"):
        api.advance(first, Completed())
    with pytest.raises(Fenced, match="token"):
        api.judge(first.id, Completed(), claims=2, token="0" * 16)


def test_what_comes_from_outside_is_judged_too(api, name):
    run = begun(api, name)
    asked, report = api.judge(run.id, Cancelling(by="somebody"))
    assert (report.status, asked.state.type, asked.state.by) == (
        Status.ACCEPT, CANCELLING, "somebody",
    )  # fmt: skip
    ended, report = api.advance(run, Completed())
    assert (report.status, ended.state.type) == (Status.REJECT, CANCELLED)
    with pytest.raises(RunNotFound):
        api.judge(new_id(), Completed())


def test_foreseen_and_proposed_are_the_same(api, name):
    run = begun(api, name)
    claim = {"claims": run.attempt, "token": run.token}
    seen = api.foresee(run.id, Completed(), **claim)
    assert api.find(run.id).state == run.state
    _, report = api.advance(run, Completed())
    assert [line.as_json() for line in seen.rules] == [line.as_json() for line in report.rules]
    assert (seen.status, seen.state.name) == (report.status, report.state.name)


def test_one_ends_and_the_next_begins_at_once(api, name):
    flow_run = begun(api, name)
    first = begun(api, "a", "task", parent=flow_run.id)
    second = api.new_run("task", "b", parent=flow_run.id)
    (ended, said), (next_run, told) = api.put_all(
        [Proposal(first, Completed()), Proposal(second, Running())]
    )
    assert (ended.state.type, next_run.state.type) == (COMPLETED, RUNNING)
    assert (said.status, told.status) == (Status.ACCEPT, Status.ACCEPT)


def test_a_refused_proposal_keeps_none_beside_it_from_being_judged(api, name):
    first = begun(api, name, "task", policy=RunPolicy(retries=1))
    waiting, _ = api.advance(first, Failed("boom"))
    api.advance(waiting, Running())
    following = api.new_run("task", "c")
    late, (began, report) = api.put_all(
        [Proposal(first, Completed()), Proposal(following, Running())]
    )
    assert isinstance(late, Fenced)
    assert (began.state.type, report.status) == (RUNNING, Status.ACCEPT)
    assert api.find(following.id).state.type is RUNNING


def test_a_run_can_be_reopened(api, name):
    run = begun(api, name)
    ended, _ = api.advance(run, Completed())
    refused, report = api.advance(ended, Running())
    assert (report.status, refused.state.type) == (Status.REJECT, COMPLETED)
    again, report = api.advance(ended, Running(), rerun=True)
    assert (again.state.name, again.attempt) == ("Rerunning", 2)


@pytest.mark.parametrize("odd", ["\udcff", "\ud83d\ude00", "é\n", float("nan"), {"a": object}])
def test_odd_values_are_kept_as_well_as_can_be(api, name, odd):
    run = begun(api, name, parameters={"x": odd})
    ended, _ = api.advance(run, Failed(f"about {odd}"), retriable=False)
    assert ended.state.type is FAILED
    assert api.find(run.id).state.type is FAILED
    assert "x" in api.find(run.id).parameters


# -- routes --------------------------------------------------------------------------------------


def test_every_route_is_a_method_of_both():
    for route in ROUTES:
        assert callable(getattr(RemoteOrion, route.name)), route.name


def test_routes_answer_values_of_the_same_kinds(api, name):
    run = api.create_run("task", name, policy={"retries": 2, "retry_delay": "10s"}, tags=["t"])
    assert (run.name, run.policy.retries, run.policy.retry_delay) == (name, 2, (10.0,))
    report = api.propose(run.id, "RUNNING" if isinstance(api, RemoteOrion) else RUNNING)
    assert (report.status, report.state.type, report.attempt) == (Status.ACCEPT, RUNNING, 1)
    dry = api.propose(run.id, COMPLETED, explain=True)
    assert dry.status is Status.ACCEPT
    assert api.read_run(run.id).state.type is RUNNING
    ended = api.propose(run.id, COMPLETED, attempt=report.attempt, token=report.token)
    assert ended.state.type is COMPLETED
    states = api.read_states(run.id)["states"]
    assert [state["name"] for state in states] == ["Pending", "Running", "Completed"]
    assert api.why(run.id)["summary"]
    assert api.health()["status"] == "ok"


def test_a_run_is_found_by_id_digits_and_name(api, name):
    run = begun(api, name)
    for ref in (run.id, run.id[-12:], name):
        assert api.find(ref).id == run.id
    with pytest.raises(RunNotFound, match=r"no run 'nothing/of \?this&kind#'"):
        api.find("nothing/of ?this&kind#")


def test_errors_are_raised_as_the_same_classes(api, name):
    with pytest.raises(RunNotFound):
        api.read_run(new_id())
    with pytest.raises(DeploymentNotFound):
        api.read_deployment("none-of-this-name")
    with pytest.raises(InvalidInput, match="limit") as raised:
        api.filter_runs(limit=1000)
    assert raised.value.field == "limit"
    with pytest.raises(InvalidInput, match="policy"):
        api.create_run("task", name, policy={"retries": -1})


def test_runs_are_listed_by_the_page(api, name):
    above = begun(api, name)
    made = [begun(api, f"t{n}", "task", parent=above.id) for n in range(7)]
    chosen = RunFilter(kind="task", root=above.id)
    assert [run.id for run in api.list_runs(chosen, 5)] == [run.id for run in made[:1:-1]]
    page = api.filter_runs(root=above.id, kind="task", limit=4)
    rest = api.filter_runs(root=above.id, kind="task", limit=4, cursor=page["cursor"])
    assert len(page["runs"]) + len(rest["runs"]) == 7
    with pytest.raises(InvalidInput, match="cursor"):
        api.filter_runs(root=above.id, kind="flow", limit=4, cursor=page["cursor"])
    asked = f"root:{above.id} kind:task -name:t0,t1 state:running"
    found = api.find_runs(asked, limit=2)
    assert [run["name"] for run in found["runs"]] == ["t6", "t5"]
    found = api.find_runs(asked, limit=200, cursor=found["cursor"])
    assert [run["name"] for run in found["runs"]] == ["t4", "t3", "t2"]
    chosen = RunFilter(terms=parse_filter(asked, 0), cursor=made[4].id)
    assert [run.name for run in api.list_runs(chosen)] == ["t3", "t2"]
    (bucket,) = api.run_history(q=asked, step="1d", since=made[0].created)["buckets"]
    assert bucket["counts"] == {"RUNNING": 5}
    assert api.count_runs(q=asked, by="name")["counts"] == dict.fromkeys(
        "t2 t3 t4 t5 t6".split(), 1
    )
    assert api.count_runs(root=above.id, kind="task")["counts"] == {"RUNNING": 7}
    assert api.list_runs(RunFilter(root=above.id, states=("Completed",))) == []


def test_inputs_are_known_downstream(api, name):
    above = begun(api, name)
    first = begun(api, "a", "task", parent=above.id)
    first, _ = api.advance(first, Completed())
    second, _ = api.begin(
        api.new_run("task", "b", parent=above.id), Running(), [(first.id, "x[0]")]
    )
    third, _ = api.begin(api.new_run("task", "c", parent=above.id), NotReady(), [(second.id, "y")])
    assert api.downstream(first.id) == {second.id, third.id}
    edges = api.lineage(second.id)["upstream"]
    assert [(edge["upstream"], edge["path"]) for edge in edges] == [(first.id, "x[0]")]


def test_values_are_kept_and_found(api, name):
    run = begun(api, name)
    text = api.keep({"a": [1, 2, 3]}, None)
    ended, _ = api.advance(run, Completed(result=text))
    assert api.load(api.find(ended.id).state.result) == {"a": [1, 2, 3]}
    api.keep_inputs(run.id, 1, api.snapshot({"args": [1], "kwargs": {"k": "v"}}))
    assert api.inputs_of(run.id) == ((1,), {"k": "v"})
    api.keep_cache_parts(f"key-{name}", name, {"source": "abc"})
    assert api.cache_keys(name)["keys"][0]["parts"] == {"source": "abc"}


# -- following -----------------------------------------------------------------------------------


def test_events_are_followed(api, name):
    n = api.last_event()
    run = begun(api, name)
    api.advance(run, Completed())
    found = api.events_after(n, run.id)
    assert [event.state_name for event in found] == ["Pending", "Running", "Completed"]
    assert api.events_after(found[-1].n, run.id) == []


def test_a_watcher_is_told_what_is_committed(api, name):
    started, done = threading.Event(), threading.Event()
    seen: list[str] = []

    def watch() -> None:
        n = api.last_event()
        started.set()
        for events in api.watch(n, until=done.is_set):
            seen.extend(event.run for event in events)

    thread = threading.Thread(target=watch)
    thread.start()
    started.wait(60)
    run = begun(api, name)
    until(lambda: run.id in seen, "the event is not told")
    done.set()
    thread.join(30)
    assert not thread.is_alive()


def test_whoever_is_to_stop_is_told(api, name):
    _, n = api.stopping(0)
    run = begun(api, name)
    assert run.id not in api.stopping(n)[0]
    api.cancel(run.id)
    stopping, last = api.stopping(n)
    assert run.id in stopping
    assert last > n


# -- the engine on it ----------------------------------------------------------------------------


def test_a_flow_of_tasks(api, name):
    calls = []

    @task(retries=2)
    def double(x: int) -> int:
        calls.append(x)
        if x == 1 and calls.count(1) == 1:
            raise ValueError("once")
        return 2 * x

    @flow(name=name)
    def total(n: int) -> int:
        one_by_one = [double(i) for i in range(n)]
        return sum(one_by_one) + sum(f.result() for f in double.map(range(n)))

    assert total(5) == 40
    run = api.list_runs(RunFilter(kind="flow", name=name))[0]
    assert (run.state.type, run.parameters) == (COMPLETED, {"n": 5})
    assert api.count_runs(root=run.id, kind="task")["counts"] == {"COMPLETED": 10}
    retried = [each for each in api.list_runs(RunFilter(root=run.id)) if each.attempt == 2]
    assert len(retried) == 1


def test_an_async_flow_of_tasks(api, name):
    @task
    async def double(x: int) -> int:
        await asyncio.sleep(0)
        return 2 * x

    @flow(name=name)
    async def total(n: int) -> int:
        futures = [double.submit(i) for i in range(n)]
        return sum([await each for each in futures])

    assert asyncio.run(total(10)) == 90
    run = api.list_runs(RunFilter(kind="flow", name=name))[0]
    assert api.count_runs(root=run.id, kind="task")["counts"] == {"COMPLETED": 10}


def test_a_failure_fails_what_depends_on_it(api, name):
    @task
    def fails() -> None:
        raise LookupError("no")

    @task
    def depends(x: Any) -> Any:
        return x

    @flow(name=name)
    def broken() -> Any:
        depends.submit(fails.submit()).result()

    with pytest.raises(UpstreamFailed):
        broken()
    run = api.list_runs(RunFilter(kind="flow", name=name))[0]
    assert run.state.type is FAILED
    names = {each.name: each.state.name for each in api.list_runs(RunFilter(root=run.id))}
    assert names == {name: "Failed", "fails": "Failed", "depends": "UpstreamFailed"}


def test_a_flow_is_stopped_from_outside(api, name):
    began = threading.Event()

    @flow(name=name)
    def long() -> None:
        began.set()
        for _ in range(600):
            time.sleep(0.05)

    ended: list[Any] = []

    def work() -> None:
        try:
            long()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert began.wait(60)
    run = api.find(name)
    api.cancel(run.id, why="enough", by="somebody")
    thread.join(60)
    assert not thread.is_alive()
    assert isinstance(ended[0], RunStopped)
    assert api.find(run.id).state.type is CANCELLED


def test_a_flow_is_paused_and_resumed_with_input(api, name):
    from orion_nb.engine.pausing import pause

    @flow(name=name)
    def asks() -> Any:
        return pause("how many?", input={"count": int}, timeout=60)

    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(asks()))
    thread.start()
    until(lambda: api.list_runs(RunFilter(name=name, states=("PAUSED",))), "it does not pause")
    api.resume(name, input={"count": 3})
    thread.join(60)
    assert got == [{"count": 3}]


def test_what_a_dead_process_leaves_is_crashed(api, name, script, finish):
    process = script(
        """
        import os, sys
        from orion_nb.api.connect import connect
        from orion_nb.schemas.states import Running
        api = connect()
        run, _ = api.begin(api.new_run("flow", sys.argv[1]), Running())
        print(run.id, flush=True)
        os.kill(os.getpid(), 9)
        """,
        name,
    )
    run_id = process.stdout.readline().strip()
    process.wait(30)
    until(lambda: (api.reap(), api.find(run_id).state.type is CRASHED)[1], "it stays open")


def test_what_a_process_ends_without_a_word_is_crashed(api, name, script):
    process = script(
        """
        import sys
        from orion_nb.api.connect import connect
        from orion_nb.schemas.states import Running
        api = connect()
        run, _ = api.begin(api.new_run("flow", sys.argv[1]), Running())
        print(run.id, flush=True)
        """,
        name,
    )
    run_id = process.stdout.readline().strip()
    assert process.wait(30) == 0, process.stderr.read()
    until(lambda: (api.reap(), api.find(run_id).state.type is CRASHED)[1], "it stays open")


def test_a_child_that_was_forked_has_a_session_of_its_own(api, name, script):
    process = script(
        """
        import os, sys
        from orion_nb.api.connect import connect
        from orion_nb.schemas.states import Completed, Running
        api = connect()
        above, _ = api.begin(api.new_run("flow", sys.argv[1]), Running())
        sessions = [api.session]
        read, write = os.pipe()
        if os.fork() == 0:
            run, _ = api.begin(api.new_run("task", "t", parent=above.id), Running())
            api.advance(run, Completed())
            os.write(write, api.session.encode())
            os._exit(0)
        os.wait()
        sessions.append(os.read(read, 100).decode())
        api.advance(above, Completed())
        print(len(set(sessions)), api.count_runs(root=above.id)["counts"])
        """,
        name,
    )
    told, trouble = process.communicate(timeout=60)
    assert process.returncode == 0, trouble
    assert told.strip() == "2 {'COMPLETED': 2}"


def test_a_curl_client_works_in_the_same_flow_run(serving, home, monkeypatch, name):
    monkeypatch.setenv("ORION_NB_API_URL", serving.url)
    monkeypatch.setenv("ORION_NB_API_TOKEN", TOKEN)
    api = connect()

    def curl(path: str, told: dict[str, Any]) -> dict[str, Any]:
        command = [
            *("curl", "--silent", "--show-error", "--json", json.dumps(told)),
            *("-H", f"Authorization: token {TOKEN}", f"{serving.url}/orion/api/v1{path}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @task
    def ours() -> str:
        return "ours"

    @flow(name=name)
    def shared() -> str:
        from orion_nb.engine.context import get_run_context

        above = get_run_context().run
        made = curl("/runs", {"kind": "task", "name": "theirs", "parent": above.id})
        began = curl(f"/runs/{made['id']}/state", {"type": "RUNNING"})
        owner = {"attempt": began["attempt"], "token": began["token"]}
        value = ours()
        ended = curl(f"/runs/{made['id']}/state", {"type": "COMPLETED", **owner})
        assert ended["status"] == "ACCEPT"
        return value

    assert shared() == "ours"
    run = api.find(name)
    found = {each.name: each.state.type for each in api.list_runs(RunFilter(root=run.id))}
    assert found == {name: COMPLETED, "ours": COMPLETED, "theirs": COMPLETED}
