"""The page that shows the API, as a person uses it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from orion_nb_server.pages import DOCS_SCRIPT, STATIC
from tests.server.conftest import TOKEN, Server, running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not (STATIC / DOCS_SCRIPT).is_file(), reason="the page is not built"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), base="/lab/x") as started:
        yield started


@pytest.fixture
def docs(server: Server, page: Page) -> Page:
    page.goto(f"{server.url}/orion/docs?token={TOKEN}")
    expect(page.get_by_role("heading", name="REST API")).to_be_visible()
    assert TOKEN not in page.url
    return page


def test_every_route_of_the_document_is_shown(docs: Page, server: Server) -> None:
    told = server.call("GET", "/openapi.json").json
    names = {each["operationId"] for path in told["paths"].values() for each in path.values()}
    shown = docs.locator("article").evaluate_all("all => all.map(each => each.id)")
    assert set(shown) == names
    assert len(shown) == len(names)


def test_a_search_leaves_what_has_all_of_the_words(docs: Page) -> None:
    docs.keyboard.press("/")
    docs.keyboard.type("artifact filter")
    expect(docs.locator("article")).to_have_count(1)
    expect(docs.locator("article h3")).to_contain_text("/artifacts/filter")
    docs.get_by_role("searchbox").fill("nothing-like-it")
    expect(docs.get_by_text("No route has these words.")).to_be_visible()


def test_a_route_is_tried_and_shown_as_curl(docs: Page, server: Server) -> None:
    docs.get_by_role("navigation").get_by_role("link", name="POST /runs", exact=True).click()
    route = docs.locator("#create_run")
    route.get_by_role("textbox", name="body").fill('{"kind": "task", "name": "from the page"}')
    expect(route.locator("pre").first).to_contain_text(
        f"curl -X POST '{server.url}/orion/api/v1/runs'"
    )
    expect(route.locator("pre").first).to_contain_text("from the page")
    route.get_by_role("button", name="Send POST").click()
    expect(route.get_by_text("201 Created")).to_be_visible()
    (run,) = server.call("GET", "/runs?q=task:from*").json["runs"]
    assert run["name"] == "from the page"


def test_an_error_is_shown_as_it_came(docs: Page, console_errors: list[str]) -> None:
    docs.goto(docs.url.partition("#")[0] + "#find_runs")
    route = docs.locator("#find_runs")
    route.get_by_role("textbox", name="q").fill("stat:failed")
    route.get_by_role("button", name="Send GET").click()
    expect(route.get_by_text("422 Unprocessable Entity")).to_be_visible()
    expect(route.get_by_text("did you mean 'state'?")).to_be_visible()
    console_errors.clear()  # browsers tell of every answer that is an error
