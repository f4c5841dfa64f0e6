"""No-op steps in one DBOS workflow on a SQLite file, as shipped.

Started by task_overhead.py under an interpreter that has DBOS. Argument: a folder for its data.
Reads {"tasks": n, "submitted": bool} lines, answers each with a line: seconds until the workflow
returned, and steps recorded in the file at that moment.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
import uuid
from importlib.metadata import version
from pathlib import Path

from dbos import DBOS, SetWorkflowID

FILE = Path(sys.argv[1], "dbos.sqlite")
DBOS(
    config={
        "name": "benchmark",
        "system_database_url": f"sqlite:///{FILE}",
        "log_level": "ERROR",
        "run_admin_server": False,
    }
)


@DBOS.step()
def noop() -> None:
    pass


@DBOS.step()
async def noop_async() -> None:
    pass


@DBOS.workflow()
def sequential(count: int) -> None:
    for _ in range(count):
        noop()


@DBOS.workflow()
async def at_once(count: int) -> None:
    await asyncio.gather(*(noop_async() for _ in range(count)))


def recorded(workflow: str) -> int:
    """The steps of the workflow that the file holds."""
    reader = sqlite3.connect(f"file:{FILE}?mode=ro", uri=True, timeout=60)
    sql = "SELECT count(*) FROM operation_outputs WHERE workflow_uuid = ?"
    try:
        return int(reader.execute(sql, (workflow,)).fetchone()[0])
    finally:
        reader.close()


def measure(tasks: int, submitted: bool) -> dict[str, float]:
    workflow = str(uuid.uuid4())
    started = time.perf_counter()
    with SetWorkflowID(workflow):
        if submitted:
            asyncio.run(at_once(tasks))
        else:
            sequential(tasks)
    took = time.perf_counter() - started
    return {"seconds": took, "durable": recorded(workflow), "settled": took}


DBOS.launch()
measure(20, False)
measure(20, True)
print(json.dumps({"version": version("dbos")}), flush=True)
for line in sys.stdin:
    print(json.dumps(measure(**json.loads(line))), flush=True)
DBOS.destroy()
