"""`on_cancel` in notebooks and flows that a runner executes: real kernels, real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from orion_nb import get_run, run_notebook
from orion_nb.deployments import attempt
from orion_nb.deployments.files import LOG, Spec, run_folder
from orion_nb.deployments.launch import launch
from orion_nb.deployments.runner import Runner

pytestmark = pytest.mark.slow

HOOKS = """
import os, signal, sys, time
from pathlib import Path
from orion_nb import on_cancel, get_logger

def say(text):
    with open("told", "a") as file:
        file.write(text + " ")

on_cancel(lambda: say("first"))

@on_cancel
def stop_the_job():
    os.kill(int(Path("job").read_text()), signal.SIGTERM)
    print("the job is stopped")
    say("job")

on_cancel(lambda: 1 / 0)
"""
WAITS = "Path('started').touch()\ntime.sleep(600)"
HANGS = """
@on_cancel
def hang():
    Path("hangs").touch()
    while True:
        time.sleep(600)
"""
TASK = """%%task inner
on_cancel(lambda: say("task"))
Path("started").touch()
time.sleep(600)
"""
FLOW = """
{hooks}
from orion_nb import flow

on_cancel(lambda: say("module"))

@flow
def remote():
    on_cancel(lambda: say("flow"))
    Path("started").touch()
    time.sleep(600)
"""


@pytest.fixture
def job(tmp_path):
    """Something that a run has begun elsewhere: none of its processes."""
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("ORION_NB_")}
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = subprocess.Popen(sleeping, env=environ, start_new_session=True)
    (tmp_path / "job").write_text(str(process.pid))
    yield process
    with suppress(ProcessLookupError):
        process.kill()
    process.wait()


@pytest.fixture
def started(orion, write_notebook, tmp_path, eventually):
    """Starts a runner; gives the run and its process once a notebook's last cell is at work."""

    def start(*cells, **spec):
        path = write_notebook(*cells)
        run = orion.begin(orion.new_run("flow", path.stem, key=f"notebook:{path}"))[0]
        process = launch(orion, run.id, Spec(str(path), **spec))
        eventually((tmp_path / "started").exists, "the cell to start")
        return run, process

    return start


def test_a_cancelled_notebook_stops_what_it_began_elsewhere(
    orion, started, job, tmp_path, processes
):
    run, process = started(HOOKS, TASK)
    orion.cancel(run.id, why="enough")
    assert process.wait(60) == 0
    assert job.wait(60) == -signal.SIGTERM
    assert (tmp_path / "told").read_text() == "task job first "
    assert str(orion.find(run.id).state) == "Cancelled: enough"
    assert processes() == {}
    said = [line["message"] for line in get_run(run.id).logs()]
    assert "the job is stopped" in said
    assert [line for line in said if line.startswith("on_cancel: <lambda> failed")]


def test_one_that_hangs_is_cut_off_when_the_grace_is_over(orion, started, tmp_path, processes):
    run, process = started(HOOKS, HANGS, WAITS, grace=4.0)
    orion.cancel(run.id, why="enough")
    assert process.wait(60) == 0  # not the 600 s it would take
    assert (tmp_path / "hangs").exists()
    assert not (tmp_path / "told").exists()  # the others were never reached
    assert str(orion.find(run.id).state) == "Cancelled: enough"
    assert processes() == {}
    assert "on_cancel" in (run_folder(orion.settings, run.id) / LOG).read_text()


def test_they_are_called_also_when_time_is_up(orion, write_notebook, tmp_path, job):
    done = run_notebook(write_notebook(HOOKS + WAITS), cell_timeout=4.0)
    assert done.state.name == "TimedOut"
    assert job.wait(60) == -signal.SIGTERM
    assert (tmp_path / "told").read_text() == "job first "


OBEYS = """
import os
from orion_nb import get_run
from orion_nb.errors import RunStopped

get_run(os.environ["ORION_NB_RUN_ID"]).cancel(why="enough")
raise RunStopped("a task in this cell has obeyed")
"""


def test_a_cell_that_obeys_before_its_runner_knows_is_cancelled_too(
    orion, write_notebook, monkeypatch
):
    monkeypatch.setattr(attempt, "LOOK", 600.0)  # its runner, this process, does not look
    path = write_notebook(OBEYS)
    run = orion.begin(orion.new_run("flow", path.stem, key=f"notebook:{path}"))[0]
    Spec(str(path)).write(run_folder(orion.settings, run.id))
    Runner(orion, run.id).run()
    assert str(orion.find(run.id).state) == "Cancelled: enough"
    text = get_run(run.id).notebook.read_text()
    assert "**Cancelled** in the next cell" in text
    assert "**Failed**" not in text


def test_a_notebook_that_ends_by_itself_calls_none(orion, write_notebook, tmp_path):
    assert run_notebook(write_notebook(HOOKS, "1 / 0")).state.name == "Failed"
    assert not (tmp_path / "told").exists()


def test_a_deployed_flow_s_are_called_in_its_process(orion, tmp_path, worker, eventually, job):
    (tmp_path / "remote.py").write_text(FLOW.format(hooks=HOOKS))
    orion.create_deployment("remote", f"{tmp_path / 'remote.py'}:remote")
    found = get_run(orion.run_deployment("remote").id)
    eventually((tmp_path / "started").exists)
    found.cancel(why="enough")
    assert found.wait(timeout=60).name == "Cancelled"
    assert job.wait(60) == -signal.SIGTERM
    assert Path(tmp_path / "told").read_text() == "flow module job first "
