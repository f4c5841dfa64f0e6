"""The forms of the dashboard: what is typed or chosen in them is what is done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from orion_nb.schemas.states import Completed, Running
from tests.server.conftest import TOKEN, Server, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LOOK = "import os\nprint('stage', os.environ['STAGE'], os.environ.get('MORE'))"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with running(folder, "--OrionApp.scheduler=True", ORION_NB_WARM_RUNNERS="0") as started:
        yield started


def _notebook(server: Server, name: str, source: str) -> None:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    told = {"cells": [{**cell, "source": source}], "metadata": {}, "nbformat": 4}
    (server.root / name).write_text(json.dumps({**told, "nbformat_minor": 5}), "utf-8")


def test_a_run_has_variables_of_its_own_and_a_rerun_others(page: Page, server: Server) -> None:
    _notebook(server, "stages.ipynb", LOOK)
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
    expect(main.get_by_role("link", name="Executed notebook")).to_be_visible()
    rerun.click()
    expect(main.get_by_label("Environment")).to_have_value("STAGE=test\nMORE=1")
    main.get_by_label("Environment").fill("STAGE=again")
    main.get_by_role("button", name="Rerun", exact=True).last.click()
    expect(main.get_by_text("STAGE=again", exact=True)).to_be_visible()
    expect(main.get_by_text("MORE=1", exact=True)).to_have_count(0)
    run = server.call("POST", "/runs/filter", {"name": "stages"}).json["runs"][0]
    assert run["policy"]["kernel"] == "python3"
    assert run["policy"]["env"] == {"STAGE": "again"}


def test_a_run_of_a_flow_in_a_file_has_no_executed_notebook(page: Page, server: Server) -> None:
    file = server.root / "copies.py"
    file.write_text("from orion_nb import flow\n\n@flow\ndef copies():\n    pass\n", "utf-8")
    told = {"name": "copies", "path": "copies.py:copies"}
    known = server.call("POST", "/deployments", told).json["id"]
    with closing(server.orion()) as orion:
        made = orion.new_run("flow", "copies", deployment=known, key=f"flow:{file}:copies")
        run, _ = orion.begin(made, Running())
        orion.advance(run, Completed())
    page.goto(f"{server.url}/orion/?token={TOKEN}#/runs/{run.id}")
    main = page.get_by_role("main")
    expect(main.get_by_role("button", name="Rerun", exact=True)).to_be_visible()
    expect(main.get_by_role("link", name="Executed notebook")).to_have_count(0)


def test_a_start_and_an_end_are_chosen_and_the_preview_keeps_to_them(
    page: Page, server: Server
) -> None:
    _notebook(server, "bounded.ipynb", "1")
    page.goto(f"{server.url}/orion/?token={TOKEN}#/deployments")
    main = page.get_by_role("main")
    main.get_by_role("button", name="Deploy").click()
    form = main.get_by_role("region", name="Deploy")
    form.get_by_label("Name").fill("bounded")
    form.get_by_label("Notebook or flow").fill("bounded.ipynb")
    form.get_by_label("Time zone").fill("Europe/Prague")
    form.get_by_label("From").fill("2040-03-01T10:00")
    form.get_by_role("button", name="What would this do?").click()
    expect(form.get_by_role("alert")).to_contain_text("There is no schedule that it is said of.")
    expect(form).to_contain_text("It takes no parameters")
    schedules = form.get_by_label("Schedules")
    schedules.fill("every monday at nine")  # what is wrong is said where it is typed
    expect(schedules).to_have_accessible_description(re.compile("is not a schedule"))
    schedules.fill("0 9 * * *")
    form.get_by_label("Until").fill("2040-03-03T12:00")
    times = form.get_by_role("list", name="Next times").first.get_by_role("listitem")
    expect(times).to_have_count(2)  # the second and the third of March
    expect(times.first.locator("span").first).to_have_attribute(
        "title", re.compile(r"^2040-03-02T09:00:00\+01:00 Europe/Prague")
    )
    expect(times.first).to_contain_text(re.compile(r"Mar 2, 2040, 9:00:00\sAM GMT\+1"))
    form.get_by_role("button", name="Deploy", exact=True).click()
    expect(main.get_by_role("heading", name="bounded", exact=True)).to_be_visible()
    schedule = server.call("GET", "/deployments/bounded").json["schedules"][0]
    assert schedule["starts"] == "2040-03-01T09:00:00Z"
    assert schedule["ends"] == "2040-03-03T11:00:00Z"

    main.get_by_role("button", name="Change…").click()
    form = main.get_by_role("region", name="Change bounded")
    expect(form.get_by_label("Schedules")).to_have_value("0 9 * * *")
    expect(form.get_by_label("From")).to_have_value("2040-03-01T10:00")
    form.get_by_label("From").fill("")
    form.get_by_role("button", name="Change", exact=True).click()
    expect(form).to_have_count(0)
    schedule = server.call("GET", "/deployments/bounded").json["schedules"][0]
    assert (schedule.get("starts"), schedule["ends"]) == (None, "2040-03-03T11:00:00Z")


def test_a_notification_is_changed(page: Page, server: Server) -> None:
    made = {"name": "team", "webhook": "https://example.com/hook?key=1", "flow": "etl"}
    assert server.call("POST", "/notifications", made).status == 201
    page.goto(f"{server.url}/orion/?token={TOKEN}#/notifications")
    main = page.get_by_role("main")
    main.get_by_role("button", name="Change team").click()
    form = main.get_by_role("region", name="Change team")
    form.get_by_label("late").check()
    form.get_by_label("crashed").uncheck()
    form.get_by_label("About").select_option("")
    form.get_by_role("button", name="Change", exact=True).click()
    expect(main).to_contain_text("Told when runs fail or are late.")
    with closing(server.orion()) as orion:
        known = orion.find_notification("team")
        assert (known.on, known.flow) == (("failed", "late"), None)
        assert known.webhook == made["webhook"]  # as it was: the page never saw it
    main.get_by_role("button", name="Change team").click()
    form.get_by_label("Through").select_option("command")
    form.get_by_label("Command").fill('notify-send "all of it"')
    form.get_by_role("button", name="Change", exact=True).click()
    expect(main.get_by_text("notify-send all of it")).to_be_visible()
    main.get_by_role("button", name="Change team").click()
    expect(form.get_by_label("Command")).to_have_value('notify-send "all of it"')


def test_a_run_is_pinned_and_deleted(page: Page, server: Server) -> None:
    with closing(server.orion()) as orion:
        gone, _ = orion.begin(orion.new_run("flow", "to be gone"), Running())
        orion.advance(gone, Completed())
        stays, _ = orion.begin(orion.new_run("flow", "to stay"), Running())
        orion.advance(stays, Completed())
    page.goto(f"{server.url}/orion/?token={TOKEN}#/runs/{gone.id}")
    main = page.get_by_role("main")
    main.get_by_role("button", name="Pin", exact=True).click()
    pinned = main.get_by_role("button", name="Pinned", exact=True)
    expect(pinned).to_have_attribute("aria-pressed", "true")
    main.get_by_role("button", name="Delete").click()
    main.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("unpin it first")).to_be_visible()
    pinned.click()
    expect(main.get_by_role("button", name="Pin", exact=True)).to_be_visible()
    main.get_by_role("button", name="Remove it").click()
    expect(main.get_by_role("link", name="to stay", exact=True)).to_be_visible()
    expect(main.get_by_role("link", name="to be gone", exact=True)).to_have_count(0)
    assert server.call("GET", f"/runs/{gone.id}").status == 404


def test_what_is_deployed_is_given_parameters_in_fields_of_their_kinds(
    page: Page, server: Server
) -> None:
    source = "# parameters\nregion: str = 'north'\nrows: int = 3  # how many\nquick = False"
    _notebook(server, "given.ipynb", source)
    notebook = json.loads((server.root / "given.ipynb").read_text("utf-8"))
    notebook["cells"][0]["metadata"]["tags"] = ["parameters"]
    (server.root / "given.ipynb").write_text(json.dumps(notebook), "utf-8")
    page.goto(f"{server.url}/orion/?token={TOKEN}#/deployments")
    main = page.get_by_role("main")
    main.get_by_role("button", name="Deploy").click()
    form = main.get_by_role("region", name="Deploy")
    form.get_by_label("Name").fill("given")
    expect(form.get_by_label("Parameters")).to_be_visible()  # JSON, as long as nothing is known
    form.get_by_label("Notebook or flow").fill("given.ipynb")
    parameters = form.get_by_role("group", name="Parameters")
    expect(parameters.get_by_label("region")).to_have_attribute("placeholder", "north")
    expect(parameters).to_contain_text("how many")
    parameters.get_by_label("rows").fill("many")
    expect(parameters).to_contain_text("A whole number, please.")
    with page.expect_response(re.compile("/deployments$")) as refused:
        form.get_by_role("button", name="Deploy").click()
    assert (refused.value.status, refused.value.json()["field"]) == (422, "rows")
    parameters.get_by_label("rows").fill("5")
    parameters.get_by_label("quick").select_option("true")
    form.get_by_role("button", name="Deploy").click()
    expect(page).to_have_url(re.compile("/deployments/given$"))
    made = server.call("GET", "/deployments/given").json
    assert made["parameters"] == {"rows": 5, "quick": True}

    main.get_by_role("button", name="Change").click()
    form = main.get_by_role("region", name="Change given")
    expect(form.get_by_label("rows")).to_have_value("5")
    form.get_by_label("region").fill("south")
    form.get_by_label("rows").fill("")
    form.get_by_role("button", name="Change", exact=True).click()
    expect(form).to_have_count(0)
    changed = server.call("GET", "/deployments/given").json
    assert changed["parameters"] == {"region": "south", "quick": True}
