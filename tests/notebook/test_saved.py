"""A notebook executed by plain nbclient, as other tools do, is readable for everyone after."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

from orion_nb import connect
from orion_nb.schemas.runs import Run

ROOT = Path(__file__).parents[2]
WIDGET = "application/vnd.jupyter.widget-view+json"
CELLS = [
    "%load_ext orion_nb\nfrom orion_nb import flow, task\nimport asyncio",
    "%%task readings --retries 1\nreadings = [3, 1, 2]\nsorted(readings)",
    "%%task note\nawait asyncio.sleep(0)\nnote = 'n'",
    "pack = task(lambda n: n, name='pack')\n@flow\ndef shipment(): pack.map(range(5))\nshipment()",
    "%orion why readings",
]


def notebook(*cells: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def execute(nb: Any) -> None:
    NotebookClient(nb, timeout=60, kernel_name="python3").execute()


@pytest.fixture(autouse=True)
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The kernels import this checkout, and leave nothing anywhere else."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    folders = [ROOT, ROOT / "server_extension", ROOT / "widgets"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))


def outputs(nb: Any) -> list[Any]:
    return [output for cell in nb.cells for output in cell.get("outputs", [])]


def test_it_reads_the_same_twice_and_holds_no_widget(home: Any) -> None:
    nb = notebook(*CELLS)
    for _ in range(2):
        execute(nb)
        bundles = [output["data"] for output in outputs(nb) if "data" in output]
        assert not any(WIDGET in bundle for bundle in bundles)
        assert [sorted(bundle) for bundle in bundles] == [
            ["text/html", "text/plain"],
            ["text/plain"],
            ["text/html", "text/plain"],
            ["text/html", "text/plain"],
            ["text/html", "text/plain"],
        ]
        texts = [bundle["text/plain"] for bundle in bundles]
        assert texts[0].startswith("✔ Completed  readings  attempt 1 of 2")
        assert texts[1] == "[1, 2, 3]"
        assert texts[3].count("pack  ✔ Completed") == 5
        nbformat.validate(nb)
        assert len(nbformat.writes(nb)) < 20_000, "nor the code of one"
    runs = connect().filter_runs(name="notebook")["runs"]
    assert [run["state"]["name"] for run in runs] == ["Completed"] * 2
    assert len(connect().filter_runs(name="pack")["runs"]) == 10


def test_its_html_shows_the_tables_and_asks_nobody_for_anything(home: Any) -> None:
    nb = notebook(*CELLS)
    execute(nb)
    html, _ = HTMLExporter(template_name="basic").from_notebook_node(nb)
    assert html.count("✔ Completed") >= 7
    assert "shipment" in html
    assert "Error" not in html
    assert WIDGET not in html


def test_a_cell_that_fails_fails_the_notebook_under_its_own_name(home: Any) -> None:
    nb = notebook(CELLS[0], "%%task broken\n{}['price']", "never = 1")
    with pytest.raises(CellExecutionError) as caught:
        execute(nb)
    assert (caught.value.ename, caught.value.evalue) == ("KeyError", "'price'")
    (session,) = connect().filter_runs(name="notebook")["runs"]
    assert session["state"]["name"] == "Failed"
    assert session["state"]["message"] == "did not complete: broken"
    run: Run = connect().find("broken")
    assert run.parent == session["id"]
    assert outputs(nb)[0]["data"]["text/plain"].startswith("✖ Failed  broken")


def test_a_failing_flow_leaves_its_table_in_the_file(home: Any) -> None:
    nb = notebook(CELLS[0], "@flow\ndef raising():\n    task(lambda: 1 / 0, name='t')()\nraising()")
    with pytest.raises(CellExecutionError):
        execute(nb)
    (bundle,) = [output["data"] for output in outputs(nb) if "data" in output]
    assert WIDGET not in bundle
    assert "✖ Failed  raising" in bundle["text/plain"]
    assert "ZeroDivisionError" in bundle["text/html"]
