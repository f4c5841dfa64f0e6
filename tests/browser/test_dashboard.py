"""The dashboard of a real server, as a person sees it."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import Completed, Failed, Running
from orion_nb.secrets import find
from tests.server.conftest import TOKEN, Server, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with running(folder, "--OrionApp.scheduler=True", ORION_NB_WARM_RUNNERS="0") as started:
        yield started


@pytest.fixture
def orion(server: Server) -> Iterator[Orion]:
    """Another process's way into the server's database."""
    opened = server.orion()
    yield opened
    opened.close()


@pytest.fixture
def dashboard(server: Server, page: Page) -> Page:
    return opened(server, page)


def opened(server: Server, page: Page) -> Page:
    page.goto(f"{server.url}/orion/?token={TOKEN}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def test_an_empty_dashboard_says_what_to_do(tmp_path: Path, page: Page) -> None:
    with running(tmp_path) as nobodys:
        shown = opened(nobodys, page).get_by_text("from orion_nb import flow")
        expect(shown).to_be_visible()


def test_a_run_appears_and_moves_without_a_reload(dashboard: Page, orion: Orion) -> None:
    run, _ = orion.begin(orion.new_run("flow", "nightly"), Running())
    row = dashboard.get_by_role("row").filter(has_text="nightly")
    expect(row).to_contain_text("Running")
    orion.advance(run, Completed())
    expect(row).to_contain_text("Completed")


def test_a_run_page_says_which_rule_retried_a_task(
    dashboard: Page, orion: Orion, console_errors: list[str]
) -> None:
    flow, _ = orion.begin(orion.new_run("flow", "weather"), Running())
    made = orion.new_run("task", "download", parent=flow.id, policy=RunPolicy(2, (60.0,)))
    task, _ = orion.begin(made, Running())
    orion.advance(task, Failed("the line went dead"))

    dashboard.get_by_role("link", name="weather", exact=True).click()
    dashboard.get_by_text("download", exact=True).first.click()
    story = dashboard.get_by_role("main")
    expect(story).to_contain_text("Awaiting retry")
    expect(story).to_contain_text("attempt 1 of 3 failed")
    expect(story).to_contain_text("retry_failures")
    assert console_errors == []


def test_a_run_is_cancelled_from_its_page(dashboard: Page, orion: Orion) -> None:
    run = orion.create_run("flow", "waiting")
    dashboard.get_by_role("link", name="waiting", exact=True).click()
    dashboard.get_by_role("button", name="Cancel run").click()
    expect(dashboard.get_by_role("main")).to_contain_text("Cancelled")
    assert orion.find(run.id).state.name == "Cancelled"


def test_hostile_names_are_only_text(dashboard: Page, orion: Orion) -> None:
    name = '<img src=x onerror="window.pwned=1">'
    orion.begin(orion.new_run("flow", name), Running())
    expect(dashboard.get_by_text(name).first).to_be_visible()
    assert dashboard.evaluate("window.pwned") is None


def test_a_notebook_is_scheduled_paused_and_run_now(
    dashboard: Page, orion: Orion, server: Server
) -> None:
    source = Path(__file__).parents[2] / "orion_nb" / "cli" / "samples" / "weather.ipynb"
    (server.root / "weather.ipynb").write_bytes(source.read_bytes())
    hour = (clock.utc(clock.now()).hour + 12) % 24  # it is never due meanwhile
    told = {"name": "weather-report", "path": "weather.ipynb", "schedules": [f"0 {hour} * * 1-5"]}
    assert server.call("POST", "/deployments", told).status == 201

    dashboard.get_by_role("link", name="Deployments").click()
    main = dashboard.get_by_role("main")
    expect(main).to_contain_text("weather-report")
    expect(main).to_contain_text(f"weekday at {hour:02}:00")
    switch = main.get_by_role("switch", name="weather-report")
    switch.click()
    main.get_by_label("Until").fill("2040-01-31T09:00")
    main.get_by_label("Why").fill("the API is down")
    main.get_by_role("button", name="Pause", exact=True).click()
    expect(main).to_contain_text("paused until Jan 31, 2040")
    expect(main).to_contain_text("the API is down")
    main.get_by_role("button", name="Run weather-report now").click()
    main.get_by_role("button", name="Run", exact=True).click()
    named = dashboard.get_by_role("link", name="weather-report", exact=True)
    row = main.get_by_role("listitem").filter(has=named)
    expect(row.get_by_label("Last runs").get_by_role("link")).to_have_count(1)
    runs = orion.filter_runs(deployment="weather-report")["runs"]
    pause = orion.find_deployment("weather-report").pause
    assert pause is not None
    assert (pause.by, pause.why) == ("dashboard", "the API is down")
    assert pause.until is not None
    assert len(runs) == 1
    switch.click()
    expect(switch).to_be_checked()


def test_changes_are_asked_for_where_streams_are_held_back(
    server: Server, page: Page, orion: Orion
) -> None:
    """A proxy that lets no stream through: the page polls, and is live all the same."""
    page.route(
        "**/events?*", lambda each: each.fallback() if "wait=" in each.request.url else each.abort()
    )
    page.goto(f"{server.url}/orion/?token={TOKEN}")
    expect(page.get_by_text("Live", exact=True)).to_have_attribute("title", re.compile("asked for"))
    run, _ = orion.begin(orion.new_run("flow", "polled"), Running())
    row = page.get_by_role("row").filter(has_text="polled")
    expect(row).to_contain_text("Running")
    orion.advance(run, Completed())
    expect(row).to_contain_text("Completed")


def _notebook(path: Path, *sources: str, parameters: str | None = None) -> None:
    made = [
        {"cell_type": "code", "id": f"c{at}", "metadata": {}, "source": source, "outputs": [],
         "execution_count": None}
        for at, source in enumerate([parameters or "", *sources])
    ]  # fmt: skip
    made[0]["metadata"] = {"tags": ["parameters"]}
    told = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(told), encoding="utf-8")


def test_a_run_is_asked_for_with_parameters_and_its_failing_cell_is_shown(
    dashboard: Page, server: Server
) -> None:
    takes = "limit: int = 10  # how many\nday: str = 'today'"
    failing = "# the price of everything\nprices['milk']"
    _notebook(server.root / "prices.ipynb", "prices = {}", failing, "print(1)", parameters=takes)
    told = {"name": "the prices", "path": "prices.ipynb", "parameters": {"limit": 3}}
    assert server.call("POST", "/deployments", told).status == 201

    dashboard.get_by_role("link", name="Deployments").click()
    main = dashboard.get_by_role("main")
    main.get_by_role("link", name="the prices").click()
    main.get_by_role("button", name="Run now").click()
    expect(main.get_by_label("limit", exact=True)).to_have_attribute("placeholder", "3")
    main.get_by_label("limit", exact=True).fill("many")
    main.get_by_role("button", name="Run", exact=True).click()
    expect(main).to_contain_text("A whole number, please.")
    main.get_by_label("limit", exact=True).fill("7")
    main.get_by_role("button", name="Run", exact=True).click()
    dashboard.get_by_role("status").get_by_role("link", name="Open").click()
    expect(main.get_by_label("Source of the cell that failed")).to_contain_text(
        failing, timeout=60_000
    )
    expect(main.get_by_label("Its error")).to_contain_text("KeyError: 'milk'")
    expect(main).to_contain_text("4 of 5 cells executed")
    expect(main).to_contain_text("Not executed")
    link = main.get_by_role("link", name="See it in the executed notebook")
    expect(link).to_have_attribute("href", re.compile("notebook.html#orion-failure$"))
    given = main.get_by_role("definition").filter(has_text=re.compile("^7$"))
    expect(given).to_be_visible()


def test_a_deployment_that_cant_be_read_is_shown_beside_the_others(
    dashboard: Page, orion: Orion, server: Server
) -> None:
    _notebook(server.root / "plain.ipynb", "1")
    for name in ("gone zone", "sound"):
        told = {"name": name, "path": "plain.ipynb", "schedules": ["0 0 29 2 *"]}
        assert server.call("POST", "/deployments", told).status == 201
    spec = "UPDATE deployments SET spec = replace(spec, 'UTC', 'Mars/Olympus') WHERE name = ?"
    orion.database.write(lambda tx: tx.execute(spec, ("gone zone",)))
    dashboard.goto(f"{server.url}/orion/#/deployments")
    main = dashboard.get_by_role("main")
    expect(main.get_by_role("listitem").filter(has_text="gone zone")).to_contain_text(
        "can't be read any more"
    )
    expect(main.get_by_role("button", name="Run sound now")).to_be_visible()
    expect(main.get_by_role("button", name="Run gone zone now")).to_have_count(0)
    main.get_by_role("link", name="gone zone").click()
    expect(main.get_by_role("alert")).to_contain_text("Mars/Olympus")
    dashboard.goto(f"{server.url}/orion/#/deployments/sound")
    expect(main.get_by_label("Next times").first.get_by_role("listitem")).to_have_count(5)
    main.get_by_label("A schedule").fill("0 25 * * *")
    expect(main).to_contain_text("hour '25'")
    main.get_by_label("A schedule").fill("FREQ=WEEKLY;BYDAY=MO")
    expect(main).to_contain_text("every week on Monday")


def test_logs_artifacts_and_limits_have_pages(
    dashboard: Page, orion: Orion, server: Server, console_errors: list[str]
) -> None:
    run, _ = orion.begin(orion.new_run("flow", "talker"), Running())
    at = orion.find(run.id).created
    line = {"run": run.id, "timestamp": at, "level": 20, "logger": None}
    orion.write_logs([{**line, "message": f"line {n}"} for n in range(150)])
    for n in range(55):
        orion.add_artifact(run.id, {"text/plain": f"shown {n}"}, key=f"key-{n}")
    orion.set_limit("db", 3)
    main = dashboard.get_by_role("main")
    dashboard.get_by_role("link", name="Logs").click()
    expect(main.get_by_text("line 149", exact=True)).to_be_visible()
    expect(main.get_by_text("line 49", exact=True)).to_have_count(0)
    main.get_by_role("button", name="Show older lines").click()
    expect(main.get_by_text("line 0", exact=True)).to_have_count(1)
    dashboard.get_by_role("link", name="Artifacts").click()
    expect(main.get_by_text("key-54", exact=True)).to_be_visible()
    expect(main.get_by_text("key-0", exact=True)).to_have_count(0)
    main.get_by_role("button", name="Show older artifacts").click()
    main.get_by_text("key-0", exact=True).click()
    expect(main.get_by_text("shown 0", exact=True)).to_be_visible()
    with dashboard.expect_download() as saved:
        main.locator("details[open]").get_by_role("link", name="Download", exact=True).click()
    assert saved.value.path().read_text("utf-8") == "shown 0"
    assert saved.value.suggested_filename == "key-0.txt"
    dashboard.goto(f"{server.url}/orion/#/runs/{run.id}")
    with dashboard.expect_download() as saved:
        main.get_by_role("link", name="Download all").click()
    assert zipfile.is_zipfile(saved.value.path())
    dashboard.get_by_role("link", name="Limits").click()
    expect(main.get_by_role("row").filter(has_text="db")).to_contain_text("3")
    assert console_errors == []


def test_a_notebook_is_deployed_changed_and_removed_on_the_page(
    dashboard: Page, orion: Orion, server: Server
) -> None:
    _notebook(server.root / "mine.ipynb", "1")
    before = orion.all_deployments()["deployments"]
    dashboard.goto(f"{server.url}/orion/#/deployments")
    main = dashboard.get_by_role("main")
    main.get_by_role("button", name="Deploy…").click()
    main.get_by_label("Name", exact=True).fill("mine")
    main.get_by_label("Notebook or flow").fill("mine.ipynb")
    main.get_by_label("Schedules", exact=True).fill("0 25 * * *")
    main.get_by_role("button", name="Deploy", exact=True).click()
    expect(main.get_by_role("alert")).to_contain_text("hour '25'")
    main.get_by_label("Schedules", exact=True).fill("0 7 * * 1-5\nFREQ=WEEKLY;BYDAY=SU")
    main.get_by_label("Timeout", exact=True).fill("1x")
    main.get_by_role("button", name="Deploy", exact=True).click()
    expect(main.get_by_role("alert")).to_contain_text("timeout: '1x' is not a duration")
    main.get_by_label("Timeout", exact=True).fill("90s")
    main.get_by_text("More options").click()
    main.get_by_label("Overlap", exact=True).select_option("skip")
    main.get_by_label("Environment", exact=True).fill("MODE=full\nX=a=b")
    main.get_by_label("Cell timeout", exact=True).fill("1x")
    main.get_by_role("button", name="What would this do?").click()
    expect(main.get_by_role("alert")).to_contain_text("cell_timeout: '1x' is not a duration")
    main.get_by_label("Cell timeout", exact=True).fill("5m")
    main.get_by_role("button", name="What would this do?").click()
    expect(main.get_by_label("What this would do")).to_contain_text("mine would run")
    assert orion.all_deployments()["deployments"] == before
    main.get_by_role("button", name="Deploy", exact=True).click()
    expect(main.get_by_role("button", name="Change…")).to_be_visible()
    expect(main).to_contain_text("every week on Sunday")
    made = orion.find_deployment("mine")
    assert (len(made.schedules), made.timeout) == (2, 90.0)
    assert (made.overlap, made.env, made.cell_timeout) == (
        "skip",
        {"MODE": "full", "X": "a=b"},
        300,
    )
    main.get_by_role("button", name="Change…").click()
    main.get_by_label("Retries", exact=True).fill("3")
    main.get_by_text("More options").click()
    main.get_by_label("Overlap", exact=True).select_option("allow")
    main.get_by_role("button", name="What would this do?").click()
    would = main.get_by_label("What this would do")
    expect(would).to_contain_text("0 → 3")
    expect(would).to_contain_text("skip → allow")
    assert orion.find_deployment("mine") == made
    main.get_by_role("button", name="Change", exact=True).click()
    expect(dashboard.get_by_text("mine is changed.")).to_be_visible()
    after = orion.find_deployment("mine")
    assert (after.retries, after.schedules, after.timeout) == (3, made.schedules, 90.0)
    assert (after.overlap, after.env, after.cell_timeout) == ("allow", made.env, 300)
    remove = main.get_by_role("button", name="Remove…")
    remove.click()
    expect(main.get_by_role("button", name="Remove it")).to_be_focused()
    dashboard.keyboard.press("Escape")
    expect(remove).to_be_focused()  # where the form was opened from
    dashboard.keyboard.press("Enter")
    expect(main.get_by_role("button", name="Remove it")).to_be_focused()
    dashboard.keyboard.press("Enter")
    expect(main.get_by_role("heading", name="Deployments", exact=True)).to_be_focused()
    expect(main.get_by_role("link", name="mine", exact=True)).to_have_count(0)


def test_limits_notifications_and_secrets_are_looked_after_on_the_page(
    dashboard: Page, orion: Orion, console_errors: list[str]
) -> None:
    main = dashboard.get_by_role("main")
    dashboard.get_by_role("link", name="Limits").click()
    main.get_by_role("button", name="Set a limit…").click()
    main.get_by_label("Name", exact=True).fill("tag:gpu")
    main.get_by_label("Slots", exact=True).fill("2")
    dashboard.keyboard.press("Enter")
    main.get_by_role("button", name="Change tag:gpu").click()
    expect(main.get_by_label("Slots", exact=True)).to_be_focused()
    main.get_by_label("Slots", exact=True).fill("5")
    main.get_by_role("button", name="Set", exact=True).click()
    expect(dashboard.get_by_text("tag:gpu: 5 at once")).to_be_visible()
    assert orion.read_limit("tag:gpu")["slots"] == 5
    main.get_by_role("button", name="Remove tag:gpu").click()
    main.get_by_role("button", name="Remove it").click()
    expect(main.get_by_role("button", name="Remove tag:gpu")).to_have_count(0)

    dashboard.get_by_role("link", name="Notifications").click()
    main.get_by_role("button", name="Tell somebody…").click()
    main.get_by_label("Name", exact=True).fill("nobody home")
    main.get_by_label("late", exact=True).check()
    main.get_by_label("Through").select_option("command")
    main.get_by_label("Command").fill("false 'two words'")
    main.get_by_role("button", name="Add", exact=True).click()
    expect(main).to_contain_text("Told when runs fail, crash or are late.")
    assert orion.find_notification("nobody home").command == ("false", "two words")
    orion.update_notification("nobody home", retries=0)
    main.get_by_role("button", name="Try nobody home").click()
    expect(dashboard.get_by_text("nobody home: exit code 1")).to_be_visible()
    main.get_by_role("button", name="Try the delivery to nobody home again").first.click()
    expect(dashboard.get_by_text("It is tried again.")).to_be_visible()

    dashboard.get_by_role("link", name="Secrets").click()
    main.get_by_role("button", name="Keep a secret…").click()
    main.get_by_label("Name", exact=True).fill("DB_PASSWORD")
    main.get_by_label("Value", exact=True).fill("hunter2 it is")
    main.get_by_role("button", name="Keep", exact=True).click()
    expect(main.get_by_text("DB_PASSWORD", exact=True)).to_be_visible()
    assert find("DB_PASSWORD", orion.settings.home) == "hunter2 it is"
    assert "hunter2" not in dashboard.content()
    main.get_by_role("button", name="Remove DB_PASSWORD").click()
    main.get_by_role("button", name="Remove it").click()
    expect(main.get_by_text("No secrets yet")).to_be_visible()
    assert find("DB_PASSWORD", orion.settings.home) is None
    assert console_errors == []


def test_a_failure_is_replayed_in_a_notebook_beside_its_code(
    dashboard: Page, orion: Orion, server: Server, console_errors: list[str]
) -> None:
    folder = server.root / "in here"
    folder.mkdir()
    (folder / "etl.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    told = {"name": "replayed", "path": "in here/etl.ipynb"}
    known = server.call("POST", "/deployments", told).json["id"]
    made = orion.new_run("flow", "replayed", deployment=known)
    run = orion.advance(orion.begin(made, Running())[0], Failed("KeyError: 'price'"))[0]
    name = f"replay-{run.id[-8:]}.ipynb"

    dashboard.goto(f"{server.url}/orion/#/runs/{run.id}")
    button = dashboard.get_by_role("button", name="Replay in notebook")
    for _ in range(2):  # what somebody has made of it stays
        with dashboard.expect_popup() as popup:
            button.click()
        assert popup.value.url == f"{server.url}/lab/tree/in%20here/{name}"
        popup.value.close()
        cells = json.loads((folder / name).read_text())["cells"]
        assert cells[2]["source"] in (f"%replay {run.id[-8:]}", [f"%replay {run.id[-8:]}"])
        (folder / name).write_text((folder / name).read_text().replace("# Replay", "# My replay"))
    assert "# My replay" in (folder / name).read_text()
    expect(dashboard.get_by_role("status").get_by_role("link", name="Open")).to_be_visible()
    assert [line for line in console_errors if f"api/contents/in%20here/{name}" not in line] == []
