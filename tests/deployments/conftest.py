"""Notebooks to run, patience with processes, and the check that none is left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 45.0


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

    def ask(question: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        while not (answer := question()):
            assert time.monotonic() < deadline, f"in vain waited for {what or question}"
            time.sleep(0.02)
        return answer

    return ask


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
    deadline = time.monotonic() + 10
    while (left := processes()) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in left:  # what a failed test left must not burden the next
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert left == {}


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
