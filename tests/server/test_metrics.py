from __future__ import annotations

import asyncio
import json
import threading

from jupyter_events import EventLogger
from prometheus_client.parser import text_string_to_metric_families

from orion_nb.schemas.states import Failed
from orion_nb_server.emitting import SCHEMA_ID, emitter
from orion_nb_server.lag import Lag


def numbers(server):
    answer = server.call("GET", "/metrics")
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(server, name, **labels):
    return numbers(server).get((name, tuple(sorted(labels.items()))), 0)


def test_runs_states_proposals_and_requests_are_counted(server, until):
    made = server.call("POST", "/runs", {"kind": "task", "name": "x"}).json
    server.call("POST", f"/runs/{made['id']}/state", {"type": "RUNNING"})
    until(
        lambda: value(server, "orion_nb_states_total", kind="task", type="RUNNING") == 1, "states"
    )
    found = numbers(server)
    assert found["orion_nb_proposals_total", (("proposed", "Running"), ("verdict", "ACCEPT"))] == 1
    assert found["orion_nb_request_seconds_count", (("route", "propose"),)] == 1
    assert found["orion_nb_database_bytes", ()] > 10_000
    assert ("orion_nb_loop_lag_seconds", ()) in found
    until(lambda: value(server, "orion_nb_runs", kind="task", state="RUNNING") == 1, "runs")
    told = until(lambda: server.call("GET", "/health").json["services"], "services")
    assert {each["name"] for each in told} <= {"event loop", "upkeep", "teller"}


def test_metrics_need_a_token(server):
    assert server.call("GET", "/metrics", token=None).status == 403


def test_a_blocked_loop_is_stuck_and_where_is_said(monkeypatch, until):
    from orion_nb_server import lag as lags

    monkeypatch.setattr(lags, "STUCK_AFTER", 0.2)
    monkeypatch.setattr(lags, "LOOK", 0.02)
    looked, seen = threading.Event(), []

    async def is_well(lag):
        while lag.health().status != "ok":  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.02)

    async def work():
        lag = Lag(asyncio.get_running_loop())
        lag.start()
        await is_well(lag)
        looking = asyncio.get_running_loop().run_in_executor(None, look, lag)
        looked.wait(60)  # this is what must not happen
        await looking
        await asyncio.wait_for(is_well(lag), 60)
        seen.append(lag.worst() > 0.2)

    def look(lag):
        until(lambda: lag.health().status == "stuck", "the loop is stuck")
        seen.append("looked.wait(60)" in lag.where())
        looked.set()

    asyncio.run(work())
    assert seen == [True, True]


def test_states_of_outermost_runs_are_jupyter_events(orion):
    heard = []

    async def listen(logger, schema_id, data):
        heard.append((schema_id, data))

    async def work():
        logger = EventLogger()
        emit = emitter(logger)
        logger.add_listener(schema_id=SCHEMA_ID, listener=listen)
        run = orion.create_run("flow", "daily", state="RUNNING")
        orion.create_run("task", "inside", parent=run.id)
        orion.judge(run.id, Failed("no data"))
        emit(list(orion.events_after(run.state.n - 2)))
        await logger.gather_listeners()
        return run

    run = asyncio.run(work())
    assert {each for each, _ in heard} == {SCHEMA_ID}
    told = sorted((data for _, data in heard), key=lambda data: data["n"])
    assert {data["run"] for data in told} == {run.id}
    assert [data["type"] for data in told] == ["PENDING", "RUNNING", "FAILED"]
    assert told[-1]["message"] == "no data"
    json.dumps(told)


def test_kernels_do_not_import_it(finish, script):
    told = finish(
        script(
            """
            import sys
            import orion_nb
            from orion_nb.api.connect import connect
            connect().create_run("task", "t")
            print([name for name in sys.modules if name.startswith("prometheus")])
            """
        )
    )
    assert told == "[]\n"
