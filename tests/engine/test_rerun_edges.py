"""Runs that are run once more in the ways people do: without arguments, by command, as scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orion_nb import connect, flow, task
from orion_nb.errors import Conflict
from orion_nb.rules import Abort, rule

ETL = """
from pathlib import Path
from orion_nb import flow, task

@task
def extract():
    with open("extracted", "a") as file:
        file.write("x")
    return [1, 2]

@task
def load(rows):
    if not Path("may load").exists():
        raise OSError("not yet")
    return sum(rows)

@flow
def etl(day="today"):
    return load(extract())

if __name__ == "__main__":
    etl()
"""


def test_a_flow_called_with_its_defaults_is_rerun_with_them() -> None:
    days = []

    @flow
    def daily(day: str = "today") -> str:
        days.append(day)
        if len(days) == 1:
            raise OSError("no answer")
        return day

    with pytest.raises(OSError, match="no answer"):
        daily()
    assert daily.rerun("daily") == "today"


def test_a_scripts_run_is_rerun_by_command_without_doing_again_what_completed(
    tmp_path: Path,
) -> None:
    (tmp_path / "etl.py").write_text(ETL)
    assert subprocess.run([sys.executable, "etl.py"], cwd=tmp_path, check=False).returncode == 1
    (tmp_path / "may load").touch()
    command = [sys.executable, "-m", "orion_nb", "runs", "rerun", "etl", "--code", "etl.py:etl"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "extracted").read_text() == "x"
    kept = connect().filter_runs(kind="task")["runs"]
    assert {run["name"]: run["attempt"] for run in kept} == {"extract": 1, "load": 2}


def test_a_large_cached_result_is_kept(told: Any) -> None:
    @task(cache=True)
    def large() -> bytes:
        return bytes(2_000_000)

    assert large() == large()
    assert [run.state.name for run in told.runs("large")] == ["Completed", "Cached"]


def test_what_a_rule_lets_never_start_does_not_stay_open(told: Any) -> None:
    @rule(entering=["RUNNING"])
    def no_fridays(t: Any) -> Abort:
        """Nothing starts on a Friday."""
        return Abort("it is Friday")

    connect().use(no_fridays)
    ending = task(lambda: 1, name="work").run()
    assert (ending.name, ending.message) == ("Cancelled", "it is Friday")
    assert told.names("work") == ["Pending", "Cancelled"]


def test_only_a_paused_run_is_resumed() -> None:
    orion = connect()
    run = orion.create_run("flow", "waits")
    with pytest.raises(Conflict, match="is not paused: it is Pending"):
        orion.resume(run.id)
    assert orion.find(run.id).state.name == "Pending"


def test_a_limit_counts_what_runs_when_it_is_set() -> None:
    orion = connect()
    first = orion.create_run("task", "one", tags=["gpu"], state="RUNNING")
    assert orion.set_limit("tag:gpu", 1)["used"] == 1
    second = orion.create_run("task", "two", tags=["gpu"], state="RUNNING")
    assert second.state.name == "AwaitingSlot"
    orion.propose(first.id, "COMPLETED", attempt=first.attempt, token=first.token)
    assert orion.propose(second.id, "RUNNING").status == "ACCEPT"
