"""The loop of a server or worker: runs that nobody else looks after come to an end."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from orion_nb.deployments import upkeep
from orion_nb.deployments.upkeep import Upkeep
from orion_nb.schemas.states import RUNNING

WORK = """
    import sys
    from orion_nb.api.connect import connect
    from orion_nb.schemas.states import Running

    orion = connect()
    flow, _ = orion.begin(orion.new_run("flow", "flow"), Running())
    orion.begin(orion.new_run("task", "task", parent=flow.id), Running())
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def looking(orion):
    started = Upkeep(orion)
    started.start()
    yield started
    started.stop()


def states(orion):
    return {run["name"]: run["state"]["name"] for run in orion.filter_runs()["runs"]}


def test_runs_of_a_killed_process_are_crashed(other, looking, script, eventually):
    process = script(WORK)
    assert process.stdout.readline() == "ready\n"
    assert states(other) == {"flow": "Running", "task": "Running"}
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: set(states(other).values()) == {"Crashed"})


def test_a_run_driven_over_http_is_stopped_at_its_timeout(other, looking, eventually):
    other.create_run("task", "t", policy={"timeout": 0.2}, state=RUNNING)
    eventually(lambda: states(other) == {"t": "TimedOut"})


def test_the_loop_goes_on_after_an_error(orion, monkeypatch, eventually, caplog):
    monkeypatch.setattr(upkeep, "REST", 0.01)
    monkeypatch.setattr(upkeep, "LOOK", 0.01)
    looks, look = [], Upkeep.look

    def fails_first(self):
        looks.append(1)
        if len(looks) < 3:
            raise RuntimeError("no")
        look(self)

    monkeypatch.setattr(Upkeep, "look", fails_first)
    looking = Upkeep(orion, logging.getLogger("test"))
    looking.start()
    try:
        eventually(lambda: len(looks) > 4)
    finally:
        looking.stop()
    assert "going on" in caplog.text


@pytest.mark.parametrize("command", ["ls", "show", "why"])
def test_before_runs_are_shown_those_of_dead_processes_are_ended(
    orion, script, command, monkeypatch
):
    from typer.testing import CliRunner

    from orion_nb.cli.app import app

    process = script(WORK)
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    told = CliRunner().invoke(app, ["runs", command, *(["flow"] if command != "ls" else [])])
    assert told.exit_code == 0
    assert "Crashed" in told.stdout
    assert states(orion) == {"flow": "Crashed", "task": "Crashed"}
