"""`orion-nb replay --print | --ipython | --lab`: a failure is at hand, and no run is made."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from orion_nb import flow, run_notebook, task
from orion_nb.api.orion import Orion
from orion_nb.schemas.runs import Run
from tests.terminals import at_terminal

ROOT = Path(__file__).parents[2]


@task(frames=True)
def load(rows: list[dict[str, int]]) -> int:
    total = 0
    for row in rows:
        total += row["price"]
    return total


@flow
def nightly() -> int:
    return load([{"price": 1}, {"cost": 3}])


@pytest.fixture
def failed(here: Orion) -> Run:
    """The task that failed."""
    nightly.run()
    return here.find("load")


def test_its_inputs_frames_and_code_are_printed(call, failed, here):
    for ref in (failed.id, failed.root):  # of a flow the task that failed in it
        out = call("replay", ref, "--print").out
        assert f"task load ({failed.id[-8:]}), Failed" in out
        assert "rows = [{'price': 1}, {'cost': 3}]" in out
        assert "row = {'cost': 3}" in out
        assert "def load(rows" in out
    told = call("replay", failed.id, "--print", "--json").json
    assert told["error"] == "KeyError: 'price'"
    assert told["frames"][-1]["names"]["total"] == "1"
    assert here.find("load").id == failed.id


def test_the_cell_that_a_notebook_failed_in_is_printed(call, tmp_path):
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    every = [{**cell, "id": "a", "source": "rows = 3"}, {**cell, "id": "b", "source": "rows / 0"}]
    every[0]["metadata"] = {"tags": ["parameters"]}
    path = tmp_path / "broken.ipynb"
    told = {"cells": every, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(told), encoding="utf-8")
    run_notebook(path)
    out = call("replay", "broken", "--print").out
    assert "Failed, attempt 1: cell 2: ZeroDivisionError: division by zero" in out
    assert "  rows = 3\n\ncell 2:\n\nrows / 0\n" in out
    assert out.rstrip().endswith("ZeroDivisionError: division by zero")
    told = call("replay", "broken", "--print", "--json").json
    assert (told["cell"]["number"], told["source"]) == (2, "rows / 0")


def test_of_what_did_not_fail_it_is_said(call, here):
    task(lambda: 1, name="sound").run()
    assert "Nothing failed in it" in call("replay", "sound", "--print").out


def test_a_notebook_is_written_once(call, failed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = call("replay", failed.root, "--lab", "--no-browser").out
    file = tmp_path / f"replay-{failed.id[-8:]}.ipynb"
    assert out.strip() == str(file)
    made = json.loads(file.read_text())
    assert made["cells"][2]["source"] == f"%replay {failed.id[-8:]}"
    file.write_text("mine")
    call("replay", failed.root, "--lab", "--no-browser")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--print", "--lab"), "give one of --print, --ipython and --lab"),
        (("--print", "-p", "a=1"), "--param: no run is made with"),
        (("--ipython", "--wait"), "--wait: no run is made with"),
        (("--lab", "--json"), "--json: only with --print"),
    ],
)
def test_what_does_not_go_together_is_refused(call, failed, options, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("replay", failed.id, *options)
    assert done.code != 0
    assert says in done.out + done.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_ipython_begins_with_it(here, home, tmp_path):
    task(lambda of: 10 / of, name="bare").run(0)  # its code is not known there: the prompt is empty
    words = ("-m", "orion_nb", "replay", "bare", "--ipython")
    with at_terminal(
        *words, folder=tmp_path, ORION_NB_HOME=str(home), PYTHONPATH=str(ROOT)
    ) as told:
        told.expect_exact("task bare (")
        told.expect_exact("In [1]")
        told.sendline("_replay.inputs['0'] + 42, 'seen'")
        told.expect_exact("(42, 'seen')")
        told.sendline("exit()")
