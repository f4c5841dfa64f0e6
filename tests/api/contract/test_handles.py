"""`get_run`: the same object for a run of this process's database and for a server's."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

import orion_nb
from orion_nb import flow, get_logger, get_run, get_run_async, task
from orion_nb.api.following import Following
from orion_nb.deployments.files import NOTEBOOK
from orion_nb.deployments.printed import Printed
from orion_nb.errors import NotebookNotFound, RunNotFound, RunStopped
from orion_nb.schemas.states import CANCELLED, CANCELLING, COMPLETED, RUNNING, Cancelled, Completed

from .conftest import begun


def test_a_run_is_at_hand_by_its_name_and_by_the_end_of_its_id(api, name):
    @task(name=f"{name}-double")
    def double(n):
        get_logger().warning("twice")
        return 2 * n

    @flow(name=name)
    def whole(n, label="<b>"):
        return [double(n)]

    assert whole(4) == [8]
    found = get_run(name)
    assert get_run(found.id[-12:]).id == found.id
    assert (found.kind, found.name, found.state.type) == ("flow", name, COMPLETED)
    assert found.parameters["n"] == 4
    assert found.result() == [8]
    assert [each.name for each in found.tasks] == [f"{name}-double"]
    assert found.created <= found.start_time <= found.end_time
    assert found.logs() == []
    assert [line["message"] for line in found.logs(tree=True, level="warning")] == ["twice"]
    assert "Completed" in found.why
    assert (found.cells, found.notebook) == ([], None)
    with pytest.raises(NotebookNotFound):
        found.read_notebook()
    html = found._repr_html_()
    assert name in html
    assert "<b>" not in html.partition("<table>")[2]
    assert repr(found).startswith(f"✔ Completed  flow {name}")


def test_a_run_that_is_not_there_is_an_error(api, name):
    with pytest.raises(RunNotFound):
        get_run(name)


def test_it_tells_how_the_run_is_now_and_waits_for_its_end(api, name):
    run = begun(api, name)
    found = get_run(name)
    assert found.state.type is RUNNING
    with pytest.raises(RunStopped, match=r"Running.*wait\(\)"):
        found.result()
    with pytest.raises(TimeoutError, match="still Running"):
        found.wait(timeout=0.05)
    ending = threading.Timer(0.2, api.advance, (run, Completed(result=api.keep({"rows": 3}))))
    ending.start()
    assert found.wait(timeout=60).type is COMPLETED
    ending.join()
    assert found.result() == {"rows": 3}


def test_a_run_is_cancelled_through_it(api, name):
    run = begun(api, name)
    found = get_run(run.id)
    report = found.cancel(why="not needed")
    assert report.state.type is CANCELLING
    assert found.state.message == "not needed"
    api.advance(run, Cancelled())
    assert found.wait(timeout=60).type is CANCELLED
    with pytest.raises(RunStopped, match="Cancelled"):
        found.result()


def test_an_executed_notebook_is_read_wherever_it_is(api, name, request):
    run = begun(api, name, key=f"notebook:/somewhere/{name}.ipynb")
    remote = api.settings.api_url is not None
    home = request.getfixturevalue("serving").home if remote else api.settings.home
    folder = home / api.settings.notebooks.name / run.id
    folder.mkdir(parents=True)
    told = {"cells": [], "metadata": {"kept": True}, "nbformat": 4, "nbformat_minor": 5}
    (folder / NOTEBOOK).write_text(json.dumps(told))
    api.advance(run, Completed())
    found = get_run(run.id)
    assert found.read_notebook() == told
    assert found.notebook == (None if remote else folder / NOTEBOOK)


def test_the_forms_to_be_awaited_let_the_loop_go_on(api, name):
    run = begun(api, name)

    async def whole():
        found = await get_run_async(name)
        with pytest.raises(TimeoutError):
            await found.wait_async(timeout=0.2)
        waiting = asyncio.ensure_future(found.wait_async(timeout=60))
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert not waiting.done()  # a call that blocks the loop would have taken its 60 s by now
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert found.state.type is RUNNING  # who waits no longer has stopped nothing
        assert (await found.cancel_async()).state.type is CANCELLING
        await asyncio.to_thread(api.advance, run, Cancelled())
        assert (await found.wait_async(timeout=60)).type is CANCELLED
        with pytest.raises(RunStopped):
            await found.result_async()
        again = await orion_nb.replay_async(run.id)
        assert again.run.id == run.id

    asyncio.run(whole())


def test_what_its_cells_print_is_followed_wherever_it_is(api, name, request):
    run = begun(api, name)
    remote = api.settings.api_url is not None
    home = request.getfixturevalue("serving").home if remote else api.settings.home
    folder = home / api.settings.notebooks.name / run.id
    folder.mkdir(parents=True)
    file = Printed(folder, 1)
    file.add(1, "stdout", "one\n")
    following = iter(Following(api, {"run": run.id, "level": None, "tree": False}, lambda: None))
    first = next(following)
    assert (first["message"], first["cell"], first["n"]) == ("one", 1, None)
    file.add(1, "stdout", "two\n")
    file.close()
    api.advance(run, Completed())
    assert [line["message"] for line in following] == ["two"]
