"""Over HTTP a replay's notebook has its place in the server's root folder, or none."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orion_nb.api.orion import Orion
from orion_nb.api.routes import routes_of
from orion_nb.settings import Settings
from orion_nb_server.services import PLACED, Services

EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def orion(tmp_path: Path) -> Iterator[Orion]:
    opened = Orion(Settings.load(environ={}, home=str(tmp_path / "home")))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("folder", "placed"),
    [("root", "{}"), ("root/a b/c", "a b/c/{}"), ("root/.hidden", None), ("elsewhere", None)],
)
def test_its_path_is_told_from_the_root(
    orion: Orion, tmp_path: Path, folder: str, placed: str | None
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / folder / "etl.ipynb").write_text(json.dumps(EMPTY))
    orion.create_deployment("etl", str(tmp_path / folder / "etl.ipynb"))
    run = orion.run_deployment("etl")
    services = Services(orion, logging.getLogger("test"), root=lambda: str(tmp_path / "root"))
    route = next(each for each in routes_of(Orion) if each.name in PLACED)
    told: Any = services._answer(orion, route, {"run_id": run.id})
    assert told["path"] == (placed and placed.format(told["name"]))
    assert told["folder"] == str(tmp_path / folder)
