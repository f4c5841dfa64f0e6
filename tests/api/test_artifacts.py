from __future__ import annotations

import base64

import pytest

from orion_nb.errors import InvalidInput, NotFound, RunNotFound, TooLarge
from orion_nb.store import artifacts

PNG = bytes(range(256)) * 4
B64 = base64.b64encode(PNG).decode()


@pytest.fixture
def run(orion):
    return orion.create_run("flow", "whole").id


def test_png_html_and_text_come_back_byte_for_byte(orion, run):
    data = {
        "image/png": B64,
        "text/html": "<b>ä</b>\r\n\x00 <script>alert(1)</script>",
        "text/plain": "a\nb",
        "application/json": {"x": [1, None, "é"]},
    }
    made = orion.add_artifact(
        run, data, key="plot", description="how it went", binary=["image/png"],
        metadata={"image/png": {"width": 3}}, notes=["the first 20 rows"],
    )  # fmt: skip
    told = orion.read_artifact(made["id"])
    assert told["data"] == data
    assert base64.b64decode(told["data"]["image/png"]) == PNG
    assert told["binary"] == ["image/png"]
    assert told["metadata"] == {"image/png": {"width": 3}}
    assert told["notes"] == ["the first 20 rows"]
    size = (
        len(PNG)
        + len(data["text/html"].encode())
        + len("a\nb")
        + len('{"x": [1, null, "\\u00e9"]}')
    )
    assert told["size"] == size
    assert made == {key: told[key] for key in made}
    assert made["types"] == list(data)


def test_artifacts_of_a_key_are_versions_over_runs(orion, run):
    other = orion.create_run("flow", "whole").id
    for where in (run, other, run):
        orion.add_artifact(where, {"text/plain": where}, key="sum")
    orion.add_artifact(run, {"text/plain": "beside"})
    told = orion.filter_artifacts(key="sum")["artifacts"]
    assert [(each["version"], each["run"]) for each in told] == [(3, run), (2, other), (1, run)]
    assert all("data" not in each for each in told)
    assert orion.read_artifact("sum")["version"] == 3
    mine = orion.read_artifacts(run)["artifacts"]
    assert [(each["key"], each["version"]) for each in mine] == [
        (None, None), ("sum", 3), ("sum", 1),
    ]  # fmt: skip


def test_lists_come_in_pages(orion, run):
    for n in range(5):
        orion.add_artifact(run, {"text/plain": str(n)}, key="n")
    found, cursor = [], None
    while True:
        page = orion.filter_artifacts(key="n", limit=2, cursor=cursor)
        found += [each["version"] for each in page["artifacts"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert found == [5, 4, 3, 2, 1]


def test_one_is_found_by_id_last_digits_and_key(orion, run):
    made = orion.add_artifact(run, {"text/plain": "x"}, key="my sum")["id"]
    for ref in (made, made[-8:], "my sum"):
        assert orion.read_artifact(ref)["id"] == made
    for ref in ("nothing", "0" * 32, "beef"):
        with pytest.raises(NotFound, match="no artifact"):
            orion.read_artifact(ref)
    with pytest.raises(RunNotFound):
        orion.read_artifacts("nothing")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"data": {}}, "data: 1 to 32 formats, got 0"),
        ({"data": {"png": "x"}}, "data: 'png' is no MIME type"),
        ({"data": {"text/plain\r\nX: y": "x"}}, "data: 'text/plain\\r\\nX: y' is no MIME type"),
        ({"data": {"image/png": "?"}, "binary": ["image/png"]}, "data: image/png is in `binary`"),
        ({"data": {"image/png": 5}, "binary": ["image/png"]}, "data: image/png is in `binary`"),
        ({"data": {"a/b": "x"}, "binary": ["c/d"]}, "binary: 'c/d' is not in data"),
        ({"data": {"a/b": object()}}, "data: object is neither text nor JSON"),
        ({"data": {"a/b": float("nan")}}, "data: float is neither text nor JSON"),
        ({"data": {"a/b": "\ud800"}}, "data: str is neither text nor JSON"),
        ({"data": {"a/b": "x"}, "key": ""}, "key: 1 to 255 characters"),
        ({"data": {"a/b": "x"}, "key": "a\nb"}, "key: 'a\\nb' has a control character"),
        ({"data": {"a/b": "x"}, "description": "x" * 10_001}, "description: at most 10000"),
    ],
)
def test_what_cant_be_accepted_is_refused(orion, run, fields, says):
    with pytest.raises(InvalidInput) as refused:
        orion.add_artifact(run, **fields)
    assert str(refused.value).startswith(says)
    assert orion.read_artifacts(run)["artifacts"] == []


def test_an_artifact_has_at_most_four_mebibytes(orion, run):
    most = 4 * 1024 * 1024
    orion.add_artifact(run, {"text/plain": "x" * most})
    with pytest.raises(TooLarge, match="at most 4 MiB, got 4194305 bytes"):
        orion.add_artifact(run, {"text/plain": "x" * most, "text/html": "y"})
    with pytest.raises(TooLarge, match="metadata: more than 64 KiB"):
        orion.add_artifact(run, {"text/plain": "x"}, metadata={"a": "x" * 65536})


def test_a_run_has_at_most_a_thousand(orion, run, other):
    row = {"key": None, "description": None, "created": 0, "size": 1, "data": {"text/plain": "x"}}

    def fill(tx):
        for n in range(artifacts.MOST - 1):
            artifacts.insert(tx, artifacts.Artifact(f"{n:032x}", run, **row))

    orion.database.write(fill)
    orion.add_artifact(run, {"text/plain": "x"})
    with pytest.raises(TooLarge, match=r"at most 1,000 artifacts, of together 64 MiB"):
        other.add_artifact(run, {"text/plain": "x"})


def test_a_run_has_at_most_64_mebibytes(orion, run):
    for _ in range(16):
        orion.add_artifact(run, {"text/plain": "x" * (4 * 1024 * 1024)})
    with pytest.raises(TooLarge):
        orion.add_artifact(run, {"text/plain": "x"})
