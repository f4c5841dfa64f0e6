"""The dashboard of a real server, as a person sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from orion_nb.api.orion import Orion
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import Completed, Failed, Running
from tests.server.conftest import TOKEN, Server, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def orion(server: Server) -> Iterator[Orion]:
    """Another process's way into the server's database."""
    opened = server.orion()
    yield opened
    opened.close()


@pytest.fixture
def dashboard(server: Server, page: Page) -> Page:
    page.goto(f"{server.url}/orion/?token={TOKEN}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def test_an_empty_dashboard_says_what_to_do(dashboard: Page) -> None:
    expect(dashboard.get_by_text("from orion_nb import flow")).to_be_visible()


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

    dashboard.get_by_role("link", name="weather").first.click()
    dashboard.get_by_text("download").first.click()
    story = dashboard.get_by_role("main")
    expect(story).to_contain_text("Awaiting retry")
    expect(story).to_contain_text("attempt 1 of 3 failed")
    expect(story).to_contain_text("retry_failures")
    assert console_errors == []


def test_a_run_is_cancelled_from_its_page(dashboard: Page, orion: Orion) -> None:
    run = orion.create_run("flow", "waiting")
    dashboard.get_by_role("link", name="waiting").first.click()
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
    told = {"name": "weather-report", "path": "weather.ipynb", "schedules": ["0 9 * * 1-5"]}
    assert server.call("POST", "/deployments", told).status == 201

    dashboard.get_by_role("link", name="Deployments").click()
    main = dashboard.get_by_role("main")
    expect(main).to_contain_text("weather-report")
    expect(main).to_contain_text("weekday at 09:00")
    main.get_by_role("switch").first.click()
    expect(main).to_contain_text("Paused")
    main.get_by_role("button", name="Run weather-report now").click()
    expect(main.get_by_label("Last runs").get_by_role("link")).to_have_count(1)
    runs = orion.filter_runs(deployment="weather-report")["runs"]
    assert orion.find_deployment("weather-report").paused
    assert len(runs) == 1
