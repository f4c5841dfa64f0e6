from __future__ import annotations

import base64
import logging
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from orion_nb import artifact, connect, flow, task
from orion_nb.engine import bundles
from orion_nb.engine.bundles import bundle_of
from orion_nb.errors import InvalidInput

PNG = b"\x89PNG\r\n\x1a\n" + zlib.compress(bytes(range(256)))


class Picture:
    """Shows itself as an image, as HTML and as text."""

    def _repr_png_(self):
        return PNG, {"width": 4}

    def _repr_html_(self):
        return "<img alt='ä'>"

    def _repr_svg_(self):
        return None

    def __repr__(self):
        return "a picture"


def show(obj, **how):
    """What is kept of an object that a run shows."""

    @task
    def showing():
        assert artifact(obj, **how) is obj

    showing()
    return connect().read_artifact(connect().filter_artifacts()["artifacts"][0]["id"])


def test_what_an_object_shows_in_notebooks_comes_back_byte_for_byte():
    told = show(Picture(), key="picture", description="one of four")
    assert told["data"] == {
        "text/html": "<img alt='ä'>",
        "image/png": base64.b64encode(PNG).decode(),
        "text/plain": "a picture",
    }
    assert base64.b64decode(told["data"]["image/png"]) == PNG
    assert told["binary"] == ["image/png"]
    assert told["metadata"] == {"width": 4}
    assert (told["key"], told["version"], told["description"]) == ("picture", 1, "one of four")
    assert told["run"] == connect().find("showing").id


def test_the_same_key_is_a_series_over_runs():
    @flow
    def report(total):
        artifact({"total": total}, key="total")

    for total in (1, 2, 3):
        report(total)
    found = connect().filter_artifacts(key="total")["artifacts"]
    assert [each["version"] for each in found] == [3, 2, 1]
    assert len({each["run"] for each in found}) == 3
    told = [connect().read_artifact(each["id"])["data"]["application/json"] for each in found]
    assert told == [{"total": 3}, {"total": 2}, {"total": 1}]


def test_outside_of_a_run_there_is_nothing_to_show_it_with():
    with pytest.raises(RuntimeError, match="no flow or task is being executed here"):
        artifact("text")


def test_a_text_is_markdown():
    assert show("# Title\r\n*ä*")["data"] == {"text/markdown": "# Title\r\n*ä*"}


def test_data_is_json():
    numpy = pytest.importorskip("numpy")
    told = show({"a": [1, 2.5, None, True, float("nan")], 3: (numpy.int64(7), Path("x"), {"s"})})
    assert told["data"]["application/json"] == {
        "a": [1, 2.5, None, True, "nan"], "3": [7, "x", ["s"]],
    }  # fmt: skip
    assert show(["x", 1])["data"]["application/json"] == ["x", 1]


def test_data_that_has_no_end_is_left_out():
    endless: list[object] = []
    endless += [endless, endless]
    told = show(endless)
    assert list(told["data"]) == ["text/plain"]
    assert "nested deeper than 50 levels" in told["notes"][0]


def test_bytes_are_kept_as_they_are():
    told = show(bytes(range(256)))
    assert base64.b64decode(told["data"]["application/octet-stream"]) == bytes(range(256))
    assert told["data"]["text/plain"] == "256 bytes"


def test_of_a_table_the_first_rows_are_kept_as_html_and_text():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"n": range(1000), "s": ["<b>&"] * 1000})
    told = show(table)
    assert told["metadata"] == {"rows": 1000, "columns": 2}
    assert told["notes"] == ["the first 20 of 1000 rows"]
    assert told["data"]["text/html"].count("<tr") == 21
    assert "&lt;b&gt;&amp;" in told["data"]["text/html"]
    assert told["data"]["text/plain"].splitlines()[-1].split() == ["19", "19", "<b>&"]
    wide = show(pandas.DataFrame([[0] * 100]))
    assert wide["notes"] == ["20 of 100 columns"]
    assert len(wide["data"]["text/html"]) < 4000


def test_an_image_is_kept_as_png():
    image = pytest.importorskip("PIL.Image").new("RGB", (3, 2), "red")
    told = show(image)
    assert base64.b64decode(told["data"]["image/png"]).startswith(b"\x89PNG")


def test_a_figure_is_kept_as_png():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([1, 2])
    told = show(figure)
    assert base64.b64decode(told["data"]["image/png"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "content", "kind", "is_binary"),
    [
        ("report.csv", b"a,b\r\n1,\xc3\xa4\r\n", "text/csv", False),
        ("odd.txt", b"\xff\x00 no text", "text/plain", True),
        ("data.json", b'{ "a":1 }\n', "application/json", True),
        ("plot.png", PNG, "image/png", True),
        ("model", b"\x00\x01", "application/octet-stream", True),
        ("empty.html", b"", "text/html", False),
    ],
)
def test_a_file_is_kept_with_its_contents(tmp_path, name, content, kind, is_binary):
    path = tmp_path / name
    path.write_bytes(content)
    told = show(path)
    assert told["metadata"]["file"] == {"name": name, "type": kind, "size": len(content)}
    assert told["binary"] == ([kind] if is_binary else [])
    kept = told["data"][kind]
    assert (base64.b64decode(kept) if is_binary else kept.encode()) == content


def test_of_a_large_file_or_none_at_all_the_name_is_kept(tmp_path):
    large = tmp_path / "large.bin"
    large.write_bytes(b"x" * (1024 * 1024 + 1))
    told = show(large)
    assert told["data"] == {"text/plain": "large.bin, 1048577 bytes"}
    assert "larger than 1 MiB" in told["notes"][0]
    assert show(tmp_path / "nothing")["notes"] == ["there is no such file"]
    assert show(tmp_path)["notes"] == ["it is no plain file"]


def test_what_is_too_large_is_left_out_with_a_note():
    class Large:
        def _repr_html_(self):
            return "x" * (bundles.MOST + 1)

        def _repr_markdown_(self):
            return "y" * bundles.MOST_OF_FILE

        def __repr__(self):
            return "z" * 100_000

    told = show(Large())
    assert list(told["data"]) == ["text/markdown", "text/plain"]
    assert told["data"]["text/plain"].endswith("… (cut; it has 100000 characters)")
    (note,) = told["notes"]
    assert note.startswith("text/html was left out: it has 4194305 bytes, there is room for")
    told = show("x" * (bundles.MOST + 1))
    assert told["data"] == {"text/plain": "(nothing of it could be kept)"}


def test_what_cant_be_shown_says_so_and_fails_nothing():
    class Broken:
        def _repr_html_(self):
            raise ValueError("no html")

        def _repr_png_(self):
            return "no base64!"

        def _repr_json_(self):
            return [object] * 2

        def __repr__(self):
            raise LookupError("no text")

    told = show(Broken())
    assert told["data"]["text/plain"] == "<Broken: LookupError: no text>"
    assert told["notes"][0] == "_repr_html_ raised ValueError: no html"
    assert told["notes"][1].startswith("image/png was left out: ")
    assert told["data"]["application/json"] == ["<class 'object'>"] * 2


def test_objects_that_answer_to_any_name_and_classes_are_asked_nothing():
    class Anything:
        def __getattr__(self, name):
            return lambda: f"<b>{name}</b>"

        def __repr__(self):
            return "anything"

    assert show(Anything())["data"] == {"text/plain": "anything"}
    assert list(show(Picture)["data"]) == ["text/plain"]


def test_half_a_character_is_kept_as_its_number():
    assert show("a\ud800b")["data"] == {"text/markdown": "a\\ud800b"}


def test_a_key_is_a_text():
    @task
    def showing():
        artifact("x", key="")

    with pytest.raises(InvalidInput, match="key: 1 to 255 characters"):
        showing()


def test_an_artifact_that_cant_be_stored_is_a_warning_and_no_failure(monkeypatch, caplog):
    monkeypatch.setattr("orion_nb.store.artifacts.MOST", 2)

    @task
    def showing():
        for n in range(3):
            artifact(str(n), key="n")
        return 5

    with caplog.at_level(logging.WARNING):
        assert showing() == 5
    assert len(connect().filter_artifacts(key="n")["artifacts"]) == 2
    (line,) = connect().read_logs("showing")["lines"]
    assert line["message"].startswith("artifact n was not kept: data: a run has at most 1,000")


def test_nothing_is_imported_for_it():
    code = """
import sys
from orion_nb.engine.bundles import bundle_of
for each in ("text", {"a": 1}, object(), b"x"):
    bundle_of(each)
assert not {"IPython", "pandas", "numpy", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_bundle_is_made_without_a_run():
    made = bundle_of(5)
    assert made.data == {"text/plain": "5"}
