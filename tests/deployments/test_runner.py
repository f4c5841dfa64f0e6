from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orion_nb.deployments.adhoc import rerun_notebook
from orion_nb.deployments.aftermath import reap
from orion_nb.deployments.files import LOG, NOTEBOOK, Spec, notebook_of
from orion_nb.deployments.launch import launch
from orion_nb.deployments.runner import Runner, run_notebook
from orion_nb.errors import Conflict
from orion_nb.schemas.states import Failed, Running, state

pytestmark = pytest.mark.slow

# A cell that leaves a child in its own process group and one in another session, then stays.
BUSY = """
import signal, subprocess, sys, time
from pathlib import Path
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
subprocess.Popen(sleeper)
subprocess.Popen(sleeper, start_new_session=True)
mine = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a child keeps it
bare = subprocess.Popen(sleeper, env={})  # it has no mark, and heeds no interrupt
signal.signal(signal.SIGINT, mine)
Path("bare").write_text(str(bare.pid))
print("busy", flush=True)
Path("started").touch()
time.sleep(600)
"""


@pytest.fixture
def started(orion, write_notebook, tmp_path, eventually):
    """Starts a runner; gives the run and its process once a notebook's last cell is at work."""

    def start(*cells, **spec):
        path = write_notebook(*cells)
        made = orion.new_run("flow", path.stem, key=f"notebook:{path}")
        run = orion.begin(made)[0]
        process = launch(orion, run.id, Spec(str(path), **spec))
        eventually((tmp_path / "started").exists, "the cell to start")
        return run, process

    return start


def is_at_work(pid):
    """It lives; one that is dead stays in the list until its new parent has asked for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_cancelling_interrupts_and_leaves_no_process(orion, started, processes, kept, tmp_path):
    farewell = "import atexit, pathlib; atexit.register(pathlib.Path('farewell').touch)"
    run, process = started(f"{farewell}\nprint('first')", BUSY)
    assert len(processes()) >= 4  # runner, kernel, two children

    bare = int((tmp_path / "bare").read_text())
    assert is_at_work(bare)

    orion.cancel(run.id, why="enough")

    assert process.wait(60) == 0
    assert processes() == {}
    assert not is_at_work(bare)
    assert (tmp_path / "farewell").exists()
    assert str(orion.find(run.id).state) == "Cancelled: enough"
    banner, first, _, busy = kept(notebook_of(orion.settings, run.id))
    assert "Cancelled" in banner["source"]
    assert first["outputs"][0]["text"] == "first\n"
    assert [output.get("ename") for output in busy["outputs"]] == [None, "Cancelled"]


def test_a_killed_runner_takes_its_kernel_along_and_the_run_is_reaped(
    orion, started, processes, kept, eventually
):
    # The kernel holds the interpreter in C code: only the system can tell it that its runner died.
    hang = BUSY.replace("time.sleep(600)\n", "time.sleep(0.3)\nsum(range(2 * 10**9))\n")
    run, process = started("print('first')", hang)
    path = eventually(lambda: notebook_of(orion.settings, run.id))
    kernel = next(pid for pid, each in processes().items() if "ipykernel" in each)
    folder = _sockets(kernel)
    assert folder.is_dir()
    journal = path.with_name("journal.jsonl")
    eventually(
        lambda: "busy\\n" in path.read_text() + journal.read_text(), "the output to be written down"
    )

    process.kill()
    process.wait()
    eventually(lambda: not any("ipykernel" in each for each in processes().values()), patience=20)
    reaped = reap(orion)

    assert [(each.id, each.state.type) for each in reaped] == [(run.id, "CRASHED")]
    assert processes() == {}  # the kernel's children as well
    banner, first, anchor, busy = kept(path)
    assert "Crashed" in banner["source"]
    assert first["outputs"][0]["text"] == "first\n"
    assert anchor["metadata"]["tags"] == ["orion-anchor"]
    assert busy["outputs"][0]["text"] == "busy\n"
    assert busy["outputs"][-1]["ename"] == "RunnerLost"
    assert not journal.exists()
    told = orion.read_cells(run.id)
    assert [cell["state"] for cell in told["cells"]] == ["Completed", "Crashed"]
    assert not folder.exists()


def _sockets(pid):
    """The folder of the sockets that this process listens at."""
    inodes = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}
    for line in Path("/proc/net/unix").read_text().splitlines():
        fields = line.split()
        if f"socket:[{fields[6]}]" in inodes and len(fields) > 7 and "orion-kernel-" in fields[7]:
            return Path(fields[7]).parent
    return None


def test_a_run_that_somebody_ends_by_force_is_given_up(orion, started, processes):
    run, process = started(BUSY, grace=1.0)

    orion.force(run.id, Failed("wrong data"), by="test", why="seen by eye")

    assert process.wait(60) == 0
    assert processes() == {}
    assert str(orion.find(run.id).state) == "Failed: wrong data"


def test_a_runner_that_is_told_to_end_ends_its_run_as_crashed(orion, started, processes):
    run, process = started(BUSY)

    process.send_signal(signal.SIGTERM)

    assert process.wait(60) == 0
    assert processes() == {}
    assert "SIGTERM" in str(orion.find(run.id).state)
    assert orion.find(run.id).state.type == "CRASHED"


def test_a_second_runner_leaves_the_run_to_the_first(orion, started, capfd):
    run, process = started(BUSY)

    second = launch(orion, run.id, Spec("nowhere.ipynb"))

    assert second.wait(60) == 0
    assert orion.find(run.id).attempt == 1
    assert orion.find(run.id).state.type == "RUNNING"
    orion.cancel(run.id)
    assert process.wait(60) == 0
    assert str(orion.find(run.id).state) == "Cancelled: cancelled on request"


def test_a_runner_that_can_not_begin_is_told_of(orion, write_notebook, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(sys, "executable", "/bin/false")

    outcome = run_notebook(write_notebook("1"), orion=orion)

    assert str(outcome.state).startswith("Crashed: its runner exited with code 1 before")
    assert LOG in outcome.state.message
    assert outcome.notebook is None


def test_a_failed_run_is_tried_again_in_a_new_kernel(orion, write_notebook, kept):
    path = write_notebook(
        "from pathlib import Path\nseen = Path('seen')",
        "if not seen.exists():\n    seen.touch()\n    raise RuntimeError('the first time')",
    )

    outcome = run_notebook(path, orion=orion, retries=1, retry_delay=0.2)

    assert str(outcome.state) == "Completed"
    assert outcome.run.run_count == 2
    names = [each["name"] for each in orion.read_states(outcome.run.id)["states"]]
    assert names == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]
    first = outcome.notebook.with_name("notebook.attempt-1.ipynb")
    assert "the first time" in kept(first)[0]["source"]


def test_ctrl_c_cancels_the_run_and_leaves_no_process(
    orion, write_notebook, tmp_path, processes, eventually
):
    path = write_notebook(BUSY)
    script = (
        "import signal, sys\nfrom orion_nb.deployments.runner import Interrupted, run_notebook\n"
        # Where the tests are a background job, Ctrl-C is ignored unless one asks for it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n    run_notebook(sys.argv[1])\n"
        "except Interrupted as stop:\n    print(stop.outcome.state)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    eventually((tmp_path / "started").exists, "the cell to start")

    caller.send_signal(signal.SIGINT)

    assert caller.communicate(timeout=60)[0] == "Cancelled: cancelled by Ctrl-C\n"
    assert processes() == {}


def test_a_runner_waits_for_the_time_of_a_run_and_heeds_a_cancel(orion, clock):
    at = clock() // 1000 + 3_600_000_000
    run = orion.create_run("flow", "later", scheduled_time=at)
    waiting = threading.Thread(target=Runner(orion, run.id).run)
    waiting.start()

    orion.cancel(run.id)

    waiting.join(60)
    assert not waiting.is_alive()
    assert orion.find(run.id).state.type == "CANCELLED"
    assert not Path(orion.settings.notebooks, run.id, NOTEBOOK).exists()


def test_a_stale_attempt_is_fenced(orion, write_notebook):
    path = write_notebook("1")
    run = orion.begin(orion.new_run("flow", path.stem))[0]
    after, _ = orion.judge(run.id, Running(), claims=0, session=orion.session)
    assert (after.attempt, os.getpid() > 0) == (1, True)

    Runner(orion, run.id).run()  # it is being executed by this very process

    assert orion.find(run.id).state.name == state("RUNNING").name
    assert orion.find(run.id).attempt == 1


RESTORED = """%%task load
from pathlib import Path
with Path("log").open("a") as file:
    file.write("load ")
rows = [1, 2]"""
LATER = """%%task count
with Path("log").open("a") as file:
    file.write("count ")
assert factor < 3
total = len(rows) * factor"""


def test_from_the_failed_cell_on_a_notebook_is_run_once_more(orion, write_notebook, kept, tmp_path):
    path = write_notebook("factor = 3", RESTORED, LATER, "print('total', total)")
    first = run_notebook(path, orion=orion)
    assert str(first.state).startswith("Failed: cell 3: AssertionError")

    again = rerun_notebook(first.run.id, from_failed=True, orion=orion)
    assert str(again.state).startswith("Failed: cell 3")
    assert (tmp_path / "log").read_text() == "load count count "
    assert again.run.attempt == 2

    write_notebook("factor = 2", RESTORED, LATER, "print('total', total)")
    changed = rerun_notebook(first.run.id, orion=orion)
    # The first cell is another one: whatever came of it may be, too.
    assert str(changed.state) == "Completed"
    assert (tmp_path / "log").read_text() == "load count count load count "
    assert kept(changed.notebook)[3]["outputs"][0]["text"] == "total 4\n"


def test_what_was_not_kept_is_executed_again_or_refused(orion, write_notebook, tmp_path):
    huge = RESTORED.replace("rows = [1, 2]", "rows = list(range(1_000_000))")
    path = write_notebook("factor = 3", huge, LATER)
    first = run_notebook(path, orion=orion)

    with pytest.raises(Conflict, match=r"what these tasks made was not kept: load \("):
        rerun_notebook(first.run.id, from_failed=True, orion=orion)
    rerun_notebook(first.run.id, orion=orion)

    assert (tmp_path / "log").read_text() == "load count load count "


def test_of_several_who_rerun_a_run_at_once_one_does(orion, write_notebook, tmp_path):
    """The others are told, and nobody is given a run that has not ended."""
    path = write_notebook("import time\nopen('seen', 'a').write('x')\ntime.sleep(0.3)")
    first = run_notebook(path, orion=orion)

    def again(_):
        try:
            return str(rerun_notebook(first.run.id, orion=orion).state)
        except Conflict as error:
            return type(error).__name__

    with ThreadPoolExecutor(3) as pool:
        told = Counter(pool.map(again, range(3)))
    assert told["Completed"] + told["Conflict"] == 3
    assert (tmp_path / "seen").read_text() == "x" * (1 + told["Completed"])
    assert orion.find(first.run.id).attempt == 1 + told["Completed"]
