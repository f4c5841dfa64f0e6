"""What the shell is offered: names of runs and deployments, what can be run, its parameters."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from orion_nb.cli.app import app
from orion_nb.schemas.runs import short
from orion_nb.schemas.states import Completed, Running


@pytest.fixture
def complete(home, tmp_path, monkeypatch):
    """What bash offers for the last word of a line, in the folder of the notebooks."""
    monkeypatch.chdir(tmp_path)

    def offered(line: str) -> list[str]:
        told = {"_ORION_NB_COMPLETE": "complete_bash", "COMP_WORDS": line}
        told["COMP_CWORD"] = str(len(line.split(" ")) - 1)
        return CliRunner().invoke(app, [], env=told, prog_name="orion-nb").stdout.split()

    return offered


@pytest.fixture
def folder(tmp_path, here, notebook):
    """Things to run: two notebooks, one of them deployed, a flow, and a folder."""
    notebook("1", parameters="day = 'x'", name="partial")
    source = "from orion_nb import flow\n@flow\ndef etl(day: str, n: int = 3): ...\n"
    (tmp_path / "parts.py").write_text(source)
    (tmp_path / "parts.csv").touch()
    (tmp_path / "parsed").mkdir()
    (tmp_path / "parsed" / "in.ipynb").touch()
    deployed = notebook("1", parameters="first = 1\nlast = 9", name="work")
    here.create_deployment("parades", str(deployed))
    return tmp_path


def test_runs_are_offered_by_name_and_by_id(complete, here):
    run, _ = here.begin(here.new_run("flow", "Flaky"), Running())
    here.advance(run, Completed())
    assert complete("orion-nb runs why Fla") == ["Flaky"]
    assert complete(f"orion-nb runs why {short(run.id)[:7]}") == [short(run.id)]
    assert complete("orion-nb runs why zz") == []


def test_what_can_be_run_is_offered(complete, folder):
    assert complete("orion-nb run par") == ["parades", "parsed/", "partial.ipynb", "parts.py"]
    assert complete("orion-nb run parsed/") == ["parsed/in.ipynb"]
    assert complete("orion-nb run nowhere/") == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("run parades -p ", ["first=", "last="]),
        ("run --no-wait parades -p first=2 --param l", ["last="]),
        ("run partial.ipynb -p ", ["day="]),
        ("run parts.py:etl -p n", ["n="]),
        ("run nothing -p ", []),
        ("run parts.csv -p ", []),
    ],
)
def test_the_parameters_of_what_is_run_are_offered(complete, folder, line, names):
    assert complete(f"orion-nb {line}") == names
