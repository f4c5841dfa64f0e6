"""Routes answer alike in the process and over HTTP, and so do those who watch."""

from __future__ import annotations

import threading

import pytest

from orion_nb.api.orion import ROUTES
from orion_nb.api.remote import RemoteOrion
from orion_nb.errors import DeploymentNotFound, InvalidInput, RunNotFound
from orion_nb.schemas.filters import parse_filter
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import new_id
from orion_nb.schemas.states import COMPLETED, RUNNING, Completed, NotReady, Running
from orion_nb.store.listing import RunFilter
from tests.api.contract.conftest import begun
from tests.waiting import until

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


def test_one_of_what_may_be_several_is_a_list_of_one(api, name):
    run = api.create_run("task", name, tags="db")
    assert run.tags == ("db",)
    begun_run = begun(api, name)
    for states in ("RUNNING", ["running"]):
        found = api.filter_runs(name=name, states=states)["runs"]
        assert [each["id"] for each in found] == [begun_run.id]
    told = api.preview_schedules("0 7 * * *", n=1)
    assert told["schedules"][0]["words"] == "every day at 07:00 UTC"
    one = {"kind": "interval", "every": "15m"}
    assert api.preview_schedules(one)["schedules"][0]["words"] == "every 15 minutes"
    with pytest.raises(InvalidInput, match="run: expected its name or its id, got 5"):
        api.find(5)
