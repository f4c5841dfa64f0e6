"""A page in the Chromium that the system has.

Where there is none the tests are skipped; with `ORION_NB_REQUIRE_BROWSER=1` they fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.waiting import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Playwright adds --headless and --no-sandbox. The rest keeps the browser from calling home.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    reason = "no Chromium on PATH (Debian: apt install chromium)"
    if os.environ.get("ORION_NB_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def launched(chromium: str, profile: Path) -> Iterator[BrowserContext]:
    """A browser with an empty profile of its own."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            args=ARGUMENTS,
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(PATIENCE * 1000)
        yield context
        context.close()


@pytest.fixture
def browser(chromium: str, tmp_path: Path) -> Iterator[BrowserContext]:
    with launched(chromium, tmp_path / "chromium") as context:
        yield context


@pytest.fixture
def console_errors() -> list[str]:
    """What went wrong in `page`: errors on the console, and exceptions nobody caught."""
    return []


@pytest.fixture
def page(browser: BrowserContext, console_errors: list[str]) -> Page:
    """An empty page; what goes wrong in it is kept in `console_errors`."""
    return overheard(browser.pages[0], console_errors)


def overheard(page: Page, errors: list[str]) -> Page:
    """The page; what goes wrong in it is added to `errors`."""

    def note(line: ConsoleMessage) -> None:
        if line.type == "error":
            errors.append(f"{line.text} ({line.location['url']})")

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(f"{error}\n{error.stack}"))
    return page
