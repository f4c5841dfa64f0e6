"""No-op tasks in one Prefect flow, as a user would run it: its own server on a SQLite file.

Started by task_overhead.py under an interpreter that has Prefect. Argument: a folder for its data.
Reads {"tasks": n, "submitted": bool} lines, answers each with a line: seconds until the flow
returned, task runs Completed in the file at that moment, seconds until all of them were.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from pathlib import Path

HOME = Path(sys.argv[1], "prefect")
os.environ |= {
    "PREFECT_HOME": str(HOME),
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}

import prefect  # noqa: E402
from prefect import flow, task  # noqa: E402
from prefect.context import get_run_context  # noqa: E402
from prefect.futures import wait  # noqa: E402


@task
def noop() -> None:
    pass


@flow
def sequential(count: int) -> str:
    for _ in range(count):
        noop()
    return str(get_run_context().flow_run.id)


@flow
def at_once(count: int) -> str:
    wait([noop.submit() for _ in range(count)])
    return str(get_run_context().flow_run.id)


def completed(flow_run: str) -> int:
    """The task runs of the flow run that the file holds as completed."""
    reader = sqlite3.connect(f"file:{HOME / 'prefect.db'}?mode=ro", uri=True, timeout=60)
    sql = (
        "SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED' "
        "AND replace(lower(flow_run_id), '-', '') = ?"
    )
    try:
        return int(reader.execute(sql, (flow_run.replace("-", ""),)).fetchone()[0])
    finally:
        reader.close()


def measure(tasks: int, submitted: bool) -> dict[str, float]:
    chosen = at_once if submitted else sequential
    started = time.perf_counter()
    flow_run = chosen(tasks)
    took = time.perf_counter() - started
    durable = completed(flow_run)
    while completed(flow_run) < tasks and time.perf_counter() - started < took + 300:
        time.sleep(0.05)
    return {"seconds": took, "durable": durable, "settled": time.perf_counter() - started}


measure(20, False)
measure(20, True)
print(json.dumps({"version": prefect.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(measure(**json.loads(line))), flush=True)
