"""The page of a server whose authorizer lets a user look, and do nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.server.conftest import TOKEN, Server, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "allowed").write_text("read")
    environ = {
        "TEST_ALLOWED_ACTIONS": str(folder / "allowed"),
        "TEST_ASKED_ACTIONS": str(folder / "asked"),
    }
    chosen = "--ServerApp.authorizer_class=authorizers.Recording"
    with running(folder, chosen, **environ) as started:
        yield started


def test_who_may_only_look_is_told_so(server: Server, page: Page) -> None:
    orion = server.orion()
    orion.set_limit("db", 1)
    page.goto(f"{server.url}/orion/?token={TOKEN}")
    page.get_by_role("link", name="Limits").click()
    main = page.get_by_role("main")
    main.get_by_role("button", name="Remove db").click()
    main.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("authorizer does not let this user 'execute'")).to_be_visible()
    expect(page.get_by_text("whoever runs this Jupyter server can allow more")).to_be_visible()
    page.get_by_role("link", name="Deployments").click()
    main.get_by_role("button", name="Deploy…").click()
    main.get_by_label("Name", exact=True).fill("mine")
    main.get_by_label("Notebook or flow", exact=True).fill("mine.ipynb")
    main.get_by_role("button", name="What would this do?").click()
    expect(main.get_by_role("alert")).to_contain_text("can allow more")
    assert orion.all_limits()["limits"][0]["name"] == "db"
    orion.close()
