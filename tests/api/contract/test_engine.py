"""The engine works alike on the API in the process and over HTTP."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orion_nb.api.connect import connect
from orion_nb.engine.flows import flow
from orion_nb.engine.tasks import task
from orion_nb.errors import RunStopped, UpstreamFailed
from orion_nb.schemas.states import CANCELLED, COMPLETED, CRASHED, FAILED
from orion_nb.store.listing import RunFilter
from tests.api.serving import TOKEN
from tests.waiting import until


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

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(long)
        assert began.wait(60)
        run = api.find(name)
        api.cancel(run.id, why="enough", by="somebody")
        assert isinstance(ending.exception(60), RunStopped)
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
    process.wait(60)
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
    assert process.wait(60) == 0, process.stderr.read()
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
