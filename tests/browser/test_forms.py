"""The forms of the dashboard: what is typed or chosen in them is what is done."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.server.conftest import TOKEN, Server, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LOOK = "import os\nprint('stage', os.environ['STAGE'], os.environ.get('MORE'))"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with running(folder, "--OrionApp.scheduler=True", ORION_NB_WARM_RUNNERS="0") as started:
        yield started


def test_a_run_has_variables_of_its_own_and_a_rerun_others(page: Page, server: Server) -> None:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    told = {"cells": [{**cell, "source": LOOK}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (server.root / "stages.ipynb").write_text(json.dumps(told), "utf-8")
    made = {"name": "stages", "path": "stages.ipynb", "env": {"STAGE": "live"}}
    assert server.call("POST", "/deployments", made).status == 201
    page.goto(f"{server.url}/orion/?token={TOKEN}#/deployments/stages")
    main = page.get_by_role("main")

    main.get_by_role("button", name="Run now").click()
    main.get_by_text("More options").click()
    main.get_by_label("Kernel").fill("r-4")
    main.get_by_label("Environment").fill("STAGE=test\nMORE=1")
    main.get_by_role("button", name="Run", exact=True).click()
    expect(main.get_by_role("alert")).to_contain_text("kernel 'r-4' not found")
    main.get_by_label("Kernel").fill("python3")
    main.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("status").get_by_role("link", name="Open").click()

    expect(main.get_by_text("STAGE=test", exact=True)).to_be_visible()
    rerun = main.get_by_role("button", name="Rerun with")
    expect(rerun).to_be_visible(timeout=60_000)  # it has ended
    rerun.click()
    expect(main.get_by_label("Environment")).to_have_value("STAGE=test\nMORE=1")
    main.get_by_label("Environment").fill("STAGE=again")
    main.get_by_role("button", name="Rerun", exact=True).last.click()
    expect(main.get_by_text("STAGE=again", exact=True)).to_be_visible()
    expect(main.get_by_text("MORE=1", exact=True)).to_have_count(0)
    run = server.call("POST", "/runs/filter", {"name": "stages"}).json["runs"][0]
    assert run["policy"]["kernel"] == "python3"
    assert run["policy"]["env"] == {"STAGE": "again"}
