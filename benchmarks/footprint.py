"""What a finished task leaves behind: bytes in the file, and bytes of memory in the process.

A long flow of no-op tasks runs in a process of its own, once task by task and once in batches
that are submitted and waited for. The file is measured after the log was moved into it, without
VACUUM. Memory is what the operating system counts as resident. It grows until SQLite's page
cache of 16 MB is full, after some 35,000 tasks; for a flow that never ends it must be flat from
then on, so the growth in the second half of the flow is shown as well.

    python benchmarks/footprint.py                  # a task's share, the cache included
    python benchmarks/footprint.py --tasks 100000   # is it flat in the end?
"""

from __future__ import annotations

import gc
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from _measure import Figure, environment, in_turn, median, options, resident, show

BATCH = 1000


def live(submitted: bool, tasks: int) -> None:
    """In the child: the flow; prints memory after each half of it, and bytes per task."""
    from orion_nb import connect, flow, task, wait

    @task
    def noop() -> None:
        pass

    def run(count: int) -> None:
        if not submitted:
            for _ in range(count):
                noop()
            return
        while count > 0:
            wait([noop.submit() for _ in range(min(BATCH, count))])
            count -= BATCH

    memory = []

    @flow
    def long() -> None:
        for _ in range(2):
            run(tasks // 2)
            gc.collect()
            memory.append(resident())

    @flow
    def warm_up() -> None:
        run(BATCH)

    warm_up()
    before, size = resident(), file_size(connect().settings.database_path)
    long()
    grown = file_size(connect().settings.database_path) - size
    print(json.dumps({"disk": grown / tasks, "memory": [before, *memory]}))


def file_size(path: Path) -> int:
    """The bytes of the database once nothing waits in its log."""
    connection = sqlite3.connect(path, timeout=60)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return path.stat().st_size


class Lives:
    """The figures of the children that lived the long flow in one of the two ways."""

    def __init__(self, word: str, tasks: int) -> None:
        self.word, self.tasks = word, tasks
        self.disk: list[float] = []
        self.memory: list[float] = []
        self.late: list[float] = []

    def __call__(self) -> float:
        with tempfile.TemporaryDirectory() as home:
            command = [sys.executable, __file__, "--child", self.word, "--tasks", str(self.tasks)]
            done = subprocess.run(
                command, env=environment(ORION_NB_HOME=home), stdout=subprocess.PIPE, check=True
            )
        told = json.loads(done.stdout)
        before, half, end = told["memory"]
        self.disk.append(told["disk"])
        self.memory.append((end - before) / self.tasks)
        self.late.append((end - half) / (self.tasks - self.tasks // 2))
        return self.disk[-1]

    def figures(self) -> list[Figure]:
        found = {"disk": self.disk, "memory": self.memory, "memory, second half": self.late}
        return [
            Figure(f"{self.word}: {name}", median(each), "bytes/task", median(each) / 1024)
            for name, each in found.items()
        ]


def main() -> None:
    """Prints medians in bytes per task; the ratio is to 1 KB."""
    parser = options(__doc__, rounds=3)
    parser.add_argument("--tasks", type=int, default=20_000, help="default 20000")
    parser.add_argument("--child", choices=("sequential", "submitted"), help="used by the script")
    told = parser.parse_args()
    if told.child:
        live(told.child == "submitted", told.tasks)
        return
    ways = [Lives("sequential", told.tasks), Lives("submitted", told.tasks)]
    turns: dict[str, Callable[[], float]] = {way.word: way for way in ways}
    in_turn(told.rounds, turns)
    figures = [figure for way in ways for figure in way.figures()]
    title = f"{told.tasks} finished no-op tasks, against 1 KB each: medians of {told.rounds} rounds"
    show(title, figures, told.json)


if __name__ == "__main__":
    main()
