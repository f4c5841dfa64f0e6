"""The token by which a machine elsewhere tells a server: what it executes tells it, too."""

from __future__ import annotations

import json

import pytest

from orion_nb.api.connect import connect
from orion_nb.deployments.adhoc import run_notebook
from orion_nb.deployments.files import Spec
from orion_nb.deployments.launch import launch
from orion_nb.schemas.states import COMPLETED

LOOK = """
import json, os, subprocess
from pathlib import Path
from orion_nb import task

@task
def double(n):
    return 2 * n

assert double(4) == 8
def told(pid):
    folder = Path(f"/proc/{pid}")
    return [(folder / name).read_bytes().decode() for name in ("environ", "cmdline")]
child = subprocess.run(["env"], capture_output=True, text=True).stdout
Path("seen.json").write_text(
    json.dumps([dict(os.environ), child, told("self"), told(os.getppid())])
)
"""
FLOW = """
from orion_nb import flow, task

@task
def look():
{}

@flow
def looks():
    look()
"""


@pytest.fixture
def folder(server, tmp_path, monkeypatch):
    """A machine elsewhere: its variables name the server, and it has no database."""
    monkeypatch.setenv("ORION_NB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ORION_NB_API_URL", server.url)
    yield tmp_path
    connect().close()
    assert not (tmp_path / "home" / "orion.db").exists()


@pytest.mark.parametrize("is_in_url", [True, False])
def test_a_notebook_tells_the_server_and_sees_no_token(
    server, token, folder, notebook, monkeypatch, is_in_url
):
    if is_in_url:
        monkeypatch.setenv("ORION_NB_API_URL", f"{server.url}/lab?token={token}")
    else:
        monkeypatch.setenv("ORION_NB_API_TOKEN", token)
    notebook(folder / "look.ipynb", LOOK)
    outcome = run_notebook(folder / "look.ipynb")
    assert (outcome.state.name, outcome.state.message) == ("Completed", None)
    assert [(task.name, task.state.name) for task in outcome.tasks] == [("double", "Completed")]
    assert token not in (folder / "seen.json").read_text()
    kept = [path for path in (folder / "home").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if token.encode() in path.read_bytes()] == []


def test_the_process_of_a_flow_tells_the_server_and_sees_no_token(
    token, folder, monkeypatch, until
):
    monkeypatch.setenv("ORION_NB_API_TOKEN", token)
    lines = [f"    {line}" for line in LOOK.replace("@task", "@task()").splitlines()]
    (folder / "looks.py").write_text(FLOW.format("\n".join(lines)))
    orion = connect()
    run = orion.begin(orion.new_run("flow", "looks", key="flow:looks"))[0]
    process = launch(orion, run.id, Spec(str(folder / "looks.py"), flow="looks"))
    assert process.wait(60) == 0
    assert orion.find(run.id).state.type is COMPLETED
    seen = json.loads((folder / "seen.json").read_text())
    assert seen[0]["ORION_NB_RUN_ID"] == run.id
    assert token not in json.dumps(seen)


def test_a_runner_that_dies_says_where_its_log_is(token, folder, notebook, monkeypatch):
    monkeypatch.setenv("ORION_NB_API_TOKEN", token)
    monkeypatch.setattr("orion_nb.deployments.launch.PROGRAM", folder / "no_such_runner.py")
    notebook(folder / "look.ipynb", LOOK)
    outcome = run_notebook(folder / "look.ipynb")
    log = folder / "home" / "runs" / outcome.run.id / "runner.log"
    assert outcome.state.name == "Crashed"
    assert outcome.state.message.endswith(f"No such file or directory; see {log}")
    assert log.exists()
