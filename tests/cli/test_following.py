"""`orion-nb runs logs --follow` of a notebook: what a cell prints is shown while it runs."""

from __future__ import annotations

import pytest

from orion_nb.cli.output import coloured
from tests.waiting import until

pytestmark = pytest.mark.slow

CELL = """
from pathlib import Path
import sys, time
print("\\x1b[31mone\\x1b[0m")
print("half", end="", flush=True)
while not Path("go").exists():
    time.sleep(0.01)
print(" done")
print("problem", file=sys.stderr)
"""
TASK = "%%task load\nprint('in a task')"


def test_a_running_cell_is_followed_line_by_line_and_no_line_comes_twice(
    start, here, notebook, tmp_path
):
    path = notebook(CELL, TASK)
    running = start("run", path, "--json")
    run = until(lambda: here.filter_runs(kind="flow")["runs"])[0]["id"]
    follower = start("runs", "logs", run, "--follow", "--tree", FORCE_COLOR="1")
    first = follower.stdout.readline()  # the cell has not ended: it waits
    assert "\x1b[31mone" in first
    assert here.find(run).state.name == "Running"
    (tmp_path / "go").touch()
    out, err = follower.communicate(timeout=120)
    assert (follower.returncode, err) == (0, "")
    assert running.wait(120) == 0
    shown = [coloured(line).plain.split("  ", 1)[1] for line in out.splitlines()]
    assert sorted(line.rpartition(": ")[2].rpartition("  ")[2] for line in shown) == [
        "half done", "in a task", "problem",
    ]  # fmt: skip


def test_nothing_but_colours_is_left_to_a_terminal():
    text = coloured("a\x1b[1;32mb\x1b[0m\x1b]8;;http://x\x07link\x1b]8;;\x07\x1b[2J\x9b\x07")
    assert text.plain == "ablink\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert [str(span.style) for span in text.spans] == ["bold color(2)"]
