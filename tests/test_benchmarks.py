"""Each benchmark runs, on few tasks, and prints its figures as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
FEW = {
    "task_overhead": ("--tasks=20", "sequential"),
    "import_cost": ("--rounds=1", "import orion_nb, CPU"),
    "footprint": ("--tasks=200", "submitted: disk"),
    "million_runs": ("--runs=3000", "list failed"),
    "http_transitions": ("--requests=20", "set-state, 8 clients"),
    "remote": ("--transitions=80", "batches of 200"),
    "wake": ("--times=3", "upstream, in process"),
    "schedules": ("--deployments=20", "next 100: ics"),
    "notebooks": ("--cells=2", "2 cells, plain"),
    "due": ("--times=1", "to Running"),
    "cache_hit": ("--calls=20", "cache hit"),
    "big_run": ("--tasks=20", "run, graph"),
}


def test_every_benchmark_is_tried_here():
    assert {path.stem for path in FOLDER.glob("[!_]*.py")} == {*FEW, "bare_extension"}


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_a_benchmark_prints_figures(name, tmp_path):
    option, figure = FEW[name]
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), "--rounds=1", "--json", option],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert figures[figure]["value"] > 0
