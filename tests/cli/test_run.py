"""`orion-nb run`: exit codes and JSON of notebooks, flows and deployments, in real processes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.waiting import until

FLOWS = """
import os
import time

from orion_nb import flow, task

calls = []


@task(retries=1)
def load(n):
    calls.append(n)
    if len(calls) == 1:
        raise ConnectionError("the line is down")
    return n


@flow
def etl(limit: int = 3, label: str = "x"):
    print("printed by the flow")
    os.system("echo printed by a child")
    assert isinstance(label, str)
    return load(limit)


@flow
async def waits():
    return 1


@flow
def fails():
    raise ValueError("no [bold]good[/bold]")


@flow(timeout=0.2)
def hangs():
    while True:
        time.sleep(0.01)
"""
ONE = "from orion_nb import flow\n\n@flow\ndef only():\n    return 1\n"

TASKS = (
    "from orion_nb import task\n@task(retries=1)\ndef load(calls=[]):\n    calls.append(1)\n"
    "    if len(calls) == 1: raise ConnectionError('down')",
    "load()",
)


@pytest.fixture
def flows(tmp_path):
    path = tmp_path / "flows.py"
    path.write_text(FLOWS, encoding="utf-8")
    return path


def read(path: str | Path) -> str:
    return Path(path).read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_notebook_that_completes(orion_nb, notebook, tmp_path):
    path = notebook(*TASKS, "print(who)", parameters="who = 'nobody'")
    out = tmp_path / "out.ipynb"
    done = orion_nb("run", path, "-p", "who=Ada", "--out", out, "--json")
    assert done.code == 0, done.err
    told = done.json
    assert list(told) == ["run_id", "state", "notebook", "tasks"]
    assert told["state"] == {"type": "COMPLETED", "name": "Completed", "message": None}
    completed = {"type": "COMPLETED", "name": "Completed", "message": None}
    assert told["tasks"] == [{"name": "load", "state": completed, "attempts": 2}]
    for kept in (told["notebook"], out):
        assert "Ada" in json.dumps(json.loads(read(kept))["cells"][-1]["outputs"])
    assert "↻ AwaitingRetry" in done.err
    assert "ConnectionError: down" in done.err


@pytest.mark.slow
def test_a_notebook_that_fails_is_exit_code_1(orion_nb, notebook):
    done = orion_nb("run", notebook("1 / 0"), "--json")
    assert done.code == 1
    assert done.json["state"]["type"] == "FAILED"
    assert "ZeroDivisionError" in done.json["state"]["message"]
    assert "ZeroDivisionError" in read(done.json["notebook"])


@pytest.mark.slow
def test_a_notebook_whose_kernel_dies_is_exit_code_5_and_keeps_what_it_printed(orion_nb, notebook):
    path = notebook("print('before')", "import os; os.kill(os.getpid(), 9)")
    done = orion_nb("run", path, "--json")
    assert done.code == 5
    assert done.json["state"]["type"] == "CRASHED"
    assert "before" in read(done.json["notebook"])


@pytest.mark.slow
def test_a_notebook_that_takes_too_long_is_exit_code_4(orion_nb, notebook):
    path = notebook("import time; time.sleep(60)")
    done = orion_nb("run", path, "--cell-timeout", "1s")
    assert done.code == 4
    assert "✖ TimedOut" in done.out
    assert "orion-nb explain" in done.out


@pytest.mark.slow
def test_ctrl_c_cancels_a_notebook_with_exit_code_3(start, orion_nb, notebook, tmp_path):
    path = notebook("open('begun', 'w').close()\nimport time; time.sleep(60)")
    process = start("run", path, "--json")
    until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert json.loads(out)["state"]["type"] == "CANCELLED"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.ipynb"], "is not there"),
        (["work.ipynb", "-p", "x=1"], "no parameters cell"),
        (["work.ipynb", "--timeout", "soon"], "'soon' is not a duration"),
        (["work.ipynb", "--timeout", "0"], "timeout: '0' leaves no time at all"),
        (["work.ipynb", "--cwd", "nowhere"], "nowhere' is no folder"),
        (["work.ipynb", "--kernel", "klingon"], "kernel 'klingon' not found"),
        (["work.ipynb", "--out", "no/such/folder.ipynb"], "out: "),
        (["flows.py:etl", "--kernel", "python3"], "--kernel: flows.py:etl is a flow"),
        (["flows.py:etl", "--env", "A=1"], "--env: flows.py:etl is a flow: it is run in this"),
        (["work.ipynb", "--env", "JPY_X=1"], "env: 'JPY_X' is not to be set"),
        (["flows.py:elt"], "did you mean 'etl'?"),
        (["flows.py"], "there are: etl, waits, fails, hangs"),
        (["flows.py:etl", "-p", "limti=1"], "unexpected keyword argument 'limti'"),
        (["flwos.py:etl"], "did you mean 'flows.py'?"),
        (["nothing"], "no deployment 'nothing'"),
        (["data.csv"], "'data.csv' is no notebook (.ipynb) and no Python file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_can_not_be_run_is_exit_code_2(orion_nb, notebook, flows, words, says):
    notebook("1").with_name("data.csv").touch()
    done = orion_nb("run", *words)
    assert done.code == 2, done.err
    assert says in done.err
    assert "Traceback" not in done.err


def test_a_flow_runs_here_and_stdout_is_only_json(orion_nb, flows, here):
    done = orion_nb("run", f"{flows}:etl", "-p", "limit=7", "-p", "label=12", "--json")
    assert done.code == 0, done.err
    assert done.json["notebook"] is None
    assert [(task["name"], task["attempts"]) for task in done.json["tasks"]] == [("load", 2)]
    assert "printed by the flow" in done.err
    assert "printed by a child" in done.err
    assert here.find(done.json["run_id"]).parameters == {"limit": 7, "label": "12"}


def test_what_a_flow_prints_is_on_stdout(orion_nb, flows):
    done = orion_nb("run", f"{flows}:etl")
    assert "printed by the flow\n" in done.out
    assert "✔ Completed" in done.out
    assert "↻ AwaitingRetry" in done.err


def test_an_async_flow_runs(orion_nb, flows):
    assert orion_nb("run", f"{flows}:waits", "--json").json["state"]["name"] == "Completed"


def test_the_only_flow_of_a_file_needs_no_name(orion_nb, tmp_path):
    (tmp_path / "one.py").write_text(ONE, encoding="utf-8")
    assert orion_nb("run", "one.py").code == 0


def test_a_flow_that_fails_is_exit_code_1_and_shows_the_users_frames(orion_nb, flows):
    done = orion_nb("run", f"{flows}:fails", "--json")
    assert done.code == 1
    assert done.json["state"]["message"] == "ValueError: no [bold]good[/bold]"
    assert "in fails" in done.err
    assert "orion_nb/engine" not in done.err


def test_a_parameter_that_does_not_fit_fails_the_flow(orion_nb, flows):
    done = orion_nb("run", f"{flows}:etl", "-p", "limit=many")
    assert done.code == 1
    assert "ParameterError: limit: Input should be a valid integer" in done.err
    assert "Traceback" not in done.err


def test_a_flow_that_times_out_is_exit_code_4(orion_nb, flows):
    assert orion_nb("run", f"{flows}:hangs").code == 4


def test_a_file_that_can_not_be_imported_says_where(orion_nb, tmp_path):
    (tmp_path / "broken.py").write_text("x = 1\n1 / 0\n", encoding="utf-8")
    done = orion_nb("run", "broken.py:etl")
    assert done.code == 2
    assert "line 2" in done.err
    assert "ZeroDivisionError" in done.err


@pytest.mark.slow
def test_a_deployment_is_run_by_a_worker_and_waited_for(start, orion_nb, notebook, here, tmp_path):
    path = notebook(*TASKS, parameters="limit: int = 1")
    orion_nb("deploy", path, "--name", "work")
    worker = start("worker", "--json")
    out = tmp_path / "out.ipynb"
    done = orion_nb("run", "work", "-p", "limit=2", "--json", "--out", out)
    assert done.code == 0, done.err
    assert [task["attempts"] for task in done.json["tasks"]] == [2]
    assert here.find(done.json["run_id"]).parameters == {"limit": 2}
    assert "limit = 2" in out.read_text(encoding="utf-8")
    worker.send_signal(signal.SIGINT)
    told, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    assert json.loads(told)["left"] == []


def test_a_run_that_nobody_takes_says_so_and_ctrl_c_leaves_it(start, call, notebook, here):
    call("deploy", notebook("1"), "--name", "work")
    process = start("run", "work")
    lines = iter(process.stderr.readline, "")
    assert any("orion-nb worker" in line for line in lines)
    process.send_signal(signal.SIGINT)
    assert any("orion-nb runs cancel" in line for line in lines)
    assert process.wait(60) == 130
    assert here.filter_runs(kind="flow")["runs"][0]["state"]["name"] == "Scheduled"


def test_no_wait_only_schedules(call, notebook, here):
    call("deploy", notebook("1"), "--name", "work")
    done = call("run", "work", "--no-wait", "--json")
    assert (done.code, done.json["state"]["name"]) == (0, "Scheduled")
    refused = call("run", "work", "--no-wait", "--out", "x.ipynb")
    assert refused.code == 2
    refused = call("run", "nb.ipynb", "--no-wait")
    assert (refused.code, "--no-wait: nb.ipynb is run here" in refused.err) == (2, True)
