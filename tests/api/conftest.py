"""A notebook to deploy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A notebook that takes `x` (a whole number) and `name` (a text)."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [],
            "execution_count": None, "source": "x: int = 1\nname: str = 'a'",
        }
    ]  # fmt: skip
    path = tmp_path / "report.ipynb"
    told = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


@pytest.fixture
def deploy(orion: Any, notebook: Path) -> Callable[..., dict[str, Any]]:
    """Deploys that notebook."""

    def make(name: str = "report", **fields: Any) -> dict[str, Any]:
        told: dict[str, Any] = orion.create_deployment(name, str(notebook), **fields)
        return told

    return make
