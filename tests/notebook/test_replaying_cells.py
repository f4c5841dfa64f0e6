"""`%replay` of a notebook whose cell failed, though nothing was kept of what its names held."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebook.test_replaying import next_cell

PRELUDE = """
%load_ext orion_nb
import json
from pathlib import Path
from orion_nb import replay, run_notebook
def written(name, *cells):
    told = [
        {"cell_type": "code", "id": f"c{at}", "source": source, "metadata": {"tags": tags},
         "outputs": [], "execution_count": None}
        for at, (source, tags) in enumerate(cells)
    ]
    told = {"cells": told, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    Path(name).write_text(json.dumps(told))
    return name
"""
MISSING = """
failed = run_notebook(written(
    "unkept.ipynb",
    ("from datetime import date\\nday: date = '2026-01-01'\\nrows = 2\\nlast = rows * 2",
     ["parameters"]),
    ("prices = [1, 2]", []),
    ("def of(at):\\n    return prices[at]\\nof(rows + 5)", []),
), {"day": "2026-02-01"})
assert failed.state.message.startswith("cell 4: IndexError")
"""
TASKS = """
failed = run_notebook(written(
    "unkept_tasks.ipynb",
    ("%%task unkept_early\\n1 / 0", ["raises-exception"]),
    ("a = 1", []),
    ("%%task unkept_late\\nb = a / 0", []),
))
"""


GONE = """
for name in ("day", "rows", "last", "prices", "of", "a", "b", "failed", "_replay"):
    globals().pop(name, None)
"""


@pytest.fixture
def prepared(kernel: Any) -> Any:
    kernel.do(GONE)  # other tests have such names, too
    kernel.do(PRELUDE)
    yield kernel
    kernel.do(GONE)


def test_the_cell_and_the_parameters_are_here_and_what_is_not_is_said(prepared: Any) -> None:
    prepared.do(MISSING)
    ran = prepared.do("%replay unkept")
    run = prepared.value("failed.run.id")[-8:]
    assert f"flow unkept ({run}), Failed, attempt 1: cell 4: IndexError" in ran.result
    assert next_cell(ran) == f"%%replay {run}\ndef of(at):\n    return prices[at]\nof(rows + 5)"
    assert prepared.value("(str(day), rows)") == "('2026-02-01', 2)"
    assert "not kept: the parameters cell computes it: rows * 2" in ran.result
    assert "What earlier cells made was not kept: make it here. Or `orion-nb runs" in ran.result
    assert f"`orion-nb runs rerun {run} --from-failed`" in ran.result
    assert "commit" not in ran.result
    assert "call(" not in ran.result
    assert "IndexError: list index" in prepared.value("_replay.cell.error")
    assert (
        "unkept is no function: run the code of its cell"
        in prepared.run("_replay.call()").traceback
    )
    prepared.do("prices = [1, 2]")
    assert "IndexError" in prepared.run(next_cell(ran)).traceback
    assert prepared.do(next_cell(ran).replace("rows + 5", "1")).result == "2"
    diff = prepared.do("%replay diff").result
    assert "-of(rows + 5)\n+of(1)" in diff


def test_the_code_of_a_task_cell_is_here_too(prepared: Any) -> None:
    """Of the notebook it is that of the cell that it failed in; what may fail is no failure."""
    prepared.do(TASKS)
    ran = prepared.do("%replay unkept_tasks")
    assert "task unkept_late (" in ran.result
    assert "commit [--resume]" in ran.result
    assert next_cell(ran).partition("\n")[2] == "b = a / 0"
    prepared.do("a = 1")
    prepared.do(next_cell(ran).replace("/ 0", "/ 2"))
    assert "Completed" in prepared.do("%replay commit").result
    assert next_cell(prepared.do("%replay unkept_early")).partition("\n")[2] == "1 / 0"


def test_a_tolerated_task_is_not_what_a_notebook_failed_in(prepared: Any) -> None:
    prepared.do(
        TASKS.replace("%%task unkept_late\\n", "").replace("unkept_tasks.", "unkept_plain.")
    )
    run = prepared.orion.find("unkept_plain")
    told = prepared.orion.replay_notebook(run.id)
    assert told["replays"] == run.id
    behind = told["notebook"]["cells"][-1]["source"]
    assert f"`orion-nb runs rerun {run.id[-8:]} --from-failed` goes on" in behind
    assert "commit" not in behind
    assert next_cell(prepared.do("%replay unkept_plain")).partition("\n")[2] == "b = a / 0"
