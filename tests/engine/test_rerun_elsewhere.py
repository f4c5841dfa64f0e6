"""A run whose process is gone is run once more: by another process, and by one only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orion_nb import connect
from orion_nb.clock import SECOND
from orion_nb.errors import Conflict

#: A flow of two tasks; what is executed is written to a file. `how` says what it does then.
FLOW = """
import sys, time
from pathlib import Path
from orion_nb import flow, task

how = sys.argv[1]
retries = int(sys.argv[2]) if how == "fail" else 0

def log(text):
    with open("log", "a") as file:
        file.write(f"{text}\\n")

@task
def load(day):
    log(f"load {day}")
    return {"day": day, "rows": [1, 2]}

@task
def publish(rows):
    log("publish")
    if how == "fail":
        raise ValueError("no")
    if how == "hang":
        Path("hangs").touch()
        time.sleep(60)
    return len(rows)

@flow(name="etl", retries=retries, retry_delay=1.5)
def etl(day, *, options=None):
    log(f"etl {day} {options}")
    data = load(day)
    options.append("changed by the body")
    return publish(data["rows"])
"""
RUN = """
    from steps import etl
    etl.run("2021-10-05", options=["all"])
"""
RERUN = """
    import sys
    from steps import etl
    try:
        print(etl.rerun(sys.argv[2]))
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.fixture(autouse=True)
def steps(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(FLOW)


@pytest.fixture
def log(tmp_path: Path) -> Any:
    return lambda: (tmp_path / "log").read_text().splitlines()


FIRST = ["etl 2021-10-05 ['all']", "load 2021-10-05", "publish"]
AGAIN = ["etl 2021-10-05 ['all']", "publish"]


def test_a_failed_run_is_rerun_in_another_process(
    told: Any, script: Any, finish: Any, log: Any
) -> None:
    finish(script(RUN, "fail", 0))
    run = told.run("etl").id
    assert finish(script(RERUN, "rerun", run)) == "2\n"
    assert log() == FIRST + AGAIN
    assert told.names("etl") == ["Pending", "Running", "Failed", "Rerunning", "Completed"]
    assert [told.run(name).attempt for name in ("etl", "load", "publish")] == [2, 1, 2]


def test_a_killed_run_is_rerun_with_the_inputs_it_had(
    told: Any, script: Any, finish: Any, until: Any, log: Any, tmp_path: Path
) -> None:
    process = script(RUN, "hang")
    until(lambda: (tmp_path / "hangs").exists())
    run = told.run("etl").id
    busy = finish(script(RERUN, "rerun", run))
    assert busy.startswith("Conflict"), busy
    process.kill()
    process.wait()
    assert finish(script(RERUN, "rerun", run)) == "2\n"
    assert log() == FIRST + AGAIN
    assert told.names("etl") == ["Pending", "Running", "Crashed", "Rerunning", "Completed"]
    assert told.names("publish")[2] == "Crashed"
    assert told.run("etl").parameters["day"] == "2021-10-05"


def test_a_run_that_was_set_completed_by_hand_is_rerun(
    told: Any, script: Any, finish: Any, log: Any
) -> None:
    finish(script(RUN, "fail", 0))
    publish = told.run("publish").id
    connect().propose(publish, "COMPLETED", force=True, why="by hand", result='{"inline":9}')
    assert finish(script(RERUN, "rerun", told.run("etl").id)) == "9\n"
    assert log() == [*FIRST, AGAIN[0]]


def test_a_retry_is_taken_over_once_at_its_time_by_one_of_two(
    told: Any, script: Any, finish: Any, until: Any, log: Any
) -> None:
    process = script(RUN, "fail", 1)
    until(lambda: connect().filter_runs(name="etl", states=["AwaitingRetry"])["runs"])
    process.kill()
    process.wait()
    run = told.run("etl").id
    due = told.run("etl").state.scheduled_time
    both = sorted(finish(each) for each in [script(RERUN, "rerun", run) for _ in range(2)])
    assert both[0] == "2\n"
    assert both[1].split()[0] in ("RunStopped", "Conflict")
    assert log() == FIRST + AGAIN
    states = told.states("etl")
    assert [state.name for state in states] == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "Completed",
    ]  # fmt: skip
    assert due <= states[3].timestamp < due + SECOND


def test_a_run_of_this_process_that_goes_on_is_not_rerun(told: Any) -> None:
    from orion_nb import flow, get_run_context

    @flow
    def etl() -> None:
        with pytest.raises(Conflict, match="is Running: cancel it, or wait for its end"):
            etl.rerun(get_run_context().run.id)

    etl()
    assert told.run("etl").attempt == 1
