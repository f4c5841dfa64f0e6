"""An isolated run works in a copy of its folder: what was there is there, and stays as it was."""

from __future__ import annotations

import os

import pytest

from orion_nb.deployments import isolation
from orion_nb.deployments.runner import run_notebook
from orion_nb.errors import InvalidInput

READS_AND_WRITES = """
from pathlib import Path
told = Path("data", "in.txt").read_text()
Path("data", "in.txt").write_text("changed")
Path("out.txt").write_text(told)
"""


@pytest.fixture
def beside(tmp_path):
    """What lies beside the notebook."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.txt").write_text("as it was")
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_what_a_run_does_is_done_in_its_copy(orion, write_notebook, beside, kept):
    outcome = run_notebook(write_notebook(READS_AND_WRITES), isolated=True, orion=orion)

    assert str(outcome.state) == "Completed"
    assert (beside / "data" / "in.txt").read_text() == "as it was"
    assert not (beside / "out.txt").exists()
    work = orion.settings.notebooks / outcome.run.id / isolation.WORK
    assert (work / "out.txt").read_text() == "as it was"
    assert not (work / ".git").exists()
    (listed,) = orion.filter_artifacts(run=outcome.run.id)["artifacts"]
    assert listed["description"] == f"2 files written in {work}"


def test_each_attempt_of_a_deployed_run_has_a_copy_of_its_own(
    orion, write_notebook, beside, worker, ended
):
    path = write_notebook(READS_AND_WRITES, "assert told != told", name="deployed")
    made = orion.create_deployment("x", str(path), isolated=True, retries=1)
    assert made["isolated"] is True

    failed = ended(orion.run_deployment("x"))

    assert (failed.state.name, failed.attempt) == ("Failed", 2)  # not for what was changed before
    assert (orion.settings.notebooks / failed.id / isolation.WORK / "out.txt").read_text() == (
        "as it was"
    )
    assert (beside / "data" / "in.txt").read_text() == "as it was"


def test_a_folder_that_holds_too_much_is_not_copied(tmp_path, monkeypatch):
    home = tmp_path / "home" / "runs" / "1"
    source = tmp_path / "source"
    home.mkdir(parents=True)
    source.mkdir()
    (source / "big").write_text("x" * 11)
    os.mkfifo(source / "pipe")
    os.symlink("/nowhere", source / "link")
    copy = isolation.workplace(home, source, isolated=True)
    assert sorted(each.name for each in copy.iterdir()) == ["big", "link"]
    assert isolation.workplace(home, source, isolated=False) == source

    monkeypatch.setattr(isolation, "LARGEST", 10)
    with pytest.raises(InvalidInput, match=r"isolated: .* holds more than"):
        isolation.workplace(home, source, isolated=True)
