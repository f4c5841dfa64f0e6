"""A notebook is deployed, and what it takes is shown, from within it."""

from __future__ import annotations

import json
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
    assert "UsageError: %orion run: 'limti' (notebook takes: limit: int = 10)" in wrong.stderr
    kernel.do("del os.environ['JPY_SESSION_NAME']")
    assert "can't be known here" in kernel.run("%orion deploy").stderr
    assert "unrecognized arguments: --corn" in kernel.run("%orion deploy --corn x").stderr
