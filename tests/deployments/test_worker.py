from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from itertools import pairwise

import pytest

from orion_nb.clock import SECOND
from orion_nb.deployments import worker as worker_module
from orion_nb.deployments.files import notebook_of
from orion_nb.deployments.worker import Worker
from orion_nb.errors import StoreUnavailable
from orion_nb.schemas.states import Running
from orion_nb.store.listing import RunFilter

pytestmark = pytest.mark.slow

TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
FAILS_ONCE = "if not seen.exists():\n    seen.touch()\n    raise RuntimeError('the first time')"


@pytest.fixture
def runs_of(orion):
    def look(name, **chosen):
        found = orion.list_runs(RunFilter(kind="flow", deployment=orion.deployment_id(name)))
        return found[::-1]

    return look


def ended(runs):
    return [run for run in runs if run.state.type in TERMINAL]


def test_a_schedule_is_executed_and_a_failed_run_tried_again(
    orion, working, runs_of, write_notebook, code, eventually, kept
):
    path = write_notebook(code("word = 'x'", "parameters"), "print(word)")
    retried = write_notebook(
        "from pathlib import Path\nseen = Path('seen')", FAILS_ONCE, name="bad"
    )
    orion.create_deployment("often", str(path), parameters={"word": "hello"}, schedules=["1s"])
    orion.create_deployment("bad", str(retried), retries=1, retry_delay=0.1)
    working()
    asked = orion.run_deployment("bad")

    eventually(lambda: len(runs_of("often")) >= 2)
    orion.pause_deployment("often")
    done = eventually(lambda: len(ended(runs_of("often"))) >= 2 and ended(runs_of("often")))
    again = eventually(lambda: ended([orion.find(asked.id)]))[0]

    assert {str(run.state) for run in done} == {"Completed"}
    assert len({run.scheduled_time for run in done}) == len(done)
    cells = kept(notebook_of(orion.settings, done[0].id))
    assert cells[-1]["outputs"][0]["text"] == "hello\n"
    assert (again.state.name, again.attempt) == ("Completed", 2)
    names = [each["name"] for each in orion.read_states(again.id)["states"]]
    first, rest = names[:4], names[4:]
    assert first == ["Scheduled", "Submitting", "Running", "AwaitingRetry"]
    assert rest == ["Submitting", "Retrying", "Completed"]
    eventually(lambda: all(run.state.type in TERMINAL for run in runs_of("often")))


def test_two_workers_execute_each_instant_once(
    orion, other, working, runs_of, write_notebook, tmp_path, eventually
):
    note = "import os\nfrom pathlib import Path\nPath(os.environ['ORION_NB_RUN_ID']).touch()"
    orion.create_deployment("often", str(write_notebook(note)), schedules=["1s"])
    for api in (orion, other):
        working(api)

    eventually(lambda: len(runs_of("often")) >= 4)
    orion.pause_deployment("often")
    eventually(lambda: all(run.state.type in TERMINAL for run in runs_of("often")))

    runs = runs_of("often")
    assert {run.state.type for run in runs} == {"COMPLETED"}
    assert max(Counter(run.scheduled_time for run in runs).values()) == 1
    for run in runs:
        names = [each["name"] for each in orion.read_states(run.id)["states"]]
        assert names == ["Scheduled", "Submitting", "Running", "Completed"]


def test_no_more_runs_are_executed_at_once_than_allowed(
    orion, working, runs_of, write_notebook, eventually
):
    orion.create_deployment("slow", str(write_notebook("import time; time.sleep(0.5)")))
    for _ in range(3):
        orion.run_deployment("slow")
    worker = working(concurrency=1)

    eventually(lambda: len(ended(runs_of("slow"))) == 3)

    eventually(lambda: not worker.active)
    spans = sorted((run.start_time, run.end_time) for run in runs_of("slow"))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_a_runner_that_dies_is_noticed_at_once(orion, working, runs_of, write_notebook, eventually):
    kill = "import os; os.kill(os.getppid(), 9)\nimport time; time.sleep(60)"
    orion.create_deployment("dies", str(write_notebook(kill)))
    working()
    orion.run_deployment("dies")

    (run,) = eventually(lambda: ended(runs_of("dies")))

    assert str(run.state).startswith("Crashed: its runner killed by signal 9")


def test_runners_outlive_their_worker(orion, write_notebook, runs_of, tmp_path, eventually):
    """A worker that is killed does no harm to what it started, and a new one takes over."""
    wait = (
        "from pathlib import Path\nimport time\nPath('started').touch()\n"
        "while not Path('go').exists():\n    time.sleep(0.05)"
    )
    orion.create_deployment("long", str(write_notebook(wait)))
    orion.run_deployment("long")
    script = "from orion_nb import connect\nfrom orion_nb.deployments.worker import Worker\n"
    process = subprocess.Popen([sys.executable, "-c", f"{script}Worker(connect()).run()"])
    eventually((tmp_path / "started").exists)
    process.kill()
    process.wait()

    second = Worker(orion)
    thread = threading.Thread(target=second.run)
    thread.start()
    orion.run_deployment("long")  # it is at work when the next one is taken: the worker lives
    eventually(lambda: sum(run.state.type == "RUNNING" for run in runs_of("long")) == 2)
    assert second.stop(timeout=60)
    thread.join(60)
    (tmp_path / "go").touch()

    runs = eventually(lambda: len(ended(runs_of("long"))) == 2 and runs_of("long"))
    assert {str(run.state) for run in runs} == {"Completed"}
    assert {run.attempt for run in runs} == {1}


def test_a_run_whose_worker_died_before_its_runner_began_is_taken_again(
    orion, working, runs_of, write_notebook, eventually
):
    orion.create_deployment("once", str(write_notebook("1")))
    run = orion.run_deployment("once")
    script = "import os\nfrom orion_nb import connect\nprint(len(connect().claim(1)), flush=True)\n"
    told = subprocess.run(
        [sys.executable, "-c", f"{script}os.kill(os.getpid(), {int(signal.SIGKILL)})"],
        stdout=subprocess.PIPE,
        check=False,
    )
    assert told.stdout == b"1\n"

    working()

    (run,) = eventually(lambda: ended(runs_of("once")))
    assert (str(run.state), run.attempt) == ("Completed", 1)


def test_what_can_not_be_executed_says_why(orion, working, runs_of, write_notebook, eventually):
    path = write_notebook("1")
    orion.create_deployment("gone", str(path))
    orion.create_deployment("deleted", str(path))
    gone, deleted = orion.run_deployment("gone"), orion.run_deployment("deleted")
    path.unlink()
    orion.delete_deployment("deleted")
    working()

    gone, deleted = eventually(
        lambda: len(done := ended([orion.find(gone.id), orion.find(deleted.id)])) == 2 and done
    )

    assert str(gone.state).startswith("Failed: path: ")
    assert "is not there" in gone.state.message
    assert str(deleted.state) == "Cancelled: its deployment was deleted"


def test_a_pass_that_fails_is_logged_and_the_worker_goes_on(
    orion, working, runs_of, write_notebook, eventually, caplog
):
    orion.create_deployment("fine", str(write_notebook("1")))
    folder = orion.settings.notebooks
    folder.parent.mkdir(exist_ok=True)
    folder.touch()  # a file where the folder of the runs should be
    with caplog.at_level(logging.CRITICAL, "orion_nb.deployments.worker"):
        working()
        first = orion.run_deployment("fine")
        first = eventually(lambda: ended([orion.find(first.id)]))[0]
        folder.unlink()
        second = orion.run_deployment("fine")
        second = eventually(lambda: ended([orion.find(second.id)]))[0]

    assert str(first.state).startswith("Crashed: no runner can be started: ")
    assert str(second.state) == "Completed"


def test_a_scheduled_run_is_running_soon_after_its_time(
    orion, working, runs_of, write_notebook, eventually
):
    orion.create_deployment("often", str(write_notebook("1")), schedules=["1s"])
    working(concurrency=4)
    eventually(lambda: len(runs_of("often")) >= 3)
    orion.pause_deployment("often")
    runs = eventually(lambda: len(found := ended(runs_of("often"))) >= 3 and found)

    waits = sorted((run.start_time - run.scheduled_time) / SECOND for run in runs)

    assert waits[0] < 10.0, waits  # about 0.15 s when nothing else runs
    eventually(lambda: all(run.state.type in TERMINAL for run in runs_of("often")))


def test_a_run_is_executed_by_the_runner_that_waited(
    orion, working, runs_of, write_notebook, tmp_path, eventually, processes
):
    note = "import os\nfrom pathlib import Path\nPath('parent').write_text(str(os.getppid()))"
    worker = working(warm=1)
    orion.create_deployment("soon", str(write_notebook(note)))
    # One that it has just forked has its command line for a moment.
    standing = lambda: [pid for pid, each in processes().items() if "standby_r" in each]  # noqa: E731
    (waits,) = eventually(lambda: len(found := standing()) == 1 and found)

    orion.run_deployment("soon")
    (run,) = eventually(lambda: ended(runs_of("soon")))

    assert str(run.state) == "Completed"
    assert (tmp_path / "parent").read_text() == str(waits)
    eventually(lambda: len(standing()) == 1)
    orion.pause_deployment("soon")  # nothing is to come: none is kept ready
    eventually(lambda: processes() == {})
    eventually(lambda: worker.active == [])


def test_a_worker_that_is_told_to_end_leaves_its_runs_at_work_and_nothing_else(
    orion, runs_of, write_notebook, tmp_path, processes, eventually
):
    wait = (
        "from pathlib import Path\nimport time\nPath('started').touch()\n"
        "while not Path('go').exists():\n    time.sleep(0.05)"
    )
    orion.create_deployment("long", str(write_notebook(wait)))
    orion.run_deployment("long")
    command = [sys.executable, "-m", "orion_nb", "worker"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    eventually((tmp_path / "started").exists)

    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0

    orion.run_deployment("long")  # nobody takes it
    eventually(lambda: len(processes()) == 2, "one runner and its kernel")
    (tmp_path / "go").touch()
    eventually(lambda: processes() == {})
    states = [run.state.type for run in runs_of("long")]
    assert states == ["COMPLETED", "SCHEDULED"]


def test_a_runner_whose_end_can_not_be_noted_now_is_seen_to_later(
    orion, runs_of, write_notebook, eventually
):
    """Its run had not begun: it is the worker's, and as long as that lives nobody else's."""
    orion.create_deployment("once", str(write_notebook("1")))
    orion.run_deployment("once")
    worker = Worker(orion, concurrency=1)
    (run,) = orion.claim(1)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        process.kill()  # a runner that comes to nothing, however long this test is held up
    worker._runners[process.pid] = run.id, process
    assert orion.find(run.id).state.name == "Submitting"
    with closing(sqlite3.connect(orion.database.path)) as other:
        (known,) = other.execute("PRAGMA user_version").fetchone()
        other.execute(f"PRAGMA user_version={known + 1}")  # what can be read, and not written
        with pytest.raises(StoreUnavailable):
            worker._pass()
        other.execute(f"PRAGMA user_version={known}")

    def is_done():
        worker._pass()
        return orion.find(run.id).state.is_terminal and not worker.active

    eventually(is_done)
    assert str(orion.find(run.id).state) == "Completed"


def test_a_run_that_waits_for_a_slot_is_not_asked_for_all_the_time(
    orion, write_notebook, monkeypatch
):
    monkeypatch.setattr(worker_module, "IDLE", 0.3)
    orion.create_deployment("waits", str(write_notebook("1")), concurrency={"db": 1})
    orion.run_deployment("waits")
    (first,) = orion.claim(1)
    orion.judge(first.id, Running(), claims=0, session=orion.session)
    second = orion.run_deployment("waits")
    worker = Worker(orion)
    worker._step()
    assert orion.find(second.id).state.name == "AwaitingSlot"
    rests = []
    for _ in range(5):
        began = time.monotonic()
        worker._step()
        rests.append(time.monotonic() - began)
    assert sorted(rests)[2] >= 0.3, rests  # but for those that asked once more, and noted that
