"""Flows of Python files as deployments: on real workers, in processes of their own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from orion_nb.deployments.sweeping import ATTEMPT_VARIABLE, marked
from orion_nb.errors import (
    FlowNotFound,
    InvalidNotebook,
    NotebookNotFound,
    ParameterError,
    UnknownParameter,
)
from orion_nb.store.listing import RunFilter

pytestmark = pytest.mark.slow

ETL = """\
import os, subprocess, sys, time
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from neighbour import DOUBLE
from orion_nb import flow, stop, task

class Color(Enum):
    RED = "red"

@task
def double(x):
    with open("doubled", "a") as file:
        file.write(f"{x} ")
    return DOUBLE * x

def sleep():
    Path("asleep").touch()
    time.sleep(60)

def doggedly():
    subprocess.Popen(["sleep", "120"], start_new_session=True)
    while True:
        try:
            sleep()
        except BaseException:
            pass

@flow(retries=1, tags=["etl"], name="another name")
def etl(day: date, n: int = 3, color: Color = Color.RED, wait: timedelta = None, how: str = ""):
    print("day is", repr(day), color, wait)
    found = sum(double(x) for x in range(n))
    if how == "fail once" and not Path("failed").exists():
        Path("failed").touch()
        raise ValueError("not now")
    if how == "exit": sys.exit(3)
    if how == "vanish": os._exit(4)
    if how == "die": os.kill(os.getpid(), 9)
    if how == "stop": stop("enough")
    if how == "sleep": sleep()
    if how == "doggedly": doggedly()
    return found

@flow
async def waits(x: int):
    return x + 1
"""


@pytest.fixture
def etl(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "neighbour.py").write_text("DOUBLE = 2", "utf-8")
    (folder / "json.py").write_text("raise SystemError('not the json of the library')", "utf-8")
    path = folder / "etl.py"
    path.write_text(ETL, "utf-8")
    return path


def said(orion, run):
    return [line["message"] for line in orion.read_logs(run.id, tree=True)["lines"]]


def deployed(orion, etl, **fields):
    given = {"parameters": {"day": "2024-02-29"}, "update": True, **fields}
    return orion.create_deployment("etl", f"{etl}:etl", **given)


def test_the_run_of_the_deployment_is_the_run_of_the_flow(orion, etl, worker, ended):
    told = deployed(orion, etl)
    assert (told["path"], told["flow"], told["retries"]) == (str(etl), "etl", 1)
    assert told["tags"] == ["etl"]
    given = {"color": "RED", "n": "4", "wait": "15m"}
    ways = ("", "fail once", "stop", "exit", "vanish", "die")
    runs = {how: orion.run_deployment("etl", {**given, "how": how}) for how in ways}
    after = {how: ended(run) for how, run in runs.items()}
    assert {how: str(run.state) for how, run in after.items()} == {
        "": "Completed",
        "fail once": "Completed",
        "stop": "Completed: stopped early: enough",
        "exit": "Failed: SystemExit: 3",
        "vanish": "Crashed: flow exited with code 4 before it ended",
        "die": "Crashed: flow killed by signal 9 before it ended",
    }
    assert orion.load(after[""].state.result) == 12
    tasks = orion.list_runs(RunFilter(kind="task", root=runs[""].id), 100)
    assert [(task.name, task.parent) for task in tasks] == [("double", runs[""].id)] * 4
    assert "day is datetime.date(2024, 2, 29) Color.RED 0:15:00" in said(orion, runs[""])
    assert "ValueError: not now" in "".join(said(orion, runs["fail once"]))
    attempts = {how: run.attempt for how, run in after.items()}
    assert (attempts["fail once"], attempts["exit"], attempts["die"]) == (2, 2, 1)
    # What the first attempt has completed was not executed again.
    tasks = orion.list_runs(RunFilter(kind="task", root=runs["fail once"].id), 100)
    assert [task.attempt for task in tasks] == [1] * 4


def test_a_schedule_runs_it_and_what_is_async_is_awaited(orion, etl, worker, eventually):
    orion.create_deployment("waits", f"{etl}:waits", parameters={"x": 1}, schedules=["1s"])
    chosen = RunFilter(states=("COMPLETED",), deployment=orion.deployment_id("waits"))
    done = eventually(lambda: orion.list_runs(chosen, 10))
    orion.pause_deployment("waits")
    assert orion.load(done[0].state.result) == 2


def test_cancelled_timed_out_and_orphaned_ones_leave_no_process(
    orion, etl, worker, ended, eventually, processes
):
    deployed(orion, etl, timeout="3s", retries=0)
    late = orion.run_deployment("etl", {"how": "sleep"})
    assert str(ended(late).state) == "TimedOut: the run took longer than 3 s"
    deployed(orion, etl, timeout="60s", retries=0)
    (etl.parent / "asleep").unlink(missing_ok=True)  # a busy machine may take 3 s to get there
    asked = orion.run_deployment("etl", {"how": "sleep"})
    eventually((etl.parent / "asleep").exists)
    orion.cancel(asked.id, why="enough")
    assert ended(asked).state.name == "Cancelled"
    (etl.parent / "asleep").unlink()
    orphan = orion.run_deployment("etl", {"how": "doggedly"})
    eventually((etl.parent / "asleep").exists)
    ours = set(marked(ATTEMPT_VARIABLE, orphan.id))
    (flow,) = [pid for pid, told in processes().items() if "flow.py" in told and pid in ours]
    assert len(list(marked(ATTEMPT_VARIABLE, orphan.id))) >= 2  # the flow, and its sleep
    runner = Path(f"/proc/{flow}/stat").read_text("utf-8").rpartition(")")[2].split()[1]
    os.kill(int(runner), signal.SIGKILL)
    assert ended(orphan).state.name in ("Crashed", "Lost")
    runs = (late.id, asked.id, orphan.id)
    left = [lambda run=run: not list(marked(ATTEMPT_VARIABLE, run)) for run in runs]
    assert all(eventually(gone, "no process is left") for gone in left)


def test_what_can_not_be_run_is_refused_when_it_is_deployed(orion, etl):
    with pytest.raises(FlowNotFound, match=r"no flow 'elt' in etl.py \(did you mean 'etl'\?\)"):
        orion.create_deployment("x", f"{etl}:elt")
    with pytest.raises(NotebookNotFound, match=r"did you mean 'etl.py'\?"):
        orion.create_deployment("x", f"{etl.with_name('elt.py')}:etl")
    with pytest.raises(ParameterError, match="day: Input should be a valid date, got '2024-02-30'"):
        deployed(orion, etl, parameters={"day": "2024-02-30"})
    with pytest.raises(
        UnknownParameter, match=r"'dya' is unknown; .* \(flow takes: day: date, n: int = 3"
    ):
        deployed(orion, etl, parameters={"dya": "2024-02-29"})
    with pytest.raises(ParameterError, match="day: a value is required"):
        deployed(orion, etl, parameters={})
    with pytest.raises(FlowNotFound, match="name the flow"):
        orion.create_deployment("x", str(etl))
    etl.write_text("@flow\ndef etl(:", "utf-8")
    with pytest.raises(InvalidNotebook, match=r"etl.py, line 2"):
        orion.create_deployment("x", f"{etl}:etl")


def test_what_can_not_be_run_any_more_says_so_in_its_run(orion, etl, worker, ended):
    deployed(orion, etl, retries=0)
    first = orion.run_deployment("etl")
    assert ended(first).state.name == "Completed"
    etl.write_text("import nowhere_at_all\n" + ETL, "utf-8")
    broken = ended(orion.run_deployment("etl"))
    assert broken.state.name == "Failed"
    assert "No module named 'nowhere_at_all'" in broken.state.message
    etl.write_text(ETL.replace("day: date,", "day: date, other: str,"), "utf-8")
    with pytest.raises(ParameterError, match="other: a value is required"):
        orion.run_deployment("etl")


def test_python_deploys_a_flow_and_a_notebook(orion, etl, write_notebook, code, monkeypatch):
    from orion_nb import deploy
    from orion_nb.engine.loading import load_flow

    told = deploy(
        f"{etl}:etl", params={"day": "2024-02-29"}, cron="0 7 * * 1-5", tz="Europe/Prague"
    )
    assert (told["name"], told["schedules"][0]["timezone"]) == ("etl", "Europe/Prague")
    monkeypatch.syspath_prepend(str(etl.parent))
    found = load_flow(etl, "waits").deploy(every=["1h", "2h"], params={"x": 3}, paused=True)
    assert (found["flow"], found["paused"], len(found["schedules"])) == ("waits", True, 2)
    path = write_notebook(code("limit: int = 1", "parameters"), name="daily")
    told = deploy(path, params={"limit": 5}, at="2040-01-31T09:00", retries=2)
    assert (told["name"], told["parameters"], told["retries"]) == ("daily", {"limit": 5}, 2)


HOOKED = """\
import os, time
from pathlib import Path
from orion_nb import flow

seen = []

def note(run, report):
    seen.append(f"{os.getpid()} {run.state.name}/{report.status}")
    Path(f"seen {run.id} {run.attempt}").write_text("\\n".join(seen))

def breaks(run, report):
    raise ValueError("not me")

@flow(on_change=[breaks, note], retries=1)
def hooked(how: str = ""):
    Path("at work").touch()
    if how == "sleep": time.sleep(60)
    if how == "die": os._exit(3)
    if how == "fail once" and not Path("failed").exists():
        Path("failed").touch()
        raise ValueError("not now")
"""


def test_on_change_of_the_flow_hears_of_its_own_run(orion, tmp_path, worker, ended, eventually):
    path = tmp_path / "hooked.py"
    path.write_text(HOOKED, "utf-8")
    orion.create_deployment("hooked", f"{path}:hooked")

    def heard(how, last, attempt=1, cancel=False):
        """What the functions saw of an attempt, in one process."""
        (tmp_path / "at work").unlink(missing_ok=True)
        run = orion.run_deployment("hooked", {"how": how})
        if cancel:
            eventually((tmp_path / "at work").exists)
            orion.cancel(run.id)
        seen = tmp_path / f"seen {run.id} {attempt}"
        eventually(lambda: seen.exists() and last in seen.read_text("utf-8"))
        assert ended(run).state.is_terminal
        lines = [line.split() for line in seen.read_text("utf-8").splitlines()]
        assert len({pid for pid, _ in lines}) == 1
        return [told for _, told in lines]

    assert heard("", "Completed") == ["Running/ACCEPT", "Completed/ACCEPT"]
    assert heard("fail once", "Retry") == ["Running/ACCEPT", "AwaitingRetry/REJECT"]
    (tmp_path / "failed").unlink()
    assert heard("fail once", "Completed", 2) == ["Retrying/ACCEPT", "Completed/ACCEPT"]
    assert heard("sleep", "Cancelled", cancel=True)[-1].startswith("Cancelled/")
    # A process that is gone hears nothing: another one is told, and calls nothing else.
    assert heard("die", "Crashed") == ["Crashed/ACCEPT"]
