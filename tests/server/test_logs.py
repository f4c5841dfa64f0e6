from __future__ import annotations

import base64
import zipfile
from io import BytesIO

import pytest


@pytest.fixture
def page(server, run):
    """Reads a page of the run's log."""

    def read(query=""):
        answer = server.call("GET", f"/runs/{run['id']}/logs{query}")
        assert answer.status == 200
        return answer.json

    return read


def test_lines_are_written_and_read_over_http(server, run, page):
    lines = [{"run": run["id"], "message": f"<b>{n}</b>", "level": 10 * n} for n in range(1, 5)]
    written = server.call("POST", "/logs", {"lines": lines})
    assert (written.status, written.json) == (201, {"stored": 4, "over": {}})
    first = page("?limit=3&level=warning")
    assert [line["message"] for line in first["lines"]] == ["<b>3</b>", "<b>4</b>"]
    first = page("?limit=3")
    rest = page(f"?after={first['cursor']}&tree=true")
    assert [line["message"] for line in rest["lines"]] == ["<b>4</b>"]
    found = server.call("POST", "/logs/filter", {"run": run["id"], "text": "2</b"}).json
    assert [line["level"] for line in found["lines"]] == [20]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"lines": [{"run": "0" * 32, "message": "x"}]}, 404),
        ({"lines": [{"run": "x", "message": "x"}]}, 422),
        ({"lines": [{"message": "x"}]}, 422),
        ({"lines": "x"}, 422),
        ({"lines": [5]}, 422),
        ({}, 422),
        ({"lines": [{}] * 1001}, 413),
        ({"lines": [], "lost": {"0" * 32: 1}}, 404),
    ],
)
def test_lines_that_cant_be_accepted_are_refused(server, told, status):
    assert server.call("POST", "/logs", told).status == status


@pytest.mark.parametrize(
    "query", ["level=loud", "after=x", "limit=0", "after=99999999999999999999"]
)
def test_a_query_that_cant_be_read_is_refused(server, run, query):
    assert server.call("GET", f"/runs/{run['id']}/logs?{query}").status == 422


def test_an_artifact_is_answered_as_data_whatever_it_holds(server, run):
    html = "<script>alert(1)</script>"
    png = base64.b64encode(bytes(range(256))).decode()
    told = {"data": {"text/html": html, "image/png": png}, "binary": ["image/png"], "key": "page"}
    made = server.call("POST", f"/runs/{run['id']}/artifacts", told)
    assert made.status == 201
    for path in (f"/artifacts/{made.json['id']}", "/artifacts/page"):
        answer = server.call("GET", path, headers={"Accept": "text/html"})
        assert answer.status == 200
        assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.json["data"] == {"text/html": html, "image/png": png}
    listed = server.call("GET", f"/runs/{run['id']}/artifacts").json["artifacts"]
    assert listed == [made.json]
    found = server.call("POST", "/artifacts/filter", {"key": "page", "limit": 1}).json
    assert found["artifacts"][0]["run"] == run["id"]


def test_an_artifact_that_cant_be_accepted_is_refused(server, run):
    path = f"/runs/{run['id']}/artifacts"
    assert server.call("POST", path, {"data": {"text": "x"}}).status == 422
    assert server.call("POST", path, {"data": {"a/b": "x" * 2**21}}).status == 413
    assert server.call("GET", "/artifacts/nothing").status == 404


def test_artifacts_are_downloaded_one_by_one_and_as_a_zip(server, run):
    png = b"\x89PNG\r\n\x1a\n" + bytes(64)
    told = {
        "key": "a plot",
        "data": {"image/png": base64.b64encode(png).decode(), "text/html": "<script>1</script>"},
        "binary": ["image/png"],
    }
    made = server.call("POST", f"/runs/{run['id']}/artifacts", told).json["id"]
    best = server.call("GET", f"/artifacts/{made}/content")
    page = server.call("GET", f"/artifacts/{made}/content?type=text/html")
    packed = server.call("GET", f"/runs/{run['id']}/artifacts.zip")
    assert (best.body, page.body) == (png, b"<script>1</script>")
    with zipfile.ZipFile(BytesIO(packed.body)) as files:
        assert sorted(files.namelist()) == ["artifacts/a-plot.png", "index.json"]
        assert files.read("artifacts/a-plot.png") == png
    for answer, name in ((best, "a-plot.png"), (page, "a-plot.html"), (packed, ".zip")):
        assert answer.status == 200
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert name in answer.headers["Content-Disposition"]
        assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "html" not in answer.headers["Content-Type"]
    refused = server.call("GET", f"/artifacts/{made}/content?type=image/gif")
    assert (refused.status, "image/png, text/html" in refused.json["message"]) == (404, True)
    empty = server.call("POST", "/runs", {"kind": "flow", "name": "empty"}).json["id"]
    assert server.call("GET", f"/runs/{empty}/artifacts.zip").status == 404
