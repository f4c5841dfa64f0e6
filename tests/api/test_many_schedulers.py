"""Three schedulers in processes of their own, on one database: each due instant has one run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from orion_nb.clock import SECOND
from orion_nb.store.listing import RunFilter

DUE = int(os.environ.get("ORION_SCHEDULERS_DUE", "1000"))

SCHEDULER = """
import sys
from datetime import datetime
from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.settings import Settings

orion = Orion(Settings.load())
print("ready", flush=True)
sys.stdin.readline()
with clock.frozen(int(sys.argv[1])):
    print(sum(len(orion.schedule_due()) for _ in range(3)), flush=True)
"""


def test_each_instant_has_exactly_one_run(orion: Any, deploy: Any, clock: Any, home: Any) -> None:
    """Half of them are one deployment each; the others are many instants that were missed."""
    each, missed = DUE // 2, DUE // 2 // 50
    for number in range(each):
        deploy(f"one {number}", schedules=["0 10 * * *", "FREQ=DAILY;BYHOUR=10"])
    for number in range(missed):
        deploy(f"all {number}", schedules=["72s"], catch_up="all", catch_up_max=50)
    clock.advance(3600)
    command = [sys.executable, "-c", SCHEDULER, str(clock.at)]
    environ = {**os.environ, "ORION_NB_HOME": str(home)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, env=environ, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    try:
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        made = [int(process.stdout.readline()) for process in started]
    finally:
        for process in started:
            process.stdin.close()
            process.stdout.close()
            process.wait(timeout=60)
    runs = []
    for name in orion.all_deployments()["deployments"]:
        listed = orion.list_runs(RunFilter(kind="flow", deployment=name["id"]), 200)
        passed = [run for run in listed if run.state.name == "Skipped"]  # of 51 one is too much
        assert len(passed) == (not name["name"].startswith("one"))
        listed = [run for run in listed if run not in passed]
        slots = [run.scheduled_time for run in listed]
        count = 1 if name["name"].startswith("one") else 50
        assert len(slots) == len(set(slots)) == count, name["name"]
        assert max(slots) == clock.at
        assert count == 1 or sorted(slots)[0] == clock.at - 49 * 72 * SECOND
        runs += listed
    assert sum(made) == len(runs) == each + missed * 50
