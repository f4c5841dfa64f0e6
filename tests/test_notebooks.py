"""The notebooks that people read are run, cell by cell, as a person would run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orion_nb import run_notebook

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: IPython shows a wrong magic as text on stderr, which nbval passes over: here it is an error.
LOUD = """
shell = get_ipython()
shell.show_usage_error = lambda error, s=shell: s._showtraceback(type(error), error, [str(error)])
del shell
"""


def executed(notebook: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """nbval in a kernel with an IPython profile of its own."""
    startup = folder / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "loud.py").write_text(LOUD, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", str(folder), notebook.name],
        cwd=folder,
        env={**os.environ, "IPYTHONDIR": str(folder / "ipython")},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, tmp_path: Path) -> None:
    """In a kernel without anything of ours prepared; assertions stand in the notebook itself."""
    done = executed(Path(shutil.copy(notebook, tmp_path)), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_what_replays_a_failure_runs_where_nobody_watches_too(tmp_path: Path) -> None:
    """The run of the notebook goes on while a flow in it is resumed."""
    source = ROOT / "notebooks/07_replay_a_failure.ipynb"
    done = run_notebook(shutil.copy(source, tmp_path))
    assert str(done.state) == "Completed"
    assert next(each for each in done.tasks if each.name == "convert").state.name == "Completed"


@pytest.mark.slow
def test_a_wrong_magic_in_a_notebook_is_noticed(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "id": "a", "source": "%nosuch", "metadata": {}}
    told = {"cells": [{**cell, "outputs": [], "execution_count": None}], "metadata": {}}
    path = tmp_path / "wrong.ipynb"
    path.write_text(json.dumps({**told, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    done = executed(path, tmp_path)
    assert done.returncode == 1
    assert "%nosuch" in done.stdout


def test_notebooks_are_committed_without_outputs() -> None:
    assert NOTEBOOKS
    for notebook in NOTEBOOKS:
        text = notebook.read_text(encoding="utf-8")
        assert '"output_type"' not in text, f"{notebook.name} has outputs"
