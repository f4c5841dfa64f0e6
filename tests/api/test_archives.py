"""What a run has shown as files: the images and HTML of its cells, and all of it in a zip."""

from __future__ import annotations

import base64
import json
import zipfile
from io import BytesIO

import pytest

from orion_nb import artifact, flow
from orion_nb.api.archives import archive, archive_name, slug
from orion_nb.errors import InvalidNotebook, NotFound

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def executed(orion):
    """Puts an executed notebook of these outputs, one list for each cell, into a run's folder."""

    def write(*cells):
        run = orion.create_run("flow", "daily")
        folder = orion.settings.notebooks / run.id
        folder.mkdir(parents=True)
        made = [{"cell_type": "code", "source": "1", "outputs": list(each)} for each in cells]
        made.insert(0, {"cell_type": "markdown", "source": "# Title"})
        told = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / "notebook.ipynb").write_text(json.dumps(told), "utf-8")
        return run

    return write


def shows(**data):
    kinds = {name.replace("_", "/", 1): value for name, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": kinds}


def unpacked(data):
    with zipfile.ZipFile(BytesIO(data)) as made:
        assert made.testzip() is None
        return {name: made.read(name) for name in made.namelist()}


def test_images_and_html_of_cells_are_listed(orion, executed):
    png = base64.b64encode(PNG).decode()
    run = executed(
        [{"output_type": "stream", "name": "stdout", "text": "printed"}],
        [
            shows(image_png=png, text_plain="a plot"),
            shows(text_plain="only text"),
            shows(text_html=["<b>a", "</b>"]),
        ],
    )
    told = orion.read_outputs(run.id)
    assert told == {
        "run": run.id,
        "outputs": [
            {"cell": None, "index": 2, "place": 1, "types": ["image/png"], "size": len(png)},
            {"cell": None, "index": 2, "place": 2, "types": ["text/html"], "size": 8},
        ],
    }
    image, html = orion.read_outputs(run.id, contents=True)["outputs"]
    assert (image["data"], image["binary"]) == ({"image/png": png}, ["image/png"])
    assert (html["data"], html["binary"]) == ({"text/html": "<b>a</b>"}, [])


def test_a_flow_has_no_outputs_and_a_broken_notebook_says_so(orion, executed):
    run = executed()
    (orion.settings.notebooks / run.id / "notebook.ipynb").write_text("{", "utf-8")
    with pytest.raises(InvalidNotebook, match="can't be read"):
        orion.read_outputs(run.id)
    assert orion.read_outputs(orion.create_run("flow", "f").id)["outputs"] == []


def test_what_is_too_much_is_listed_without_contents(orion, executed, monkeypatch):
    from orion_nb.api import outputs

    monkeypatch.setattr(outputs, "MOST", 10)
    run = executed([shows(text_html="<b>1</b>"), shows(text_html="<b>2</b>")])
    told = orion.read_outputs(run.id, contents=True)["outputs"]
    assert [each["data"] for each in told] == [{"text/html": "<b>1</b>"}, None]
    files = unpacked(archive(orion, run.id)[1])
    assert sorted(files) == ["index.json", "outputs/cell-at-1-1.html"]


def test_all_that_a_run_has_shown_is_in_one_zip(orion, tmp_path):
    file = tmp_path / "table.csv"
    file.write_bytes(b"a,b\r\n1,2\r\n")

    @flow
    def report():
        artifact({"total": 1}, key="total")
        artifact({"total": 2}, key="total")
        artifact("# ä", key="../../etc/pass wd")
        artifact(file)

    report()
    run, packed = archive(orion, "report")
    files = unpacked(packed)
    index = json.loads(files.pop("index.json"))
    # The newest has the plain name.
    assert json.loads(files.pop("artifacts/total.json")) == {"total": 2}
    assert json.loads(files.pop("artifacts/total-2.json")) == {"total": 1}
    assert files.pop("artifacts/table.csv") == file.read_bytes()
    assert files == {"artifacts/etc-pass-wd.md": "# ä".encode()}
    assert [each["key"] for each in index["artifacts"]] == [
        None,
        "../../etc/pass wd",
        *["total"] * 2,
    ]
    assert (index["run"], index["name"]) == (run.id, "report")
    assert archive_name(run) == f"report-{run.id[-8:]}.zip"


def test_a_run_that_has_shown_nothing_says_so(orion):
    with pytest.raises(NotFound, match="has shown nothing"):
        archive(orion, orion.create_run("flow", "f").id)


@pytest.mark.parametrize("name", ["", "..", "/", "a/../b", "con\0", "-" * 9, "é" * 300])
def test_no_name_leads_out_of_the_folder(name):
    made = slug(name)
    assert made
    assert len(made) <= 80
    assert not set(made) & set("/\\.\0:")
