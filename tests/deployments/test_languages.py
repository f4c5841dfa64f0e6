"""A kernel that speaks no Python, bash_kernel: its parameters, its failures, its interrupt."""

from __future__ import annotations

import importlib.util
import json
import os
import sys

import pytest

from orion_nb.deployments.runner import run_notebook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("bash_kernel") is None and "CI" not in os.environ,
        reason="bash_kernel is not installed; CI has it",
    ),
]


@pytest.fixture
def in_bash(write_notebook, code, tmp_path, monkeypatch):
    """Writes a notebook of these cells in Bash; its kernel is installed for this test."""
    folder = tmp_path / "jupyter" / "kernels" / "bash"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Bash", "language": "bash"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))

    def write(*cells):
        named = {"name": "bash", "display_name": "Bash", "language": "bash"}
        return write_notebook(code("limit=1", "parameters"), *cells, kernelspec=named)

    return write


def printed(cell):
    return "".join(each.get("text", "") for each in cell["outputs"])


def test_it_finds_its_parameters_and_its_exit_code_is_told(orion, in_bash, kept):
    path = in_bash('cat "$ORION_NB_PARAMS"; sleep 300 & echo', "ls /nowhere/at/all", "echo never")

    outcome = run_notebook(path, {"limit": 5, "name": "a b"}, orion=orion)

    assert str(outcome.state) == "Failed: cell 3: exit code 2"
    _, _, reads, _, fails, never = kept(outcome.notebook)
    assert json.loads(printed(reads).splitlines()[0]) == {"limit": 5, "name": "a b"}
    assert "No such file" in printed(fails)
    assert never["outputs"] == []


def test_it_is_interrupted_when_its_time_is_up(orion, in_bash, kept):
    path = in_bash("echo before; sleep 300")

    outcome = run_notebook(path, orion=orion, cell_timeout=2)

    assert outcome.state.name == "TimedOut"
    *_, cell = kept(outcome.notebook)
    assert "before" in printed(cell)
    assert cell["outputs"][-1]["ename"] == "CellTimeout"
