"""What runs is what was pinned, or what is on disk: each run says which version it executed."""

from __future__ import annotations

import hashlib
import json

import pytest

from orion_nb.deployments.files import notebook_of
from orion_nb.errors import InvalidInput, InvalidNotebook, KernelNotFound, NotebookNotFound
from orion_nb.store.listing import RunFilter

pytestmark = pytest.mark.slow


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def printed(orion, run):
    told = json.loads(notebook_of(orion.settings, run.id).read_text("utf-8"))
    outputs = [each for cell in told["cells"] for each in cell.get("outputs", ())]
    return "".join("".join(each.get("text", "")) for each in outputs)


def test_pinned_runs_what_was_pinned_and_the_drift_is_told(
    orion, write_notebook, worker, ended, eventually
):
    path = write_notebook("import os", "print('one', os.environ['WHO'])")
    told = orion.create_deployment("x", str(path), track="pinned", env={"WHO": "Ada"})
    first = sha256(path)
    assert told["source"] == {
        "track": "pinned", "pinned": first, "on_disk": first, "drift": None,
    }  # fmt: skip
    write_notebook("import os", "print('two')", "print('three')")
    told = orion.read_deployment("x")
    assert told["source"]["drift"] == "on-disk notebook differs from pinned: 2 cells"
    assert told["source"]["on_disk"] == sha256(path) != first
    differs = orion.diff_deployment("x")
    assert [(cell["change"], cell["now"]) for cell in differs["cells"]] == [
        ("changed", 2), ("added", 3),
    ]  # fmt: skip
    path.unlink()
    run = orion.run_deployment("x")
    assert str(ended(run).state) == "Completed"
    assert printed(orion, run) == "one Ada\n"
    assert orion.read_run(run.id).source == {"path": str(path), "sha256": first, "track": "pinned"}
    assert orion.read_run(run.id).as_json()["source"]["sha256"] == first
    assert "is not there" in orion.read_deployment("x")["source"]["drift"]
    # What names neither the path nor how it is tracked leaves the pin as it is.
    assert orion.update_deployment("x", retries=2)["source"]["pinned"] == first
    with pytest.raises(NotebookNotFound):
        orion.create_deployment("x", str(path), update=True)
    write_notebook("print('four')")
    again = orion.create_deployment("x", str(path), update=True)
    assert again["source"]["pinned"] == sha256(path)
    assert again["track"] == "pinned"
    run = orion.run_deployment("x")
    ended(run)
    assert printed(orion, run) == "four\n"


def test_the_latest_is_what_is_on_disk_when_it_runs(orion, write_notebook, worker, ended):
    path = write_notebook("print('one')")
    orion.create_deployment("x", str(path))
    write_notebook("print('two')")
    run = orion.run_deployment("x")
    assert ended(run).state.name == "Completed"
    assert printed(orion, run) == "two\n"
    assert orion.read_run(run.id).source == {
        "path": str(path), "sha256": sha256(path), "track": "latest",
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="nothing is pinned"):
        orion.diff_deployment("x")


def test_a_notebook_that_was_moved_is_an_error_and_a_failed_run(
    orion, write_notebook, worker, eventually
):
    path = write_notebook("1")
    orion.create_deployment("x", str(path), schedules=["1s"], paused=True)
    path.rename(path.with_name("moved.ipynb"))
    with pytest.raises(NotebookNotFound, match="is not there"):
        orion.run_deployment("x")
    orion.resume_deployment("x")
    chosen = RunFilter(states=("FAILED",), deployment=orion.deployment_id("x"))
    failed = eventually(lambda: orion.list_runs(chosen, 10))[-1]
    orion.pause_deployment("x")
    assert "is not there" in failed.state.message


def test_a_pinned_copy_that_was_tampered_with_is_not_run(orion, write_notebook, worker, ended):
    told = orion.create_deployment("x", str(write_notebook("1")), track="pinned")
    copy = orion.copies.path(told["pinned"])
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    copy.write_text(copy.read_text("utf-8").replace("1", "2"), "utf-8")
    with pytest.raises(InvalidNotebook, match="was changed; pin it again"):
        orion.run_deployment("x")


def test_a_kernel_that_is_not_installed_is_refused_unless_it_is_elsewhere(
    orion, write_notebook, worker, ended
):
    r = {"name": "r-4", "display_name": "R 4", "language": "R"}
    path = write_notebook("1", kernelspec=r)
    says = "kernel 'r-4' not found; have: .*python3.*; the notebook asks for it; .*allow_missing"
    with pytest.raises(KernelNotFound, match=says):
        orion.create_deployment("x", str(path))
    with pytest.raises(KernelNotFound, match=says):
        orion.check_deployment("x", str(path))
    assert orion.create_deployment("x", str(path), kernel="python3")["source"]["drift"] is None
    with pytest.raises(KernelNotFound, match=says):
        orion.update_deployment("x", kernel=None)

    told = orion.create_deployment("y", str(path), allow_missing_kernel=True)
    assert told["source"]["drift"] is None
    orion.update_deployment("y", retries=1)  # it stays allowed
    failed = ended(orion.run_deployment("y"))
    assert str(failed.state).startswith("Failed: kernel 'r-4' not found; have: ")


def test_a_notebook_that_has_come_to_ask_for_another_kernel_says_so(orion, write_notebook):
    orion.create_deployment("x", str(write_notebook("1")))
    write_notebook("1", kernelspec={"name": "r-4", "display_name": "R 4", "language": "R"})
    assert "kernel 'r-4' not found" in orion.read_deployment("x")["source"]["drift"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kernel": "r-4"}, "kernel 'r-4' not found; have: .*python3"),
        ({"track": "newest"}, "track: Input should be 'latest' or 'pinned', got 'newest'"),
        ({"env": {"A B": "1"}}, "can't be an environment variable"),
        ({"env": {"ORION_NB_HOME": "/tmp"}}, "is not to be set by a deployment or for a run"),
        ({"env": {"ORION_NB_SECRET_X": "1"}}, "a secret is kept with"),
        ({"cwd": "/nowhere/at/all"}, "is no folder"),
    ],
)
def test_what_can_not_be_run_is_refused_at_once(orion, write_notebook, given, says):
    path = str(write_notebook("1"))
    with pytest.raises((InvalidInput, KernelNotFound), match=says):
        orion.create_deployment("x", path, **given)
    orion.create_deployment("x", path)
    with pytest.raises((InvalidInput, KernelNotFound), match=says):
        orion.update_deployment("x", **given)
