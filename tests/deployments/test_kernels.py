"""The kernels that execute notebooks: which are found, how they start, and how they die."""

from __future__ import annotations

import json
import sys

import pytest

from orion_nb.deployments.runner import run_notebook
from tests.deployments.reading import errors, texts

pytestmark = pytest.mark.slow


def test_a_killed_kernel_is_a_crash_and_its_tasks_end_with_it(orion, write_notebook, kept):
    path = write_notebook(
        "print('before')",
        "import os, sys\nfrom orion_nb import task\n"
        "@task(retries=3)\ndef dies():\n    os.kill(os.getpid(), 9)",
        "print('last words'); sys.stdout.flush()\nimport time; time.sleep(0.5)\ndies()",
        "print('after')",
    )

    outcome = run_notebook(path, orion=orion, retries=2)

    told = "Crashed: kernel killed by signal 9 in cell 3 (peak memory "
    assert str(outcome.state).startswith(told)
    assert outcome.run.run_count == 1  # a crash is no failure of the code: not tried again
    (task,) = outcome.tasks
    assert (task.name, task.state.type, task.run_count) == ("dies", "CRASHED", 1)
    _, before, _, _, dead, after = kept(outcome.notebook)
    assert texts(before) == "before\n"
    assert texts(dead) == "last words\n"
    assert errors(dead) == ["KernelDied"]
    assert after["execution_count"] is None
    told = outcome.as_json()
    assert told["tasks"][0]["attempts"] == 1
    assert "Crashed: " + told["state"]["message"] == str(outcome.state)


def test_a_kernel_that_is_not_there_fails_the_run_at_once(orion, write_notebook, kept):
    path = write_notebook("1", kernelspec={"name": "r-4", "display_name": "R 4"})

    outcome = run_notebook(path, orion=orion, retries=5)

    assert str(outcome.state).startswith("Failed: kernel 'r-4' not found; have: ")
    assert "python3" in outcome.state.message
    assert outcome.run.run_count == 1
    banner, cell = kept(outcome.notebook)
    assert "r-4" in banner["source"]
    assert cell["outputs"] == []


@pytest.mark.parametrize(
    ("code", "within", "says"),
    [
        ("raise SystemExit(4)", "60s", "exited with code 4"),
        ("import time; time.sleep(600)", "2s", "the kernel did not answer within 2 s"),
    ],
)
def test_a_kernel_that_never_starts_is_a_crash(
    orion, write_notebook, tmp_path, monkeypatch, code, within, says
):
    folder = tmp_path / "jupyter" / "kernels" / "broken"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-c", code, "{connection_file}"]
    spec = {"argv": argv, "display_name": "Broken", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))

    path = write_notebook("1")
    outcome = run_notebook(path, kernel="broken", orion=orion, start_timeout=within)

    assert str(outcome.state).startswith(f"Crashed: the kernel was never ready: {says}")


def test_a_kernel_without_orion_nb_starts_all_the_same(
    orion, write_notebook, kept, tmp_path, monkeypatch
):
    folder = tmp_path / "jupyter" / "kernels" / "bare"
    folder.mkdir(parents=True)
    hide = "import sys; sys.modules['orion_nb'] = None; from ipykernel import kernelapp as k; "
    argv = [sys.executable, "-c", f"{hide}k.launch_new_instance()", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Bare", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))

    outcome = run_notebook(write_notebook("print('fine')"), kernel="bare", orion=orion)

    assert str(outcome.state) == "Completed"
    assert texts(kept(outcome.notebook)[0]) == "fine\n"


def test_a_long_name_of_the_temporary_folder_is_no_obstacle(
    orion, write_notebook, tmp_path, monkeypatch
):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    assert str(run_notebook(write_notebook("1"), orion=orion).state) == "Completed"


ANOTHER_KERNEL = """
import os, sys
command = open("/proc/self/cmdline").read().split("\\0")[:-1]
os.execv(sys.executable, command)
"""


def test_a_kernel_that_becomes_another_one_is_a_crash(orion, write_notebook):
    outcome = run_notebook(write_notebook("x = 1", ANOTHER_KERNEL, "print(x)"), orion=orion)

    said = "Crashed: kernel restarted by itself in cell 2"
    assert str(outcome.state).startswith((said, "Crashed: kernel exited"))


ECHO = """
import json, os
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Echo(Kernel):
    implementation = banner = "echo"
    implementation_version = "1"
    language_info = {"name": "echo", "mimetype": "text/plain", "file_extension": ".txt"}

    def do_execute(self, code, silent, *_, **__):
        if code == "fail":
            return {"status": "error", "ename": "Bad", "evalue": "no", "traceback": []}
        if code == "params":
            code = json.load(open(os.environ["ORION_NB_PARAMS"]))["who"]
        if not silent:
            self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": code})
        return {"status": "ok", "execution_count": self.execution_count, "payload": [],
                "user_expressions": {}}

IPKernelApp.launch_instance(kernel_class=Echo)
"""


@pytest.fixture
def echo(tmp_path, monkeypatch):
    folder = tmp_path / "jupyter" / "kernels" / "echo"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-c", ECHO, "-f", "{connection_file}"]
    told = {"argv": argv, "display_name": "Echo", "language": "echo"}
    (folder / "kernel.json").write_text(json.dumps(told))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    return {"kernelspec": {"name": "echo", "display_name": "Echo", "language": "echo"}}


def test_kernels_of_other_languages_are_executed_and_find_their_parameters(
    orion, write_notebook, kept, echo
):
    path = write_notebook("say it", "params", "fail", **echo)

    outcome = run_notebook(path, {"who": "Ada"}, orion=orion)

    assert str(outcome.state) == "Failed: cell 3: Bad: no"
    cells = [cell for cell in kept(outcome.notebook) if cell["cell_type"] == "code"]
    assert [texts(cell) for cell in cells] == ["say it", "Ada", ""]


@pytest.mark.parametrize(
    ("text", "state", "told"),
    [
        ("{", "Failed", "kernel 'odd' can't be used, its kernel.json is damaged: "),
        (
            json.dumps({"argv": ["python", "-m", "x"], "display_name": "x", "env": {"A": 5}}),
            "Crashed",
            "the kernel can't be started: ",
        ),
    ],
)
def test_a_kernel_that_is_none_is_named(
    orion, write_notebook, tmp_path, monkeypatch, text, state, told
):
    folder = tmp_path / "jupyter" / "kernels" / "odd"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(text, "utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    done = run_notebook(write_notebook("1"), kernel="odd", orion=orion)
    assert done.state.name == state
    assert done.state.message.startswith(told)
    assert done.notebook is not None
