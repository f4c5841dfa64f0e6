"""Files of deployments as they are found and read, whatever they hold and are called."""

from __future__ import annotations

import json
import time

import pytest

from orion_nb.api.sources import as_notebook, inspect, read_text, tasks_of
from orion_nb.errors import InvalidNotebook, NotebookNotFound


def told_of(source):
    return {"cells": [{"cell_type": "code", "metadata": {}, "source": source}]}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("%%task load --retries 3\nx = 1", [{"cell": 1, "name": "load"}]),
        ("\n  \n# first\n#| task: load\nx = 1", [{"cell": 1, "name": "load"}]),
        ("# why\r\n\r\n%%task\nx = 1", [{"cell": 1, "name": None}]),
        ("x = 1\n%%task load", []),
    ],
)
def test_a_cell_that_is_a_task_is_found_behind_comments_and_empty_lines(source, found):
    assert tasks_of(told_of(source)) == found


def test_a_cell_that_begins_with_many_empty_lines_is_read_at_once():
    began = time.thread_time()
    assert tasks_of(told_of("\n" * 26 + "x = 1")) == []
    assert tasks_of(told_of(" \n# x\n" * 10_000 + "x = 1")) == []
    assert time.thread_time() - began < 1.0


@pytest.mark.parametrize("name", ["a.**", "a.[!", "a.*", "a.?", "a"])
def test_a_name_that_is_a_pattern_is_just_not_there(tmp_path, name):
    with pytest.raises(NotebookNotFound):
        read_text(str(tmp_path / name))


def test_the_closest_name_is_told_but_no_hidden_one(tmp_path):
    (tmp_path / "report.ipynb").write_text("{}", "utf-8")
    (tmp_path / ".reports.ipynb").write_text("{}", "utf-8")
    with pytest.raises(NotebookNotFound, match=r"did you mean 'report.ipynb'"):
        read_text(str(tmp_path / ".reports2.ipynb"))


def test_a_notebook_is_inspected_without_being_run(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(told_of("\n%%task load\n1/0") | {"nbformat": 4}), "utf-8")
    assert inspect(str(path)).as_json()["tasks"] == [{"cell": 1, "name": "load"}]


@pytest.mark.parametrize("deep", [300, 100_000])
def test_one_that_is_nested_too_deep_is_none(deep):
    text = b'{"cells": [], "metadata": {"a": ' + b"[" * deep + b"]" * deep + b"}}"
    with pytest.raises(InvalidNotebook, match="is no notebook: "):
        as_notebook(text, "deep.ipynb")
    assert as_notebook(text.replace(b"[" * deep, b"[" * 100).replace(b"]" * deep, b"]" * 100), "x")
