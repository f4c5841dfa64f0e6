"""Hostile text in names, logs and notebooks, shown in a real browser: nothing of it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from orion_nb.schemas.states import Failed, Running
from tests.server.conftest import API, TOKEN, Server, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: What each would do if it ran: set a mark, or ask for something with `pwned` in its address.
EVIL = (
    "<script>window.__pwned=1;fetch('/pwned')</script>",
    "\"'><img src=/pwned onerror=window.__pwned=1>",
    "<svg onload=window.__pwned=1><image href=https://evil.example/pwned></svg>",
    '<iframe src="javascript:parent.__pwned=1"></iframe>',
    "<link rel=stylesheet href=https://evil.example/pwned.css>",
    "<style>body{background:url(https://evil.example/pwned)}</style>",
    "javascript:window.__pwned=1",
    "${window.__pwned=1}{{constructor.constructor('window.__pwned=1')()}}",
)
EVERYTHING = "".join(EVIL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="module")
def run(server: Server) -> str:
    """A failed flow run with tasks, logs and an artifact, all of them hostile."""
    orion = server.orion()
    more = {"tags": EVIL[:4], "parameters": {text: text for text in EVIL}}
    flow, _ = orion.begin(orion.new_run("flow", EVIL[1], run_name=EVIL[0], **more), Running())
    for text in EVIL:
        task, _ = orion.begin(orion.new_run("task", text, parent=flow.id, key=text), Running())
        orion.write_logs([{"run": task.id, "message": text, "level": 40, "logger": text}])
        orion.advance(task, Failed(f"ValueError: {text}"))
    orion.write_logs([{"run": flow.id, "message": EVERYTHING, "level": 40}])
    orion.advance(flow, Failed(EVERYTHING))
    orion.close()
    (server.root / "work.ipynb").write_text(json.dumps(notebook()))
    told = {"name": "work", "path": "work.ipynb", "tags": list(EVIL[:4])}
    assert server.call("POST", "/deployments", told).status == 201
    kept = server.home / "runs" / flow.id / "notebook.ipynb"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(notebook()))
    return flow.id


def notebook() -> dict[str, object]:
    """A notebook that is hostile in its markdown, its code and each kind of output."""
    data = {
        "text/html": EVERYTHING,
        "image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{EVIL[2]}</svg>",
        "text/markdown": f"{EVERYTHING}\n\n[here](javascript:window.__pwned=1)",
        "text/latex": f"$\\href{{javascript:window.__pwned=1}}{{x}}$ {EVERYTHING}",
        "application/javascript": "window.__pwned=1;fetch('/pwned')",
    }
    shown = [
        {"output_type": "display_data", "metadata": {}, "data": {kind: text}}
        for kind, text in data.items()
    ]
    code = {"cell_type": "code", "id": "b", "metadata": {}, "execution_count": 1,
            "source": EVERYTHING, "outputs": shown}  # fmt: skip
    told = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": EVERYTHING}
    metadata = {"title": EVIL[0], "kernelspec": {"name": "python3", "display_name": EVIL[0]}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [told, code]}


@dataclass
class Asked:
    """What the browser asked for, and what of it its policy of the page kept it from sending."""

    urls: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)

    def failed(self, request: Request) -> None:
        if "csp" in (request.failure or "").lower():
            self.kept.add(request.url)

    @property
    def sent(self) -> list[str]:
        return [url for url in self.urls if url not in self.kept]


@pytest.fixture
def asked(browser: BrowserContext) -> Asked:
    found = Asked()
    browser.on("request", lambda request: found.urls.append(request.url))
    browser.on("requestfailed", found.failed)
    return found


def check(page: Page, server: Server, asked: Asked) -> None:
    """Nothing hostile has run, and nobody else was asked for anything."""
    page.wait_for_timeout(300)  # for what must not happen, there is nothing to await
    ours = (server.url, "data:", "about:")
    assert [url for url in asked.sent if not url.startswith(ours)] == []
    assert "pwned" not in server.log  # an address that is not there is noted in it


def test_the_dashboard_shows_hostile_text_as_text(
    server: Server, run: str, page: Page, asked: Asked
) -> None:
    page.goto(f"{server.url}/orion/?token={TOKEN}")
    expect(page.get_by_text(EVIL[0], exact=True).first).to_be_visible()
    check(page, server, asked)
    page.get_by_role("link", name=EVIL[0]).first.click()
    expect(page.get_by_text("ValueError").first).to_be_visible()
    check(page, server, asked)
    assert page.evaluate("window.__pwned") is None


def test_an_executed_notebook_runs_and_asks_nothing(
    server: Server, run: str, page: Page, asked: Asked
) -> None:
    page.goto(f"{server.url}/orion/?token={TOKEN}")
    answer = page.goto(f"{server.url}{API}/runs/{run}/notebook.html")
    assert answer is not None
    assert answer.status == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    check(page, server, asked)
    assert any("pwned" in url for url in asked.kept)  # it would have asked
    # Where scripts are off none can be asked for its mark; a page like that is nobody's page.
    assert "sandbox" in answer.headers["content-security-policy"].split("; ")


@pytest.mark.parametrize("path", ["notebook", "notebook.ipynb", "notebook.py"])
def test_a_notebook_in_other_forms_is_no_page(server: Server, run: str, path: str) -> None:
    answer = server.call("GET", f"/runs/{run}/{path}")
    assert answer.status == 200
    assert answer.headers.get_content_type() != "text/html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert Path(path).suffix == "" or "attachment" in answer.headers["Content-Disposition"]
