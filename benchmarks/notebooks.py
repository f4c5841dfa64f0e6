"""What executing a notebook costs: wall seconds of 20 and 200 cells, against plain nbclient.

Each way is measured once a round, in turn; ratios are to a plain nbclient process of the same
round's notebook, from its start to its end. Cases:

- plain: `python -c` with nbformat and nbclient, as their documentation shows it;
- plain, no grammar: the same, but without the import of a grammar that takes nbformat two seconds
  and that our runners do without; what is left is the kernel and the cells;
- ours, cold: a process that calls `run_notebook`: a run with its history, in a runner of its own;
- ours, warm: a run of a deployment with a worker beside, which has a runner ready: from the call
  of `run_deployment` to the run's end, its notebook kept and its kernel gone.

    python benchmarks/notebooks.py [--rounds 5] [--cells 20 200]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _measure import Figure, environment, in_turn, median, options, show, wait_until

PLAIN = """
import sys
import nbformat
from nbclient import NotebookClient
nb = nbformat.read(sys.argv[1], 4)
NotebookClient(nb).execute()
nbformat.write(nb, sys.argv[2])
"""
NO_GRAMMAR = "import sys\nsys.modules['rfc3987_syntax'] = None\n" + PLAIN
COLD = """
import sys
from orion_nb import run_notebook
assert str(run_notebook(sys.argv[1], out=sys.argv[2]).state) == "Completed"
"""
#: Seconds in which a worker gets its next runner ready.
READY = 4.0


def write_notebook(path: Path, *sources: str) -> Path:
    """A notebook with these cells of code."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    told = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def process(script: str, notebook: Path) -> float:
    """Seconds that a process takes with this script and notebook."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", script, str(notebook), str(notebook.with_suffix(".out"))],
        check=True,
        env=environment(ORION_NB_HOME=os.environ["ORION_NB_HOME"]),
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


@contextmanager
def worker() -> Iterator[None]:
    """A worker is at work, with one runner ready."""
    command = [sys.executable, "-m", "orion_nb", "worker", "--warm", "1"]
    env = environment(ORION_NB_HOME=os.environ["ORION_NB_HOME"])
    running = subprocess.Popen(
        command, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        running.terminate()
        running.wait(30)


def warm(name: str) -> float:
    """Seconds of one run of this deployment; its runner had the time to get ready."""
    from orion_nb import connect

    orion = connect()
    with worker():
        time.sleep(READY)
        began = time.perf_counter()
        run = orion.run_deployment(name)
        wait_until(lambda: orion.find(run.id).state.is_terminal, "the run does not end")
        took = time.perf_counter() - began
    assert str(orion.find(run.id).state) == "Completed"
    return took


def main() -> None:
    """Prints a table for each number of cells."""
    parser = options(__doc__, rounds=5)
    parser.add_argument("--cells", type=int, nargs="+", default=[20, 200])
    told = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as home:
        os.environ["ORION_NB_HOME"] = home
        from orion_nb import connect

        for cells in told.cells:
            sources = [f"x = {number}\nprint(x)" for number in range(cells)]
            path = write_notebook(Path(home, f"cells{cells}.ipynb"), *sources)
            connect().create_deployment(path.stem, str(path))
            found = in_turn(told.rounds, _ways(path))
            plain, bare = median(found["plain"]), median(found["plain, no grammar"])
            for name, seconds in found.items():
                value = median(seconds)
                note = f"{value / bare:.2f} x of plain without the grammar"
                note = f"{note}; fastest {min(seconds):.2f}"
                figures.append(Figure(f"{cells} cells, {name}", value, "s", value / plain, note))
        connect().close()
    show(f"Notebooks, {told.rounds} rounds", figures, told.json)


def _ways(path: Path) -> dict[str, Callable[[], float]]:
    return {
        "plain": lambda: process(PLAIN, path),
        "plain, no grammar": lambda: process(NO_GRAMMAR, path),
        "ours, cold": lambda: process(COLD, path),
        "ours, warm": lambda: warm(path.stem),
    }


if __name__ == "__main__":
    main()
