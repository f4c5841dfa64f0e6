"""Runs are cancelled, paused, resumed, rerun and set by command, while they really run."""

from __future__ import annotations

import os
import pty
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orion_nb import flow, task
from orion_nb.api.orion import Orion
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import RUNNING, SCHEDULED
from tests.waiting import until

FLOWS = """
import time
from pathlib import Path
from typing import Literal
from pydantic import BaseModel, Field
from orion_nb import flow, pause, task

HERE = Path(__file__).parent

class Plan(BaseModel):
    size: Literal["small", "big"] = Field(description="how large it is to be")
    rows: int = Field(100, le=500)
    note: str | None = None

@flow
def plan(table: str):
    told = pause(f"publish {table}?", input=Plan)
    return told.model_dump()

@flow
def bare():
    pause("go on?")

@task
def wait():
    while not (HERE / "go").exists():
        time.sleep(0.01)

@flow
def waits():
    wait()

@task
def load():
    with (HERE / "loads").open("a") as file:
        file.write("x")
    return [1, 2, 3]

@flow
def nightly(day: str):
    rows = load()
    if not (HERE / "fixed").exists():
        raise RuntimeError(f"no disk on {day}")
    return day, len(rows)

@flow
async def later(day: str):
    if not (HERE / "fixed").exists():
        raise RuntimeError("no disk")
    return day
"""


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    path = tmp_path / "etl.py"
    path.write_text(FLOWS, encoding="utf-8")
    return path


@pytest.fixture
def running(start: Any, here: Orion, flows: Path) -> Callable[..., Run]:
    """Starts a flow of the file in another process, and answers its run in the state awaited."""

    def begin(name: str, state: str, *args: str, of: str | None = None) -> Run:
        process = start("run", f"{flows}:{name}", *args)

        def found() -> Run | None:
            assert process.poll() is None, process.communicate()
            runs = here.filter_runs(name=of or name, states=[state])["runs"]
            return here.find(runs[0]["id"]) if runs else None

        until(found)
        return here.find(name)

    return begin


class Terminal:
    """A command in a terminal of its own: what it asks is awaited, and answered."""

    def __init__(self, *args: object) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "orion_nb", *map(str, args)])
        self.seen = ""

    def answer(self, asked: str, text: str) -> None:
        """When the question has come, the text is typed."""
        while asked not in self.seen:
            assert self._read(), self.seen
        self.seen = self.seen.partition(asked)[2]
        os.write(self._file, f"{text}\n".encode())

    def end(self) -> int:
        """The exit code, when it has ended."""
        while self._read():
            pass
        os.close(self._file)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        ready, _, _ = select.select([self._file], [], [], 60)
        assert ready, f"nothing came after {self.seen!r}"
        try:
            found = os.read(self._file, 4096)
        except OSError:  # Linux, when the other end is closed
            return False
        self.seen += found.decode("utf-8", "replace")
        return bool(found)


def ended(here: Orion, run: Run) -> Run:
    return until(lambda: (now := here.find(run.id)).state.is_terminal and now)


# -- cancel ----------------------------------------------------------------------------------------


def test_cancelling_says_what_became_of_the_runs_inside(call, here, running):
    run = running("waits", "RUNNING", of="wait")
    done = call("runs", "cancel", run.id, "--why", "wrong day", "--wait", "30s")
    assert done.code == 0
    assert "⊘ Cancelled" in done.out.splitlines()[0]
    assert "wrong day" in done.out
    assert "in it, wait" in done.out
    assert here.find(run.id).state.name == "Cancelled"


def test_cancelling_tells_the_same_as_json(call, here, running):
    run = running("waits", "RUNNING", of="wait")
    told = call("runs", "cancel", run.id, "--wait", "30s", "--json").json
    assert (told["run_id"], told["state"]["name"]) == (run.id, "Cancelled")
    assert [(each["name"], each["state"]["name"]) for each in told["inside"]] == [
        ("wait", "Cancelled")
    ]


def test_cancelling_does_not_wait_if_so_asked(call, here):
    run = here.create_run("flow", "driven", state=RUNNING)  # by somebody over HTTP
    done = call("runs", "cancel", run.id, "--wait", "0")
    assert done.code == 0
    assert "Code of 1 run has not stopped yet; `orion-nb runs why" in done.err


def test_a_wait_that_is_no_duration_is_a_usage_error(call, here):
    run = here.create_run("flow", "f")
    done = call("runs", "cancel", run.id, "--wait", "soon")
    assert done.code == 2
    assert "wait: 'soon' is not a duration" in done.err
    assert here.find(run.id).state.name == "Pending"


# -- pause and resume ------------------------------------------------------------------------------


def test_a_running_run_is_paused_and_goes_on(call, here):
    run = here.create_run("flow", "f", state=RUNNING)
    done = call("runs", "pause", "f", "--why", "disk is full")
    assert (done.code, here.find(run.id).state.message) == (0, "disk is full")
    assert f"orion-nb runs resume {run.id[-8:]}" in done.err
    assert call("runs", "resume", "f", "--input", "a=1").code == 2  # it asks for nothing
    assert call("runs", "resume", "f").code == 0
    assert here.find(run.id).state.name == "Running"


def test_what_does_not_run_is_not_paused(call, here):
    here.create_run("flow", "f")
    done = call("runs", "pause", "f")
    assert done.code == 1
    assert "only a running run can be paused" in done.out


@pytest.mark.parametrize("state", ["Pending", "Running"])
def test_what_is_not_paused_is_not_resumed(call, here, state):
    run = here.create_run("flow", "f", state=None if state == "Pending" else RUNNING)
    done = call("runs", "resume", "f")
    assert done.code == 1
    assert f"run {run.id[-8:]} is not paused: it is {state}" in done.err
    assert here.find(run.id).state.name == state


def test_a_paused_flow_is_resumed_from_another_process_with_what_it_asks_for(call, here, running):
    run = running("plan", "PAUSED", "-p", "table=orders")
    why = call("runs", "why", "plan").out
    assert "it asks for size (small or big), rows (integer, or else 100)" in why
    assert f"orion-nb runs resume {run.id[-8:]} --input size=small|big" in why
    done = call("runs", "resume", "plan", "-i", "size=big", "-i", "rows=12", "--json")
    assert (done.code, done.json["state"]["name"], done.json["token"]) == (0, "Running", None)
    assert here.load(ended(here, run).state.result) == {"size": "big", "rows": 12, "note": None}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "input: it asks for size (small or big): `orion-nb runs resume"),
        (["--input", "rows=3"], "input: it asks for size (small or big)"),
        (["--input", "size=huge"], "input.size: 'huge' is not one of ['small', 'big']"),
        (["--input", "size=big", "-i", "rows=x"], "input.rows: 'x' is not of type 'integer'"),
        (["--input", "size=big", "-i", "rows=900"], "input.rows: 900 is greater than"),
        (["--input", "colour=red"], "input.colour: not asked for; there are size, rows, note"),
        (["--input", "size"], "input: 'size' is no NAME=VALUE"),
        (["--input-json", "{size"], "input-json: it is no JSON"),
        (["--input-json", "[1]"], "input-json: expected an object of names and values"),
    ],
)
def test_a_wrong_answer_is_a_usage_error_and_the_run_stays_paused(call, here, plan, given, says):
    done = call("runs", "resume", plan.id, *given)
    assert done.code == 2
    assert says in done.err
    assert here.find(plan.id).state.name == "Paused"


@pytest.fixture
def plan(here: Orion) -> Run:
    """A paused run whose code is nowhere: nobody goes on with it."""
    from orion_nb.schemas.pauses import Pause
    from orion_nb.schemas.states import Paused

    schema = {
        "type": "object",
        "properties": {
            "size": {"enum": ["small", "big"]},
            "rows": {"type": "integer", "maximum": 500, "default": 100},
            "note": {"type": "string", "default": ""},
        },
        "required": ["size"],
    }
    run = here.create_run("flow", "plan", state=RUNNING)
    here.ask_pause(Pause(run.id, "pause", "publish?", schema, None, 1))
    return here.judge(run.id, Paused(message="publish?"))[0]


def test_answers_can_be_read_from_stdin_and_single_ones_laid_over_them(call, here, plan):
    both = ("--input-json", "-", "--input", "note=it=fine")
    assert call("runs", "resume", plan.id, *both, stdin='{"size": "big", "note": "x"}').code == 0
    assert here.find_pause(plan.id, "pause").input == {"size": "big", "note": "it=fine"}


def test_a_pause_that_is_over_ends_the_run(call, here):
    from orion_nb.schemas.states import Paused

    run = here.create_run("flow", "f", state=RUNNING)
    here.judge(run.id, Paused(1, message="in 1970"))
    done = call("runs", "resume", "f")
    assert done.code == 1
    assert "✖ TimedOut" in done.out


@pytest.mark.slow
def test_in_a_terminal_what_is_missing_is_asked_for_until_it_is_right(here, running):
    run = running("plan", "PAUSED", "-p", "table=orders")
    terminal = Terminal("runs", "resume", "plan", "--input", "note=mine")
    terminal.answer("size (small or big): how large it is to be:", "medium")
    terminal.answer("'medium' is not one of", "big")
    terminal.answer("rows (integer) [100]:", "")
    assert terminal.end() == 0
    assert here.load(ended(here, run).state.result) == {"size": "big", "rows": 100, "note": "mine"}


# -- rerun -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nightly", "later"])
def test_a_failed_flow_is_rerun_where_its_code_is(call, here, orion_nb, flows, name):
    assert orion_nb("run", f"{flows}:{name}", "-p", "day=mon").code == 1
    told = f"orion-nb runs rerun {here.find(name).id[-8:]} --code etl.py:{name}"
    assert told in call("runs", "why", name).out
    (flows.parent / "fixed").touch()
    done = orion_nb("runs", "rerun", name, "--code", f"etl.py:{name}", "--json")
    assert done.code == 0, done.err
    assert done.json["run_id"] == here.find(name).id
    assert here.find(name).attempt == 2
    if name == "nightly":  # what had completed was not executed again, and the day was the same
        assert here.load(here.find(name).state.result) == ("mon", 3)
        assert (flows.parent / "loads").read_text() == "x"


@pytest.mark.slow
def test_a_rerun_that_fails_again_is_exit_code_1_and_shows_the_users_frames(orion_nb, flows):
    orion_nb("run", f"{flows}:nightly", "-p", "day=mon")
    done = orion_nb("runs", "rerun", "nightly", "--code", "etl.py:nightly", "-p", "day=tue")
    assert done.code == 1
    assert "RuntimeError: no disk on tue" in done.err
    assert "etl.py" in done.err
    assert "orion_nb/engine" not in done.err


@task
def part() -> int:
    return 1


@flow
def whole() -> int:
    return part()


def test_a_run_that_can_not_be_rerun_here_says_what_to_do(call, here):
    run = here.find(whole.run().run_id)
    done = call("runs", "rerun", "whole")
    assert done.code == 2
    assert f"code: run {run.id[-8:]} is of no deployment; say where its code is" in done.err
    assert "rerun the flow around it" in call("runs", "rerun", "part").err
    here.create_run("flow", "report", key="notebook:/there/report.ipynb")
    assert "`orion-nb run /there/report.ipynb`" in call("runs", "rerun", "report").err


def test_a_run_is_not_rerun_by_the_code_of_another(call, here, flows):
    run = here.find(whole.run().run_id)
    done = call("runs", "rerun", "whole", "--code", f"{flows}:bare")
    assert done.code == 2
    assert "is a run of flow 'whole', not of flow 'bare'" in done.err
    assert here.find(run.id).attempt == 1


def test_a_finished_run_of_a_deployment_is_scheduled_once_more(call, here, notebook):
    here.create_deployment("daily", str(notebook("1")))
    run = here.run_deployment("daily")
    waits = call("runs", "rerun", run.id)
    assert waits.code == 0  # it is scheduled already
    here.propose(run.id, "FAILED", message="oh", force=True, why="a test")
    done = call("runs", "rerun", run.id, "--why", "disk is there", "--json")
    assert (done.code, done.json["state"]["type"]) == (0, SCHEDULED)
    assert here.find(run.id).state.message == "disk is there"
    given = call("runs", "rerun", run.id, "-p", "day=tue")
    assert given.code == 2
    assert "--param: a rerun has those it had" in given.err


# -- set-state -------------------------------------------------------------------------------------


def test_a_state_is_set_by_type_and_name(call, here):
    run = here.create_run("task", "t")
    given = ("runs", "set-state", run.id, "completed", "--why", "no data")
    assert call(*given, "--name", "skipped").code == 0
    assert here.find(run.id).state.name == "Skipped"
    done = call(*given, "--name", "Crashed")
    assert done.code == 2
    assert "'Crashed' is no name of COMPLETED; there are Completed, Cached, Skipped" in done.err


@pytest.mark.slow
def test_in_a_terminal_setting_a_state_is_asked_for_once_more(here):
    run = here.create_run("task", "t", state=RUNNING)
    given = ("runs", "set-state", run.id, "failed", "--why", "stuck")
    terminal = Terminal(*given)
    terminal.answer("is not stopped by this. Set it to Failed without asking any rule? [y/N]:", "n")
    assert terminal.end() == 1
    assert here.find(run.id).state.name == "Running"
    assert Terminal(*given, "--yes").end() == 0
    assert here.find(run.id).state.name == "Failed"


def test_what_is_forced_on_a_paused_run_ends_its_code(call, here, running):
    run = running("bare", "PAUSED")
    assert call("runs", "set-state", run.id, "completed", "--why", "enough").code == 0
    assert here.find(run.id).state.reason == "set by cli: enough"
