"""Notebooks that are run by code which awaits them."""

from __future__ import annotations

import asyncio
import inspect

import pytest

import orion_nb
from orion_nb import deploy_async, get_run, run_notebook_async
from orion_nb.errors import NotebookNotFound
from orion_nb.schemas.states import CANCELLED, COMPLETED, FAILED

pytestmark = pytest.mark.slow

WAITS = """
from pathlib import Path
import time
Path("started").touch()
time.sleep(600)
"""


def test_a_sync_name_gives_no_coroutine_and_an_async_one_takes_the_same(home):
    for name in ("run_notebook", "deploy", "get_run", "replay"):
        plain, awaited = getattr(orion_nb, name), getattr(orion_nb, f"{name}_async")
        assert not inspect.iscoroutinefunction(plain)
        assert inspect.iscoroutinefunction(awaited)
        assert inspect.signature(plain) == inspect.signature(awaited)
        assert awaited.__name__ == f"{name}_async"
        assert awaited.__doc__.startswith(f"The same as `{name}`")


def test_two_notebooks_are_awaited_at_once(orion, write_notebook, tmp_path):
    # Each waits for the other: they end only if both are executed at the same time.
    cell = """
from pathlib import Path
import time, orion_nb
Path("{0}").touch()
end = time.monotonic() + 60
while not Path("{1}").exists():
    assert time.monotonic() < end
    time.sleep(0.01)
orion_nb.result("{0}")
"""
    paths = [
        write_notebook(cell.format(*names), name=names[0]) for names in (("a", "b"), ("b", "a"))
    ]

    async def both():
        return await asyncio.gather(*map(run_notebook_async, paths))

    done = asyncio.run(both())
    assert [each.result() for each in done] == ["a", "b"]
    found = get_run("a")
    assert (found.state.type, found.result()) == (COMPLETED, "a")
    assert [cell["state"] for cell in found.cells] == ["Completed"]
    assert found.notebook == done[0].notebook


def test_who_is_cancelled_has_cancelled_the_run_and_left_no_process(
    orion, write_notebook, tmp_path, eventually, processes
):
    path = write_notebook(WAITS)

    async def whole():
        running = asyncio.ensure_future(run_notebook_async(path))
        await asyncio.to_thread(eventually, (tmp_path / "started").exists)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert processes() == {}  # not later: when it is said to be over, it is

    asyncio.run(whole())
    found = get_run("work")
    assert found.state.type is CANCELLED
    assert found.state.message == "cancelled by whoever awaited it"
    assert found.cells[0]["state"] == "Cancelled"


def test_what_can_t_be_run_or_deployed_raises_where_it_is_awaited(orion, write_notebook, tmp_path):
    async def whole():
        for call in (run_notebook_async, deploy_async):
            with pytest.raises(NotebookNotFound):
                await call(tmp_path / "nothing.ipynb")
        return await deploy_async(write_notebook("1"), "daily", every="1h", paused=True)

    assert asyncio.run(whole())["name"] == "daily"
    assert orion.read_deployment("daily")["paused"]


def test_a_notebook_s_run_is_rerun_through_its_handle(orion, write_notebook, tmp_path):
    path = write_notebook("from pathlib import Path\nassert Path('there').exists()")
    failed = asyncio.run(run_notebook_async(path))
    assert failed.state.type is FAILED
    (tmp_path / "there").touch()
    found = get_run(failed.run.id)
    assert asyncio.run(found.rerun_async()) is found
    assert (found.state.type, found.run.attempt) == (COMPLETED, 2)
