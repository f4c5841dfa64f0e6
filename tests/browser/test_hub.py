"""The pages on a server that takes cookies from scripts only with the XSRF token, as a hub's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Response, expect

from orion_nb_server.pages import DOCS_SCRIPT, STATIC
from tests.server.conftest import TOKEN, Server, running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not (STATIC / DOCS_SCRIPT).is_file(), reason="the pages are not built"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    chosen = "--ServerApp.identity_provider_class=hubs.Strict"
    with running(folder, chosen, base="/user/ada") as started:
        yield started


@pytest.fixture
def refused(page: Page) -> list[str]:
    """What the server did not answer, in `page`."""
    found: list[str] = []

    def look(answer: Response) -> None:
        if answer.status in (302, 401, 403):
            found.append(f"{answer.status} {answer.request.method} {answer.url}")

    page.on("response", look)
    return found


def test_the_dashboard_reads_follows_and_changes(
    server: Server, page: Page, refused: list[str]
) -> None:
    orion = server.orion()
    orion.set_limit("db", 1)
    with page.expect_response(lambda answer: "/events?" in answer.url) as followed:
        page.goto(f"{server.url}/orion/?token={TOKEN}")
    assert followed.value.headers["content-type"].startswith("text/event-stream")
    page.get_by_role("link", name="Limits").click()
    main = page.get_by_role("main")
    main.get_by_role("button", name="Remove db").click()
    main.get_by_role("button", name="Remove it").click()
    expect(main.get_by_role("button", name="Remove db")).to_have_count(0)
    assert orion.all_limits()["limits"] == []
    assert refused == []
    orion.close()


def test_the_page_of_the_api_asks_the_server(
    server: Server, page: Page, refused: list[str]
) -> None:
    page.goto(f"{server.url}/orion/docs?token={TOKEN}")
    expect(page.get_by_role("heading", name="REST API")).to_be_visible()
    assert refused == []
