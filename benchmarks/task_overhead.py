"""What a no-op task costs, against the least that two durable commits cost in the same process.

The floor is a loop over plain sqlite3 that does for each task what any durable orchestrator has
to: one transaction when the task starts (its row, two states), one when it ends (a state, the row
updated), in WAL mode with the same durability. Each is measured once a round, in turn; medians
and the ratio of medians to the floor are printed, from the first call to the flow's return.

    python benchmarks/task_overhead.py
    python benchmarks/task_overhead.py --prefect-python ~/prefect/bin/python \
        --dbos-python ~/dbos/bin/python

An interpreter that has Prefect or DBOS runs the same flow in a process of its own, warmed up
likewise; how many tasks its file holds when the flow returns is said beside the figure.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _measure import Figure, Peer, in_turn, median, options, show

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


def anew(way: Callable[[Path], float]) -> Callable[[], float]:
    """The way is measured on a new file each time."""

    def measure() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return way(Path(folder))

    return measure


class Rounds:
    """A peer's sequential or submitted flow; remembers what its file held when it returned."""

    def __init__(self, peer: Peer, tasks: int, submitted: bool) -> None:
        self.peer, self.tasks, self.submitted = peer, tasks, submitted
        self.found: list[dict[str, float]] = []

    def __call__(self) -> float:
        self.found.append(self.peer.round(tasks=self.tasks, submitted=self.submitted))
        return self.found[-1]["seconds"] / self.tasks

    @property
    def note(self) -> str:
        durable = median([each["durable"] for each in self.found])
        told = f"{durable:.0f} of {self.tasks} tasks in its file when the flow returned"
        if durable < self.tasks:
            settled = median([each["settled"] for each in self.found]) / self.tasks
            told += f"; {settled * 1000:.1f} ms/task until all were"
        return told


def main() -> None:
    """Measures in turn and prints medians in milliseconds and ratios to the floor."""
    parser = options(__doc__, rounds=5)
    parser.add_argument("--tasks", type=int, default=1000, help="default 1000")
    parser.add_argument("--peer-tasks", type=int, default=200, help="those of peers; default 200")
    parser.add_argument("--prefect-python", metavar="PATH", help="an interpreter with Prefect")
    parser.add_argument("--dbos-python", metavar="PATH", help="an interpreter with DBOS")
    told = parser.parse_args()
    ways: dict[str, Callable[[], float]] = {
        "raw sqlite3 loop": anew(lambda folder: floor(folder, told.tasks)),
        "sequential": anew(lambda folder: ours(folder, told.tasks, submitted=False)),
        "submitted": anew(lambda folder: ours(folder, told.tasks, submitted=True)),
    }
    notes = dict.fromkeys(("sequential", "submitted"), "all tasks in the file when it returned")
    with tempfile.TemporaryDirectory() as folder:
        peers: list[Peer] = []
        for name, python in (("prefect", told.prefect_python), ("dbos", told.dbos_python)):
            if python:
                peers.append(Peer(python, f"{name}_tasks.py", Path(folder, name)))
                for word in ("sequential", "submitted"):
                    label = f"{name} {peers[-1].about['version']} {word}"
                    ways[label] = Rounds(peers[-1], told.peer_tasks, word == "submitted")
        medians = {name: median(found) for name, found in in_turn(told.rounds, ways).items()}
        for peer in peers:
            peer.close()
    for name, way in ways.items():
        if isinstance(way, Rounds):
            ours_too = medians["submitted" if way.submitted else "sequential"]
            notes[name] = f"{medians[name] / ours_too:.1f} x ours; {way.note}"
    least = medians["raw sqlite3 loop"]
    figures = [
        Figure(name, value * 1000, "ms/task", value / least, notes.get(name, ""))
        for name, value in medians.items()
    ]
    show(f"No-op tasks in one flow: medians of {told.rounds} rounds", figures, told.json)


if __name__ == "__main__":
    main()
