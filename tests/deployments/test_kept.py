"""The notebook of a run and its file, while cells are executed."""

from __future__ import annotations

import pytest

from orion_nb.deployments import kept as module
from orion_nb.deployments.files import NOTEBOOK
from orion_nb.deployments.kept import KeptNotebook
from orion_nb.schemas.states import Running


@pytest.fixture
def notebook(orion, tmp_path, code):
    run, _ = orion.begin(orion.new_run("flow", "f"), Running(), owned=False)
    (tmp_path / "run").mkdir()
    told = {"cells": [code("1")], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return KeptNotebook.of(told, tmp_path / "run" / NOTEBOOK, run, {})


def test_one_that_can_not_be_saved_is_tried_again_in_a_while_and_not_at_once(notebook, monkeypatch):
    """There may be a thousand outputs a second, and a journal that is large."""
    folder = notebook.path.parent
    aside = folder.rename(folder.with_name("away"))
    monkeypatch.setattr(module, "BETWEEN_CELLS", 0.0)
    notebook.touch(between_cells=True)
    monkeypatch.setattr(module, "WITHIN_CELL", 0.0)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            notebook.save_if_due()
    monkeypatch.setattr(module, "WITHIN_CELL", 3600.0)
    with pytest.raises(FileNotFoundError):
        notebook.save_if_due()
    notebook.save_if_due()  # it does not try
    aside.rename(folder)
    notebook.save_if_due()
    assert not notebook.path.exists()
    notebook.finish()
    assert notebook.path.exists()
