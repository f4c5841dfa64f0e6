"""What `import orion_nb` costs, and how long a cold process takes to its first persisted task.

CPU is that of child processes as the operating system counts it, less that of a bare Python. The
wait for the first task is wall time, from starting `python -c` until the task has returned: its
Completed state is in the file by then (each time is checked). The floor is a script that writes
the same four rows with plain sqlite3.

    python benchmarks/import_cost.py
    python benchmarks/import_cost.py --prefect-python ~/prefect/bin/python   # takes minutes

Prefect's own server starts with its first flow; its database exists already.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _measure import Figure, environment, in_turn, median, options, show

FLOOR = """
import os, sqlite3
c = sqlite3.connect(os.environ["ORION_NB_HOME"] + "/orion.db", isolation_level=None)
c.execute("PRAGMA journal_mode=wal"); c.execute("PRAGMA synchronous=normal")
c.execute("CREATE TABLE IF NOT EXISTS runs (id BLOB PRIMARY KEY, state TEXT)")
c.execute("CREATE TABLE IF NOT EXISTS states (n INTEGER PRIMARY KEY, run BLOB, type TEXT)")
run = os.urandom(16)
c.execute("BEGIN IMMEDIATE"); c.execute("INSERT INTO runs VALUES (?, 'RUNNING')", (run,))
c.executemany("INSERT INTO states VALUES (NULL, ?, ?)", [(run, "PENDING"), (run, "RUNNING")])
c.execute("COMMIT"); c.execute("BEGIN IMMEDIATE")
c.execute("UPDATE runs SET state='COMPLETED' WHERE id=?", (run,))
c.execute("INSERT INTO states VALUES (NULL, ?, 'COMPLETED')", (run,)); c.execute("COMMIT")
print("done", flush=True)
"""
OURS = """
from orion_nb import task
@task
def noop(): pass
noop()
print("done", flush=True)
"""
PREFECT = """
from prefect import flow, task
@task
def noop(): pass
@flow
def once(): noop()
once()
print("done", flush=True)
"""


def cpu(python: str, code: str) -> float:
    """Seconds of processor time, user's and system's, that a process with this code takes."""
    process = subprocess.Popen([python, "-c", code], env=environment())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0, code
    return used.ru_utime + used.ru_stime


def first_task(python: str, code: str, **environ: str) -> float:
    """Seconds from starting the process until it says that its task is done."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [python, "-c", code], stdout=subprocess.PIPE, text=True, env=environment(**environ),
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "done":
            break
    took = time.perf_counter() - started
    _, said = process.communicate()
    assert process.returncode == 0, said
    return took


def cold(code: str, home: Path | None) -> float:
    """The same with our database in `home`, which must hold the task then; None: a new folder."""
    if home is None:
        with tempfile.TemporaryDirectory() as folder:
            return cold(code, Path(folder))
    before = completed(home)
    took = first_task(sys.executable, code, ORION_NB_HOME=str(home))
    assert completed(home) == before + 1
    return took


def completed(home: Path) -> int:
    """The completed runs in the file; 0 if there is no file."""
    if not (home / "orion.db").exists():
        return 0
    reader = sqlite3.connect(home / "orion.db")
    sql = "SELECT count(*) FROM states WHERE type='COMPLETED'"
    try:
        return int(reader.execute(sql).fetchone()[0])
    finally:
        reader.close()


def measure(rounds: int) -> list[Figure]:
    """Ours against bare Python and a bare script."""
    with tempfile.TemporaryDirectory() as folder:
        homes = [Path(folder, "floor"), Path(folder, "ours")]
        for home, code in zip(homes, (FLOOR, OURS), strict=True):
            home.mkdir()
            cold(code, home)
        ways: dict[str, Callable[[], float]] = {
            "bare python, CPU": lambda: cpu(sys.executable, "pass"),
            "import orion_nb, CPU": lambda: cpu(sys.executable, "import orion_nb"),
            "first task, sqlite3 script": lambda: cold(FLOOR, homes[0]),
            "first task, database exists": lambda: cold(OURS, homes[1]),
            "first task, no database yet": lambda: cold(OURS, None),
        }
        medians = {name: median(found) for name, found in in_turn(rounds, ways).items()}
    bare = medians["bare python, CPU"]
    medians["import orion_nb, CPU"] -= bare
    floor = medians["first task, sqlite3 script"]
    compared = {"import orion_nb, CPU": bare}
    compared |= {name: floor for name in medians if name.startswith("first task")}
    notes = {"import orion_nb, CPU": "less bare Python"}
    return [
        Figure(name, value, "s", value / compared.get(name, bare), notes.get(name, ""))
        for name, value in medians.items()
    ]


def measure_prefect(python: str, rounds: int) -> list[Figure]:
    """Prefect's import, and its first task on a database that exists."""
    with tempfile.TemporaryDirectory() as folder:
        patience = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180"}
        settings = {"PREFECT_HOME": folder, "PREFECT_LOGGING_LEVEL": "ERROR", **patience}
        first_task(python, PREFECT, **settings)  # it makes its database
        ways: dict[str, Callable[[], float]] = {
            "bare": lambda: cpu(python, "pass"),
            "import": lambda: cpu(python, "from prefect import flow, task"),
            "task": lambda: first_task(python, PREFECT, **settings),
        }
        medians = {name: median(found) for name, found in in_turn(rounds, ways).items()}
    return [
        Figure("import prefect, CPU", medians["import"] - medians["bare"], "s"),
        Figure("first task, prefect", medians["task"], "s", note="its database exists"),
    ]


def main() -> None:
    parser = options(__doc__, rounds=11)
    parser.add_argument("--prefect-python", metavar="PATH", help="an interpreter with Prefect")
    told = parser.parse_args()
    figures = measure(told.rounds)
    if told.prefect_python:
        theirs = measure_prefect(told.prefect_python, min(3, told.rounds))
        for each, ours in zip(theirs, (figures[1], figures[3]), strict=True):
            each.note = f"{each.value / ours.value:.1f} x ours; {each.note}".rstrip("; ")
        figures += theirs
    show(f"Cold processes: medians of {told.rounds} rounds", figures, told.json)


if __name__ == "__main__":
    main()
