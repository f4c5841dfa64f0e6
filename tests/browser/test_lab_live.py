"""A notebook with a flow in a real JupyterLab: live while a cell runs, readable ever after."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.server.conftest import TOKEN, Server, running
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "03_live_states.ipynb"
# The page itself notes what the card says while its cell runs, with `[*]:` for a prompt: whoever
# asks from outside may come too late for a word that stood there for half a second.
LISTEN = """() => {
    const said = window.orionSaid = [];
    new MutationObserver(() => {
        const card = document.querySelector('.orion-card');
        const prompt = card?.closest('.jp-Cell')?.querySelector('.jp-InputPrompt');
        const words = prompt?.innerText.includes('[*]') ? card.innerText : '';
        if (words && said.at(-1) !== words) said.push(words);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
# A task that fails, waits an hour for its retry, and then sleeps for another one.
BUSY = """%load_ext orion_nb
import time
from orion_nb import flow, task

tries = []

@task(retries=1, retry_delay="1h")
def sleeps():
    tries.append(1)
    if len(tries) == 1:
        raise RuntimeError("not yet")
    time.sleep(3600)

@flow
def stays():
    sleeps()

stays()
"""
RUN_ALL = "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab with the extension, and a copy of the notebook in its root."""
    folder = tmp_path_factory.mktemp("lab")
    options = ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    home = {"ORION_NB_HOME": str(folder / "home")}
    with running(folder, *options, beside=("jupyterlab",), **home) as server:
        shutil.copy(NOTEBOOK, server.root)
        yield server


def opened(page: Page, server: Server, name: str = NOTEBOOK.name) -> Page:
    page.goto(f"{server.url}/lab/tree/{name}?token={TOKEN}&reset")
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=120_000)
    return page


def watched(page: Page) -> list[str]:
    """What the card said while its cell ran, each time it said something new."""
    page.evaluate(LISTEN)
    page.evaluate(RUN_ALL)
    expect(page.get_by_text("flow shipment").first).to_be_attached(timeout=150_000)
    said: list[str] = page.evaluate("() => window.orionSaid")
    return said


def outputs(server: Server) -> list[dict[str, Any]]:
    told = json.loads((server.root / NOTEBOOK.name).read_text(encoding="utf-8"))
    return [output for cell in told["cells"] for output in cell.get("outputs", [])]


def test_states_move_while_the_cell_runs_and_the_saved_file_stays_readable(
    lab: Server, page: Page, tmp_path: Path, console_errors: list[str]
) -> None:
    opened(page, lab)
    said = watched(page)

    done = [int(found[1]) for words in said if (found := re.search(r"(\d+)/\d+ done", words))]
    assert len(set(done)) > 3, f"the card did not move: {said}"
    assert done == sorted(done)
    assert any("Running" in words for words in said)
    assert any("Awaiting retry" in words for words in said)
    assert any("Retrying" in words for words in said)

    table = page.locator(".jp-OutputArea table", has_text="attempts")
    expect(table).to_be_visible()
    expect(page.locator(".orion-card")).to_have_count(0)

    page.evaluate(SAVE)
    until(lambda: any("text/html" in each.get("data", {}) for each in outputs(lab)), "a save")
    kinds = {kind for output in outputs(lab) for kind in output.get("data", {})}
    assert "application/vnd.jupyter.widget-view+json" not in kinds

    page.reload()
    expect(table).to_contain_text("pack", timeout=120_000)
    assert page.get_by_text("Error displaying widget").count() == 0
    assert [line for line in console_errors if "orion" in line.lower()] == []

    page.context.set_offline(True)
    page.goto(export(lab, tmp_path).as_uri())
    expect(table).to_be_visible()
    shown = "\n".join(page.locator(".jp-OutputArea").all_inner_texts())
    assert shown.count("✔ Completed") > 30
    assert "Error" not in shown


def test_a_run_is_cancelled_and_a_retry_hurried_while_the_kernel_is_busy(
    lab: Server, page: Page
) -> None:
    told = json.loads(NOTEBOOK.read_text("utf-8")) | {"cells": [_cell(BUSY)]}
    (lab.root / "busy.ipynb").write_text(json.dumps(told), "utf-8")
    opened(page, lab, "busy.ipynb")
    card, busy = page.locator(".orion-card"), page.locator(".jp-InputPrompt", has_text="[*]")
    page.evaluate(RUN_ALL)
    expect(card).to_contain_text("Awaiting retry", timeout=120_000)
    expect(busy).to_be_visible()
    page.set_viewport_size({"width": 480, "height": 900})  # little room takes no task its name
    name = card.get_by_role("rowheader", name="sleeps")
    until(lambda: name.evaluate("it => it.clientWidth") > 80, "a name is hidden")
    page.set_viewport_size({"width": 1280, "height": 900})
    card.get_by_role("button", name="Retry now: stays").click()
    expect(card.get_by_role("row").filter(has_text="sleeps")).to_contain_text("Retrying")
    expect(card.get_by_role("button", name="Retry now")).to_have_count(0)
    expect(busy).to_be_visible()
    card.get_by_role("button", name="Cancel: stays").click()
    output = page.locator(".jp-OutputArea")
    expect(output.locator("table", has_text="attempts")).to_contain_text("⊘ Cancelled")
    expect(busy).to_have_count(0)
    expect(card).to_have_count(0)  # what is settled has no buttons
    expect(output.get_by_role("button")).to_have_count(0)

    page.route("**/orion/api/**", lambda each: each.fulfill(status=404, body="{}"))
    page.evaluate(RUN_ALL)
    expect(card).to_contain_text("Cancel: interrupt the kernel", timeout=120_000)
    expect(card.get_by_role("button")).to_have_count(0)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    expect(card).to_have_count(0)


def _cell(source: str) -> dict[str, Any]:
    told = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    return {**told, "source": source}


def export(server: Server, folder: Path) -> Path:
    """The saved notebook as HTML, made offline."""
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--output-dir"]
    done = subprocess.run(
        [*command, str(folder), str(server.root / NOTEBOOK.name)],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return folder / f"{NOTEBOOK.stem}.html"
