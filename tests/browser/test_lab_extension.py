"""The extension of JupyterLab in a real one: panel, tabs, the form of a notebook, and toasts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.schemas.states import Completed, Failed, Pending, Running, State
from tests.browser.conftest import launched, overheard
from tests.server.conftest import ROOT, TOKEN, Server, running
from tests.waiting import until

LABEXTENSIONS = ROOT / "server_extension" / "labextensions"
WEATHER = ROOT / "orion_nb" / "cli" / "samples" / "weather.ipynb"
OPTIONS = (
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.news_url=None",
    f"--LabApp.extra_labextensions_path={LABEXTENSIONS}",
)
THEME = "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})"
GROUND = "() => getComputedStyle(document.body).backgroundColor"
SLOW = 120_000  # ms; the first look at JupyterLab takes long on a busy machine

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not LABEXTENSIONS.is_dir(), reason="the front end is not built"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab under a base URL as a hub's, with a notebook deployed as `weather report`."""
    folder = tmp_path_factory.mktemp("lab")
    with running(folder, *OPTIONS, base="/user/ada", beside=("jupyterlab",)) as started:
        shutil.copy(WEATHER, started.root)
        hour = (clock.utc(clock.now()).hour + 12) % 24  # it is never due meanwhile
        told = {"name": "weather report", "path": "weather.ipynb", "schedules": [f"0 {hour} * * *"]}
        assert started.call("POST", "/deployments", told).status == 201
        yield started


@pytest.fixture(scope="module")
def orion(server: Server) -> Iterator[Orion]:
    opened = server.orion()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def lab(server: Server, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """JupyterLab with the notebook in front; loading it is what takes long. No test breaks it."""
    errors: list[str] = []
    with launched(chromium, tmp_path_factory.mktemp("chromium")) as browser:
        page = overheard(browser.pages[0], errors)
        yield opened(page, server)
    # A run that never began has no cells; its page asks for them.
    assert [line for line in errors if "orion" in line and not line.endswith("/cells)")] == []


def opened(page: Page, server: Server) -> Page:
    page.goto(f"{server.url}/lab/tree/weather.ipynb?token={TOKEN}&reset")
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=SLOW)
    return page


def panel(page: Page) -> Locator:
    """The panel, opened and live."""
    shown = page.get_by_role("region", name="orion_nb")
    tab = page.locator('.jp-SideBar [data-id="orion-nb-panel"]')
    expect(tab).to_be_visible(timeout=SLOW)
    if tab.get_attribute("aria-selected") != "true":
        tab.click()
    expect(shown.get_by_text("Live", exact=True)).to_be_visible()
    return shown


def frame(page: Page) -> FrameLocator:
    """What the tab in front shows."""
    return page.frame_locator(".orion-frame:visible iframe")


def toast(page: Page, text: str) -> Locator:
    return page.locator(".Toastify__toast", has_text=text)


def ended(orion: Orion, state: State) -> str:
    """The id of a run of the deployment that has ended so."""
    run = orion.run_deployment("weather report")
    for proposed in (Pending(), Running(), state):
        orion.advance(run, proposed)
        run = orion.find(run.id)
    assert run.state.type == state.type
    return run.id


def test_the_panel_lists_runs_as_they_move(lab: Page, orion: Orion) -> None:
    shown = panel(lab)
    run, _ = orion.begin(orion.new_run("flow", "nightly"), Running())
    row = shown.get_by_role("listitem").filter(has=lab.get_by_role("link", name="nightly"))
    expect(row).to_contain_text("Running")
    orion.advance(run, Completed())
    expect(row).to_contain_text("Completed")
    shown.get_by_role("button", name="This notebook").click()
    expect(row).to_have_count(0)
    shown.get_by_role("button", name="All", exact=True).click()
    expect(row).to_have_count(1)


def test_a_deployment_is_run_and_paused_in_the_panel(lab: Page, orion: Orion) -> None:
    shown = panel(lab)
    shown.get_by_role("button", name="Run weather report now").click()
    note = shown.get_by_role("status").filter(has_text="is scheduled for now")
    made = str(note.get_by_role("link", name="Open").get_attribute("href")).rpartition("/")[2]
    shown.get_by_role("button", name=f"Cancel weather report {made[-8:]}").click()
    expect(shown.get_by_role("button", name=f"Rerun weather report {made[-8:]}")).to_be_visible()
    assert orion.find(made).state.name == "Cancelled"

    shown.get_by_role("button", name="Pause weather report").click()
    shown.get_by_role("button", name="Resume weather report").click()
    expect(shown.get_by_role("button", name="Pause weather report")).to_be_visible()
    assert not orion.find_deployment("weather report").paused


def test_a_notebook_is_deployed_from_its_toolbar_or_its_file(
    lab: Page, server: Server, orion: Orion
) -> None:
    lab.get_by_role("tab", name="weather.ipynb").click()
    lab.locator(".jp-NotebookPanel-toolbar:visible").get_by_text("Schedule…").click()
    form = frame(lab).get_by_role("region", name="Deploy")
    expect(form.get_by_label("Notebook or flow")).to_have_value("weather.ipynb")
    expect(form.get_by_label("Name")).to_have_value("weather")
    form.get_by_label("Schedules").fill("0 7 * * *")
    expect(form).to_contain_text("at 07:00")
    form.get_by_role("button", name="Deploy").click()
    expect(frame(lab).get_by_role("heading", name="weather", exact=True)).to_be_visible()
    assert Path(orion.find_deployment("weather").path) == server.root / "weather.ipynb"

    lab.locator('.jp-SideBar [data-id="filebrowser"]').click()
    lab.locator(".jp-DirListing-item", has_text="weather.ipynb").click(button="right")
    lab.get_by_role("menuitem", name="Schedule…").click()
    expect(form.get_by_label("Notebook or flow")).to_have_value("weather.ipynb")


def test_a_run_opens_in_a_tab_that_is_there_after_a_reload(
    lab: Page, server: Server, orion: Orion
) -> None:
    run, _ = orion.begin(orion.new_run("flow", "hourly"), Running())
    panel(lab).get_by_role("link", name="hourly").click()
    heading = frame(lab).get_by_role("heading", name="hourly", exact=True)
    expect(heading).to_be_visible()
    expect(lab.get_by_role("tab", name="hourly")).to_be_visible()
    expect(frame(lab).get_by_text("Live", exact=True)).to_be_visible()
    orion.advance(run, Completed())
    expect(frame(lab).get_by_role("main")).to_contain_text("Completed")
    frame(lab).get_by_role("link", name="Limits").focus()
    lab.keyboard.press("ControlOrMeta+Shift+C")  # the application's shortcuts work in there, too
    palette = lab.locator(".lm-CommandPalette-input")
    expect(palette).to_be_visible()
    palette.press("Escape")
    expect(palette).to_be_hidden()

    light = heading.evaluate(GROUND)
    lab.evaluate(THEME, "JupyterLab Dark")
    until(lambda: heading.evaluate(GROUND) != light, "the tab did not turn dark")
    lab.evaluate(THEME, "JupyterLab Light")
    until(lambda: heading.evaluate(GROUND) == light, "the tab did not turn light again")

    tab = f"orion-nb:#/runs/{run.id}"  # it is kept by itself, and in its place

    def kept() -> int:
        return server.send("GET", "/lab/api/workspaces").body.decode().count(tab)

    until(lambda: kept() > 1, "JupyterLab did not keep which tabs are open")
    lab.reload()
    expect(heading).to_be_visible(timeout=SLOW)


def test_a_failure_and_a_recovery_are_told_by_one_tab_and_old_ones_by_none(
    lab: Page, server: Server, orion: Orion
) -> None:
    ended(orion, Failed("an old one"))
    beside = lab.context.new_page()
    # Where no sockets come through, events do all the same.
    beside.route_web_socket(re.compile("/orion/api/v1/live"), lambda socket: socket.close())
    tabs = [lab, opened(beside, server)]
    for each in tabs:
        panel(each)

    def tellers(text: str) -> list[Page]:
        return [each for each in tabs if toast(each, text).count()]

    failed = ended(orion, Failed("the line went dead"))
    until(lambda: tellers("the line went dead"), "nobody tells of the failure")
    ended(orion, Completed())
    until(lambda: tellers("has recovered"), "nobody tells of the recovery")
    (teller,) = tellers("the line went dead")
    assert beside not in tellers("an old one")

    told = toast(teller, "the line went dead")
    expect(told).to_contain_text("weather report: failed")
    teller.bring_to_front()
    told.get_by_role("button", name="Open").click()
    expect(frame(teller).get_by_text(failed[-8:], exact=True)).to_be_visible()
    beside.close()


def test_a_server_without_orion_is_told_of_quietly(tmp_path: Path, lab: Page) -> None:
    page = lab.context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda line: said.append(f"{line.type}: {line.text}"))
    page.on("request", lambda request: asked.append(request.url))
    with running(tmp_path, *OPTIONS, beside=("jupyterlab",), ours=False) as bare:
        page.goto(f"{bare.url}/lab?token={TOKEN}")
        page.locator('.jp-SideBar [data-id="orion-nb-panel"]').click(timeout=SLOW)
        shown = page.get_by_role("region", name="orion_nb")
        expect(shown).to_contain_text("jupyter server extension enable orion_nb_server")
    # On a busy machine JupyterLab warns of plugins that it took long to start.
    ours = [line for line in said if "orion" in line and not line.startswith("warning: Plugin")]
    assert len(ours) == 1
    assert ours[0].startswith("info: orion_nb: This Jupyter server does not have")
    assert [url for url in asked if "/orion/" in url] == []
    page.close()
