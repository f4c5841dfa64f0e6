"""What a no-op task costs, against the least that two durable commits cost in the same process.

The floor is a loop over plain sqlite3 that does for each task what any durable orchestrator has
to: one transaction when the task starts (its row, two states), one when it ends (a state, the row
updated), in WAL mode with the same durability. Both write to a new file in the same folder, in
turn, several times; medians and the ratio of medians are printed.

    python benchmarks/task_overhead.py [--tasks 1000] [--rounds 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SCHEMA = """
CREATE TABLE runs (id BLOB PRIMARY KEY, name TEXT, root BLOB, state TEXT, started INT, ended INT)
    WITHOUT ROWID;
CREATE INDEX runs_by_root ON runs (root, id);
CREATE TABLE states
    (n INTEGER PRIMARY KEY, run BLOB, seq INT, type TEXT, at INT, UNIQUE (run, seq));
"""


def floor(folder: Path, tasks: int) -> float:
    """Seconds per task of the raw loop."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("PRAGMA synchronous=normal")
    connection.executescript(SCHEMA)
    root = os.urandom(16)
    insert = "INSERT INTO states (run, seq, type, at) VALUES (?, ?, ?, ?)"
    started = time.perf_counter()
    for _ in range(tasks):
        run, now = time.time_ns().to_bytes(8, "big") + os.urandom(8), time.time_ns() // 1000
        connection.execute("BEGIN IMMEDIATE")
        row = (run, "noop", root, "RUNNING", now, None)
        connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", row)
        rows = [(run, 1, "PENDING", now), (run, 2, "RUNNING", now)]
        connection.executemany(insert, rows)
        connection.execute("COMMIT")
        now = time.time_ns() // 1000
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE runs SET state='COMPLETED', ended=? WHERE id=?", (now, run))
        connection.execute(insert, (run, 3, "COMPLETED", now))
        connection.execute("COMMIT")
    took = time.perf_counter() - started
    connection.close()
    return took / tasks


def ours(folder: Path, tasks: int, *, submitted: bool) -> float:
    """Seconds per task of a flow of no-op tasks, every transition in the file before it goes on."""
    os.environ["ORION_NB_HOME"] = str(folder)
    from orion_nb import connect, flow, task, wait

    @task
    def noop() -> None:
        pass

    @flow
    def sequential(count: int) -> None:
        for _ in range(count):
            noop()

    @flow
    def at_once(count: int) -> None:
        wait([noop.submit() for _ in range(count)])

    chosen: Callable[[int], None] = at_once if submitted else sequential
    chosen(20)
    started = time.perf_counter()
    chosen(tasks)
    took = time.perf_counter() - started
    kept = connect().count_runs(kind="task")["counts"]
    assert kept == {"COMPLETED": tasks + 20}, kept
    connect().close()
    return took / tasks


def main() -> None:
    """Measures in turn and prints medians in milliseconds and ratios to the floor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    figures: dict[str, list[float]] = {"raw sqlite3 loop": [], "sequential": [], "submitted": []}
    for _ in range(told.rounds):
        with tempfile.TemporaryDirectory() as folder:
            one, two, three = (Path(folder, name) for name in ("floor", "one", "many"))
            one.mkdir()
            figures["raw sqlite3 loop"].append(floor(one, told.tasks))
            figures["sequential"].append(ours(two, told.tasks, submitted=False))
            figures["submitted"].append(ours(three, told.tasks, submitted=True))
    medians = {name: statistics.median(values) * 1000 for name, values in figures.items()}
    least = medians["raw sqlite3 loop"]
    if told.json:
        rows = {name: {"ms": value, "ratio": value / least} for name, value in medians.items()}
        print(json.dumps({"tasks": told.tasks, "rounds": told.rounds, "figures": rows}))
        return
    print(f"{told.tasks} no-op tasks in one flow, {told.rounds} rounds, medians")
    for name, value in medians.items():
        print(f"  {name:18} {value:7.3f} ms/task   {value / least:5.2f} x the loop")


if __name__ == "__main__":
    main()
