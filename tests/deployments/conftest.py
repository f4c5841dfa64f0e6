"""Notebooks to run, patience with processes, and the check that none is left behind."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orion_nb.api.orion import Orion
from orion_nb.deployments.worker import Worker
from orion_nb.schemas.runs import Run
from tests.waiting import until


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """Writes a notebook of these cells: texts of code, or whole cells."""

    def write(*cells: str | dict[str, Any], name: str = "work", **metadata: Any) -> Path:
        told = {
            "cells": [code(cell) if isinstance(cell, str) else cell for cell in cells],
            "metadata": metadata,
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        for place, cell in enumerate(told["cells"]):
            cell.setdefault("id", f"c{place}")
        path = tmp_path / f"{name}.ipynb"
        path.write_text(json.dumps(told), encoding="utf-8")
        return path

    return write


def code(source: str, *tags: str, **fields: Any) -> dict[str, Any]:
    told = {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}}
    return {**told, "outputs": [], "execution_count": None, **fields}


@pytest.fixture(name="code")
def a_code_cell() -> Callable[..., dict[str, Any]]:
    return code


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Asks until the answer is true, and gives it; fails when patience is at its end."""
    return until


@pytest.fixture
def processes(home: Path) -> Callable[[], dict[int, str]]:
    """The processes that work on this test's data folder, with their command lines."""
    wanted = f"ORION_NB_HOME={home}".encode()

    def look() -> dict[int, str]:
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environ = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if wanted in environ and int(entry.name) != os.getpid():
                found[int(entry.name)] = command
        return found

    return look


@pytest.fixture(autouse=True)
def no_process_is_left(processes: Callable[[], dict[int, str]]) -> Iterator[None]:
    yield
    deadline = time.monotonic() + 30
    while (left := processes()) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in left:  # what a failed test left must not burden the next
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert left == {}


@pytest.fixture(autouse=True)
def no_warm_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start no kernel that the test doesn't need; tests of warm runners ask for them."""
    monkeypatch.setenv("ORION_NB_WARM_RUNNERS", "0")


@pytest.fixture
def working(orion: Orion) -> Iterator[Callable[..., Worker]]:
    """Starts workers on threads; they are stopped at the end, their runners waited for."""
    started = []

    def start(on: Orion = orion, **options: Any) -> Worker:
        worker = Worker(on, **options)
        thread = threading.Thread(target=worker.run)
        thread.start()
        started.append((worker, thread))
        return worker

    yield start
    for worker, thread in started:
        assert worker.stop(timeout=60)
        thread.join(60)


@pytest.fixture
def worker(working: Callable[..., Worker]) -> Worker:
    return working(concurrency=4)


@pytest.fixture
def ended(orion: Orion) -> Callable[[Run], Run]:
    """Waits until a run has ended, and gives it as it is then."""

    def wait(run: Run) -> Run:
        found: Run = until(lambda: (now := orion.find(run.id)).state.is_terminal and now)
        return found

    return wait


@pytest.fixture
def kept() -> Callable[[Path], list[dict[str, Any]]]:
    """The cells of an executed notebook, texts joined."""

    def read(path: Path) -> list[dict[str, Any]]:
        cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            cell["source"] = "".join(cell["source"])
            for output in cell.get("outputs", ()):
                if "text" in output:
                    output["text"] = "".join(output["text"])
        return cells

    return read
