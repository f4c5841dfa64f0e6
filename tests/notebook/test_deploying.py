"""A notebook is deployed, and what it takes is shown, from within it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "saved.ipynb"
    cell = {
        "cell_type": "code", "metadata": {"tags": ["parameters"]}, "outputs": [],
        "execution_count": None, "source": "limit: int = 10  # how many",
    }  # fmt: skip
    told = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(told), "utf-8")
    return path


def test_a_notebook_shows_what_it_takes_and_is_deployed_and_run(kernel: Any, saved: Path) -> None:
    kernel.do(f"import os; os.environ['JPY_SESSION_NAME'] = {str(saved)!r}")
    assert "limit: int = 10  how many" in kernel.do("%orion params").result
    ran = kernel.do("%orion deploy nightly -p limit=5 --cron '0 7 * * 1-5' --pin # at seven")
    assert "every weekday at 07:00 UTC" in ran.result
    assert "next: " in ran.result
    kernel.do("again = %orion deploy nightly --update --retries 2")
    assert kernel.value("again.data['parameters']['limit'] + again.data['retries']") == "7"
    assert kernel.value("again.data['track']") == "pinned"
    kernel.do("run = %orion run nightly -p limit=6")
    assert kernel.value("run.data['parameters']['limit'] + 1") == "7"
    wrong = kernel.run("%orion run nightly -p limti=6")
    says = "'limti' is unknown; did you mean 'limit'? (notebook takes: limit: int = 10)"
    assert f"UsageError: %orion run: {says}" in wrong.stderr
    kernel.do("del os.environ['JPY_SESSION_NAME']")
    assert "can't be known here" in kernel.run("%orion deploy").stderr
    wrong = kernel.run("%orion deploy --corn x").stderr
    assert "unrecognized arguments: --corn (did you mean --cron?)" in wrong


def test_the_magic_takes_the_options_of_the_command_line(kernel: Any, saved: Path) -> None:
    line = f"%orion deploy --path {saved} weekly --rrule FREQ=WEEKLY --limit db=2 --env A=1"
    kernel.do(f"tried = {line} --output-limit 5000 --dry-run")
    found = "[tried.data[name] for name in ('concurrency', 'env', 'output_limit')]"
    assert kernel.value(found) == "[{'db': 2}, {'A': '1'}, 5000]"
    assert "weekly" not in kernel.do("%orion deployments").result
    kernel.do(line)
    assert "weekly: every week" in kernel.do("%orion deployments").result
    paused = kernel.do("%orion pause weekly --until 2h --why 'it is down'")
    assert re.search(r"weekly is paused until \S+:\d\dZ", paused.result)
    assert "weekly: every week" in kernel.do("%orion deployments").result
    assert "next: " in kernel.do("%orion resume weekly").result
    assert kernel.do("%orion preview '0 7 * * *' -n 2").result.count(" 07:00:00 UTC") == 2
    tried = "%orion preview '30 2 * * *' --tz Europe/Berlin --starts 2040-03-25 --ends 2040-03-26"
    assert kernel.do(tried).result.splitlines()[1:] == [  # clocks go forward that night
        "2040-03-25 03:00:00+02:00 Europe/Berlin", "2040-03-26 02:30:00+02:00 Europe/Berlin",
    ]  # fmt: skip
    helped = kernel.do("%orion deploy --help").stdout
    assert all(option in helped for option in ("--ics", "--grace", "--dry-run"))


def test_a_line_of_the_command_line_is_taken_as_it_is(kernel: Any, saved: Path) -> None:
    kernel.do(f"made = %orion deploy {saved} --name copied --every 1h --dry-run")
    assert kernel.value("made.data['name'], made.data['path']") == str(("copied", str(saved)))
    kernel.do(f"made = %orion deploy {saved} --dry-run")
    assert kernel.value("made.data['name'], made.data['path']") == str(("saved", str(saved)))
    wrong = kernel.run(f"%orion deploy one --path {saved} --name two --dry-run").stderr
    assert "UsageError: %orion deploy: two names, 'one' and 'two'" in wrong


def test_tab_completes_a_line(kernel: Any, saved: Path) -> None:
    kernel.do(f"%orion deploy tabbed --path {saved}")
    kernel.orion.create_run("flow", "noted-run")
    for line, expected in (
        ("%orion de", "deploy"),
        ("%orion deploy --cat", "--catch-up"),
        ("%orion deploy --overlap ", "cancel_running"),
        ("%orion deploy --tz Europe/Pra", "Europe/Prague"),
        ("%orion run tab", "tabbed"),
        ("%orion why noted", "noted-run"),
        ("%%task --ret", "--retry-delay"),
    ):
        assert expected in kernel.complete(line), line


def test_logs_are_read_in_the_notebook(kernel: Any) -> None:
    kernel.do("from orion_nb import flow, get_logger")
    body = "def talk():\n    get_logger().warning('too hot')\n    get_logger().info('fine')"
    kernel.do(f"@flow\n{body}\ntalk()")
    told = kernel.do("%orion logs talk").result
    assert "too hot" in told
    assert "fine" in told
    assert "fine" not in kernel.do("%orion logs talk --level warning").result
