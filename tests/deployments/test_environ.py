"""No token of a server reaches what executes a notebook or a flow, whoever starts it."""

from __future__ import annotations

import json

import pytest

from orion_nb.deployments.environ import TOKENS, child_environ
from orion_nb.deployments.files import Spec, run_folder
from orion_nb.deployments.runner import main


@pytest.mark.parametrize("name", [*TOKENS, TOKENS[0].lower(), "OAUTH_CLIENT_SECRET"])
def test_tokens_and_secrets_of_servers_are_left_out(name):
    assert child_environ({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "TOKEN"])
def test_what_notebooks_work_with_stays(name):
    assert child_environ({name: "x"}) == {name: "x"}


def test_what_is_hidden_is_a_setting():
    environ = {"ORION_NB_HIDE": "GH_*, my_key", "GH_PAT": "x", "MY_KEY": "x", "A_SECRET": "x"}
    kept = {"ORION_NB_HIDE": "GH_*, my_key"}
    assert child_environ(environ | {"JPY_API_TOKEN": "x"}) == kept | {"A_SECRET": "x"}
    assert child_environ({"ORION_NB_HIDE": "", "A_SECRET": "x"})["A_SECRET"] == "x"


def test_changes_are_laid_over_and_hold_no_token_either():
    told = child_environ({"A": "1"}, A="2", ORION_NB_API_TOKEN="x", MY_SECRET="given")
    assert told == {"A": "2", "MY_SECRET": "given"}


def test_a_variable_may_have_any_name():
    assert child_environ({"A": "1"}, environ="2") == {"A": "1", "environ": "2"}


TELLS = """
import json, os
from pathlib import Path
from orion_nb import flow
@flow
def tells():
    Path("told").write_text(json.dumps(dict(os.environ)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["notebook", "flow"])
def test_a_runner_with_tokens_gives_none_to_what_it_executes(
    orion, write_notebook, tmp_path, monkeypatch, kind
):
    for name in TOKENS:
        monkeypatch.setenv(name, "x")
    path = tmp_path / "tells.py"
    path.write_text(TELLS, "utf-8")
    if kind == "notebook":
        path = write_notebook(TELLS.partition("@flow")[0], TELLS.rpartition("    ")[2])
    run = orion.begin(orion.new_run("flow", "tells", key=f"{kind}:{path}"))[0]
    spec = Spec(str(path), flow="tells" if kind == "flow" else None)
    spec.write(run_folder(orion.settings, run.id))

    assert main([run.id]) == 0

    assert str(orion.find(run.id).state) == "Completed"
    told = json.loads((tmp_path / "told").read_text())
    assert set(told) & set(TOKENS) == set()
    assert told["ORION_NB_HEADLESS"] == "1"
