from __future__ import annotations

import json
import zipfile

import pytest

from orion_nb import artifact, flow

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


class Plot:
    """Shows itself as an image and as HTML."""

    def _repr_png_(self):
        return PNG

    def _repr_html_(self):
        return "<b>ä</b>"

    def __repr__(self):
        return "a plot"


@pytest.fixture
def shown(home, tmp_path):
    file = tmp_path / "table.csv"
    file.write_bytes(b"a,b\r\n1,2\r\n")

    @flow
    def report():
        artifact({"total": 1}, key="total")
        artifact({"total": 2}, key="total")
        artifact(Plot(), key="plot", description="one of \x1b[31mfour")
        artifact(file)

    report()


def test_they_are_listed_newest_first(call, shown):
    told = call("artifacts", "ls", "--json").json
    assert [each["key"] for each in told["artifacts"]] == [None, "plot", "total", "total"]
    lines = call("artifacts", "ls", "--key", "total").out.splitlines()
    assert [line.split()[1:3] for line in lines if "total" in line] == [
        ["total", "2"],
        ["total", "1"],
    ]
    assert "one of four" in call("artifacts", "ls", "--run", "report").out
    assert call("artifacts", "ls", "--key", "nothing").err == "No artifact matches.\n"
    assert "--cursor" in call("artifacts", "ls", "--limit", "1").err


def test_one_is_shown_with_its_text(call, shown):
    out = call("artifacts", "show", "plot").out
    assert out.startswith("plot version 1")
    assert "one of four\na plot\n" in out
    assert "--out FILE saves text/html (9 bytes), image/png (264 bytes)" in out
    assert json.loads(call("artifacts", "show", "total", "--json").out)["version"] == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plot.png", PNG),
        ("plot.html", "<b>ä</b>".encode()),
        ("plot.txt", b"a plot"),
        ("plot", PNG),
    ],
)
def test_one_is_saved_in_the_format_of_the_files_name(call, shown, tmp_path, name, content):
    out = tmp_path / name
    done = call("artifacts", "show", "plot", "--out", out)
    assert (done.code, done.out) == (0, "")
    assert out.read_bytes() == content


def test_a_file_is_saved_as_it_was(call, shown, tmp_path):
    newest = call("artifacts", "ls", "--json").json["artifacts"][0]["id"]
    for name in ("again.csv", "again.data", "again"):
        call("artifacts", "show", newest[-8:], "--out", tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"a,b\r\n1,2\r\n"


def test_what_cant_be_done_is_said(call, shown, tmp_path):
    done = call("artifacts", "show", "plot", "--out", tmp_path / "plot.pdf")
    assert done.code == 2
    assert "--out: it has no application/pdf; there are text/html, image/png" in done.err
    assert "can't be written" in call("artifacts", "show", "plot", "--out", tmp_path).err
    done = call("artifacts", "show", "nothing")
    assert (done.code, "no artifact 'nothing'" in done.err) == (2, True)


def test_all_that_a_run_has_shown_is_saved_as_a_zip(call, shown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = call("artifacts", "save", "report", "--json").json
    with zipfile.ZipFile(told["file"]) as made:
        names = made.namelist()
    assert names == told["files"]
    assert {"artifacts/plot.png", "artifacts/table.csv", "artifacts/total.json"} < set(names)
    assert call("artifacts", "save", "report", "--out", "all.zip").code == 0
    assert (tmp_path / "all.zip").stat().st_size == told["size"]
    refused = call("artifacts", "save", "report", "--out", str(tmp_path / "no" / "all.zip"))
    assert refused.code == 2
