"""The same again, as a new run."""

from __future__ import annotations

import json

import pytest

from orion_nb.api.orion import Orion
from orion_nb.errors import Conflict, NotFound, ParameterError
from orion_nb.settings import Settings


@pytest.fixture
def orion(tmp_path):
    opened = Orion(Settings.load(environ={}, home=str(tmp_path / "home")))
    yield opened
    opened.close()


@pytest.fixture
def deployed(orion, tmp_path):
    cell = {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]},
            "source": "rows = 1\nmode = 'a'", "outputs": [], "execution_count": None}  # fmt: skip
    told = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (tmp_path / "etl.ipynb").write_text(json.dumps(told))
    return orion.create_deployment("etl", str(tmp_path / "etl.ipynb"), parameters={"mode": "b"})


def test_a_replay_is_a_new_run_with_the_parameters_of_the_old(orion, deployed):
    first = orion.run_deployment("etl", {"rows": 7})
    again = orion.replay_run(first.id, why="late data", by="ann")
    assert again.id != first.id
    assert again.state.name == "Scheduled"
    assert again.deployment == deployed["id"]
    assert again.parameters == {"rows": 7, "mode": "b"}
    assert again.state.by == "ann"
    assert again.state.message == f"a replay of {first.id[-8:]}: late data"
    assert orion.replay_run(first.id, {"mode": "c"}).parameters == {"rows": 7, "mode": "c"}


def test_what_no_deployment_knows_is_not_replayed(orion, deployed):
    run = orion.create_run("flow", "f")
    with pytest.raises(Conflict, match="no run of a deployment"):
        orion.replay_run(run.id)
    first = orion.run_deployment("etl")
    with pytest.raises(ParameterError, match="rows"):
        orion.replay_run(first.id, {"rows": "many"})


def test_a_stored_result_is_found_by_its_key(orion):
    from orion_nb.errors import InvalidInput, ResultUnavailable
    from orion_nb.schemas.results import Reference

    reference = Reference.from_text(orion.keep("x" * 5000))
    told = orion.read_stored_result(reference.key)
    assert told["status"] == "stored"
    assert (told["serializer"], told["size"]) == (reference.serializer, reference.size)
    with pytest.raises(ResultUnavailable):
        orion.read_stored_result("0" * 64)
    with pytest.raises(InvalidInput, match="key: 'x' is no key"):
        orion.read_stored_result("x")


def failed_task(orion, parent):
    run = orion.create_run("task", "load", parent=parent, key="etl.load", state="RUNNING")
    orion.propose(run.id, "FAILED", message="KeyError: `price`\nand more")
    return run


def test_a_notebook_is_made_that_takes_the_failed_task_up(orion, deployed, tmp_path):
    import nbformat

    flow = orion.run_deployment("etl")
    failed_task(orion, flow.id)
    task = failed_task(orion, flow.id)
    told = orion.replay_notebook(flow.id)
    assert told["replays"] == task.id  # the one that failed last
    assert told["name"] == f"replay-{task.id[-8:]}.ipynb"
    assert told["folder"] == str(tmp_path)
    assert told["path"] == str(tmp_path / told["name"])
    made = nbformat.from_dict(told["notebook"])
    nbformat.validate(made)
    assert "Failed: `KeyError: 'price'`" in made.cells[0].source
    load = made.cells[1].source.splitlines()
    assert load[0] == "%load_ext orion_nb"
    assert load[1].startswith("import etl  #")  # a module that the notebook imports
    assert made.cells[2].source == f"%replay {task.id[-8:]}"


def test_of_a_flow_in_a_file_its_functions_are_imported(orion, tmp_path):
    text = "from orion_nb import flow\n@flow\ndef nightly(): pass\n"
    (tmp_path / "etl.py").write_text(text)
    orion.create_deployment("nightly", f"{tmp_path / 'etl.py'}:nightly")
    run = orion.run_deployment("nightly")
    for fails in (lambda: run, lambda: failed_task(orion, run.id)):
        failed = fails()
        told = orion.replay_notebook(failed.id)
        assert told["replays"] == failed.id
        assert told["notebook"]["cells"][1]["source"].splitlines()[1].startswith("import etl  #")


def test_of_a_file_that_can_not_be_imported_nothing_is(orion, tmp_path):
    text = "from orion_nb import flow\n@flow\ndef nightly(): pass\n"
    (tmp_path / "my-etl.py").write_text(text)
    orion.create_deployment("nightly", f"{tmp_path / 'my-etl.py'}:nightly")
    told = orion.replay_notebook(orion.run_deployment("nightly").id)
    assert told["notebook"]["cells"][1]["source"] == "%load_ext orion_nb"


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("etl.load", "import etl  #"),
        ("shop.stock.load", "import shop.stock  #"),
        ("etl.Loader.load", "import etl  #"),
        ("__main__.load", None),
        ("etl.<lambda>", None),
        ("notebook:etl:load", None),
    ],
)
def test_the_module_of_a_task_is_imported_without_a_deployment_too(orion, key, line):
    flow = orion.create_run("flow", "etl", key="etl.etl")
    run = orion.create_run("task", "load", parent=flow.id, key=key, state="RUNNING")
    orion.propose(run.id, "FAILED")
    told = orion.replay_notebook(flow.id)["notebook"]["cells"]
    load = told[1]["source"].splitlines()[1:]
    assert [each.startswith(line or "?") for each in load] == ([True] if line else [])
    assert "commit --resume" in told[3]["source"]


def test_where_its_code_is_may_not_be_known(orion):
    flow = orion.create_run("flow", "anything")
    told = orion.replay_notebook(flow.id)
    assert (told["folder"], told["path"]) == (None, told["name"])
    assert told["replays"] == flow.id
    with pytest.raises(NotFound):
        orion.replay_notebook("f" * 32)
