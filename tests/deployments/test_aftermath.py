"""A runner that was killed before it began its run has done nothing: another one is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from orion_nb.deployments.aftermath import clear_up, reap, settle_exit
from orion_nb.deployments.files import NOTEBOOK, Spec, notebook_of, run_folder, set_aside
from orion_nb.deployments.kept import KeptNotebook
from orion_nb.deployments.kernel import GuardedKernelManager
from orion_nb.deployments.source import read_source
from orion_nb.deployments.standby import StandbyKernel
from orion_nb.deployments.sweeping import ATTEMPT_VARIABLE
from orion_nb.schemas.states import Crashed, Running


@pytest.fixture(params=[0])
def handed(orion, write_notebook, request):
    """A run handed to a runner by this process; it is tried again after so many crashes."""
    orion.create_deployment("once", str(write_notebook("1")), retry_crashes=request.param)
    orion.run_deployment("once")
    (run,) = orion.claim(1)
    return run


def ended(code):
    process = subprocess.Popen([sys.executable, "-c", f"import os; {code}"])
    process.wait()
    return process


def test_a_run_whose_runner_was_killed_before_it_began_waits_for_another(orion, handed):
    killed = ended("os.kill(os.getpid(), 9)")

    assert settle_exit(orion, handed.id, killed, again=True)

    again = orion.find(handed.id)
    assert str(again.state) == "Scheduled: its runner killed by signal 9 before it began"
    assert [run.id for run in orion.claim(1)] == [handed.id]
    assert not settle_exit(orion, handed.id, killed)  # the second time it is no accident
    assert str(orion.find(handed.id).state).startswith("Crashed: its runner killed by signal 9")


def test_a_runner_that_can_not_begin_is_not_started_again_and_again(orion, handed):
    assert not settle_exit(orion, handed.id, ended("os._exit(3)"), again=True)

    assert str(orion.find(handed.id).state).startswith("Crashed: its runner exited with code 3")


@pytest.mark.slow
def test_a_kernel_that_dies_before_it_is_told_its_run_is_replaced(
    orion, write_notebook, monkeypatch
):
    """It is killed after it was looked at, and before it was told."""
    from orion_nb.deployments.runner import Runner, Spec, run_folder

    path = write_notebook("print(1)")
    run = orion.begin(orion.new_run("flow", "work", key=f"notebook:{path}"))[0]
    Spec(str(path)).write(run_folder(orion.settings, run.id))
    standby = StandbyKernel([sys.executable], {})
    monkeypatch.setattr(StandbyKernel, "fits", lambda *_: True)
    standby.process.kill()
    standby.process.wait()

    Runner(orion, run.id, standby).run()

    assert GuardedKernelManager.standby is None
    assert str(orion.find(run.id).state) == "Completed"


def test_a_reaper_that_is_killed_leaves_the_strays_to_the_next(orion, other, handed, monkeypatch):
    """What a dead runner's kernel has left is killed before its run is given its end."""
    mark = f"{handed.id}.1."
    stray = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={**os.environ, ATTEMPT_VARIABLE: mark},
        start_new_session=True,
    )
    other.judge(handed.id, Running(), claims=0, session=other.session)
    other.close()
    judge = type(orion).judge
    monkeypatch.setattr(type(orion), "judge", lambda *_, **__: 1 / 0)  # here it dies
    with pytest.raises(ZeroDivisionError):
        reap(orion)
    assert stray.wait(60) == -signal.SIGKILL
    assert str(orion.find(handed.id).state) == "Running"

    monkeypatch.setattr(type(orion), "judge", judge)
    assert [str(run.state) for run in reap(orion)] == ["Crashed: its process is gone"]


@pytest.fixture
def executing(orion, other, handed, write_notebook):
    """That run with its first cell at work, as its runner told the file and the journal of it."""
    spec = Spec(str(write_notebook("print('so far')", "1")))
    spec.write(run_folder(orion.settings, handed.id))
    run, _ = other.judge(handed.id, Running(), claims=0, session=other.session)
    return run


def begun(orion, run):
    """The notebook as its runner has saved it before the first cell, and a journal of one line."""
    source = read_source(Spec.read(run_folder(orion.settings, run.id)))
    path = orion.settings.notebooks / run.id / NOTEBOOK
    kept = KeptNotebook.of(source.notebook, path, run, source.version)
    kept.begin()
    kept.journal.write("begin", 0, at=1)
    kept.journal.write("text", 0, name="stdout", text="so far\n")


def test_a_reaper_that_is_killed_has_marked_the_notebook_before(
    orion, other, executing, monkeypatch, kept
):
    begun(orion, executing)
    other.close()
    with monkeypatch.context() as dying:
        dying.setattr(type(orion), "judge", lambda *_, **__: 1 / 0)  # here it dies
        with pytest.raises(ZeroDivisionError):
            reap(orion)

    path = notebook_of(orion.settings, executing.id)
    once = path.read_bytes()
    banner, _, cell, _ = kept(path)
    assert "Crashed" in banner["source"]
    assert cell["outputs"][0]["text"] == "so far\n"
    assert len(reap(orion)) == 1
    assert path.read_bytes() == once


@pytest.mark.parametrize("handed", [1], indirect=True)
def test_a_crash_that_is_tried_again_leaves_its_notebook_with_what_was_shown(
    orion, other, executing, kept
):
    begun(orion, executing)
    other.close()

    (again,) = reap(orion)

    assert again.state.name == "AwaitingRetry"
    set_aside(orion.settings.notebooks / again.id, 2)
    banner, _, cell, _ = kept(orion.settings.notebooks / again.id / "notebook.attempt-1.ipynb")
    assert "Crashed" in banner["source"]
    assert cell["outputs"][0]["text"] == "so far\n"


def test_a_runner_that_is_killed_before_it_wrote_a_notebook_has_one(orion, other, executing, kept):
    other.close()
    reap(orion)
    banner, *cells = kept(notebook_of(orion.settings, executing.id))
    assert "Crashed" in banner["source"]
    assert [cell["source"] for cell in cells] == ["print('so far')", "1"]
    assert {cell["state"] for cell in orion.read_cells(executing.id)["cells"]} == {"Skipped"}


def test_nothing_is_written_where_a_flow_of_a_process_was_lost(orion, other):
    other.begin(other.new_run("flow", "work"), Running())
    other.close()
    assert len(reap(orion)) == 1
    assert not orion.settings.notebooks.exists()


@pytest.mark.parametrize("text", ["[]", '{"metadata": []}', "[" * 100_000, '{"metadata": {}}'])
def test_a_notebook_that_is_none_holds_up_the_end_of_no_run(orion, handed, text):
    run, _ = orion.judge(handed.id, Running(), claims=0, session=orion.session)
    folder = run_folder(orion.settings, run.id)
    (folder / NOTEBOOK).write_text(text, "utf-8")
    Spec(str(folder / "none.ipynb")).write(folder)

    clear_up(orion, run, Crashed("its runner is gone"))

    assert (folder / NOTEBOOK).read_text("utf-8") == text
