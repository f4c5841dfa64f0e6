"""How soon a scheduled notebook starts: from its time to Running, and to its first cell.

A worker of its own process keeps one runner ready (`--warm 0`: none); a deployment is due every
few seconds. The time of a run and the start of its Running state are in the file; the first cell
writes down when it began.

With `--flow` it is a flow of a Python file, and the first line of its body.

    python benchmarks/due.py [--times 30] [--every 4] [--warm 1] [--flow]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from _measure import Figure, environment, median, options, percentile, show, wait_until

from notebooks import write_notebook

CELL = """
import os, time
with open("began.txt", "a") as file:
    file.write(f"{os.environ['ORION_NB_RUN_ID']} {time.time_ns() // 1000}\\n")
"""
FLOW = f"""
from orion_nb import flow

@flow
def due():
{textwrap.indent(CELL, "    ")}
"""
SECOND = 1_000_000


def measure(
    home: Path, times: int, every: float, warm: int, flow: bool
) -> tuple[list[float], list[float]]:
    """Milliseconds from each run's time to Running, and to its first cell or line."""
    from orion_nb import connect

    orion = connect()
    target = str(write_notebook(home / "due.ipynb", CELL))
    if flow:
        (home / "due.py").write_text(FLOW, "utf-8")
        target = f"{home / 'due.py'}:due"
    began = home / "began.txt"
    command = [sys.executable, "-m", "orion_nb", "worker", "--warm", str(warm)]
    env = environment(ORION_NB_HOME=os.environ["ORION_NB_HOME"])
    with (home / "worker.log").open("w") as log:
        worker = subprocess.Popen(command, env=env, stderr=log, stdout=log)
    try:
        orion.create_deployment("due", target, schedules=[f"{every:g}s"])
        wait_until(
            lambda: began.exists() and len(began.read_text().splitlines()) > times,
            "too few runs",
            every * (times + 20) + 60,
        )
        orion.pause_deployment("due")
    finally:
        worker.terminate()
        worker.wait(30)
    told = [line.split() for line in began.read_text().splitlines()][1:]  # the first came cold
    runs = [(orion.find(run_id), int(at)) for run_id, at in told]
    running = [((run.start_time or 0) - (run.scheduled_time or 0)) / 1000 for run, _ in runs]
    return running, [(at - (run.scheduled_time or 0)) / 1000 for run, at in runs]


def main() -> None:
    """Prints medians, and what 19 of 20 stay below."""
    parser = options(__doc__, rounds=1)
    parser.add_argument("--times", type=int, default=30, help="runs a round; default 30")
    parser.add_argument("--every", type=float, default=4.0, help="seconds between two; default 4")
    parser.add_argument("--warm", type=int, default=1, help="runners kept ready; default 1")
    parser.add_argument("--flow", action="store_true", help="a flow instead of a notebook")
    told = parser.parse_args()
    running: list[float] = []
    cells: list[float] = []
    for _ in range(told.rounds):
        with tempfile.TemporaryDirectory() as home:
            os.environ["ORION_NB_HOME"] = home
            from orion_nb import connect

            found = measure(Path(home), told.times, told.every, told.warm, told.flow)
            connect().close()
        running += found[0]
        cells += found[1]
    first = "to the first line" if told.flow else "to the first cell"
    figures = [
        Figure(name, median(waits), "ms", note=f"95 % within {percentile(waits, 0.95):.0f} ms")
        for name, waits in (("to Running", running), (first, cells))
    ]
    title = f"From a scheduled time, {len(cells)} runs, {told.warm} runner(s) ready"
    show(title, figures, told.json)


if __name__ == "__main__":
    main()
