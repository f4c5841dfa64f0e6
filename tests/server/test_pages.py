from __future__ import annotations

import json

import pytest

from orion_nb_server.pages import DOCS_SCRIPT, SCRIPT, STATIC

PAGE_POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-ancestors 'self'",
    "base-uri 'none'",
    "form-action 'none'",
}
EVIL = "<script>document.title = 'evil'</script><img src=x onerror=alert(1)>"

needs_build = pytest.mark.skipif(
    not (STATIC / SCRIPT).is_file(), reason="the dashboard is not built: node widgets/build.mjs"
)


def policy(answer):
    return set(answer.headers["Content-Security-Policy"].split("; "))


@needs_build
def test_the_dashboard_is_a_shell_around_its_script(server):
    answer = server.send("GET", "/orion/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = answer.body.decode()
    assert '<div id="orion" data-base-url="/" data-api="/orion/api/v1">' in page
    assert '<script defer src="/orion/static/orion-dashboard.js">' in page
    assert "orion-dashboard.css" in page


def test_the_dashboard_runs_no_script_but_its_own(server):
    answer = server.send("GET", "/orion/")
    assert policy(answer) == PAGE_POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_dashboard_brings_the_cookie_its_script_needs(server, token):
    assert "_xsrf" in server.send("GET", f"/orion/?token={token}", token=None).cookies


@pytest.mark.skipif(not (STATIC / DOCS_SCRIPT).is_file(), reason="the page is not built")
def test_the_page_on_the_api_is_a_shell_around_its_script(server):
    answer = server.send("GET", "/orion/docs")
    assert answer.status == 200
    assert policy(answer) == PAGE_POLICY
    page = answer.body.decode()
    assert '<div id="orion-docs" data-api="/orion/api/v1">' in page
    assert '<script defer src="/orion/static/orion-docs.js">' in page
    assert "<title>Orion REST API</title>" in page


def test_the_short_address_leads_to_the_dashboard(server):
    answer = server.send("GET", "/orion")
    assert (answer.status, answer.headers["Location"]) == (302, "/orion/")


@needs_build
@pytest.mark.parametrize(
    ("name", "media"),
    [("orion-dashboard.js", "text/javascript"), ("orion-dashboard.css", "text/css")],
)
def test_the_built_files_are_served(server, name, media):
    answer = server.send("GET", f"/orion/static/{name}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == f"{media}; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.body == (STATIC / name).read_bytes()
    again = server.send(
        "GET", f"/orion/static/{name}", headers={"If-None-Match": answer.headers["Etag"]}
    )
    assert again.status == 304


@pytest.mark.parametrize(
    "name", ["none.js", "../app.py", "..%2fapp.py", "%2e%2e/app.py", "a/../../app.py", ".", ".."]
)
def test_nothing_else_is_served_as_a_file(server, name):
    assert server.send("GET", f"/orion/static/{name}").status in (403, 404)


def test_a_base_url_is_in_every_link(tmp_path, start_server):
    with start_server(tmp_path, base="/user/ann") as server:
        page = server.send("GET", "/orion/").body.decode()
        assert server.call("GET", "/health").status == 200
        document = server.call("GET", "/openapi.json").json
    assert document["servers"] == [{"url": "/user/ann/orion/api/v1"}]
    assert "/user/ann/orion/api/v1" in page


@pytest.fixture
def executed(server, run):
    """The path where the run's executed notebook is kept; the test writes it."""
    path = server.home / "runs" / run["id"] / "notebook.ipynb"
    path.parent.mkdir(parents=True)
    return path


def test_an_executed_notebook_is_a_download(server, run, executed):
    executed.write_text('{"cells": []}')
    answer = server.call("GET", f"/runs/{run['id']}/notebook.ipynb")
    assert (answer.status, answer.body) == (200, b'{"cells": []}')
    assert answer.headers["Content-Type"] == "application/x-ipynb+json"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename*=utf-8''sort-")


def test_an_executed_notebook_is_shown_without_scripts(server, run, executed):
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": EVIL}}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "1 + 1", "outputs": [output],
            "execution_count": 1}  # fmt: skip
    told = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    executed.write_text(json.dumps(told))
    answer = server.call("GET", f"/runs/{run['id']}/notebook.html")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert policy(answer) == {
        "sandbox", "default-src 'none'", "img-src data:", "style-src 'unsafe-inline'",
    }  # fmt: skip
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert b"1 + 1" in answer.body or b">1</span>" in answer.body


@pytest.mark.parametrize("ext", ["ipynb", "html"])
def test_a_run_without_notebook_has_none(server, run, ext):
    answer = server.call("GET", f"/runs/{run['id']}/notebook.{ext}")
    assert (answer.status, answer.json["error"]) == (404, "NotebookNotFound")


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"cells": 1}', '{"nbformat": 4}'])
def test_a_file_that_is_no_notebook_is_not_shown(server, run, executed, text):
    executed.write_text(text)
    answer = server.call("GET", f"/runs/{run['id']}/notebook.html")
    assert answer.status in (200, 422)
    assert answer.status == 200 or answer.json["error"] == "InvalidNotebook"
