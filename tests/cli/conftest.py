"""The command line: called in this process, or as a process of its own on the test's data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.cli.app import app

ROOT = Path(__file__).parents[2]


@dataclass
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value that stdout must be."""
        return json.loads(self.out)


@pytest.fixture
def call(home: Path) -> Callable[..., Done]:
    """Calls a command in this process."""

    def run(*args: object, stdin: str | None = None) -> Done:
        done = CliRunner().invoke(app, [str(arg) for arg in args], input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def start(tmp_path: Path, home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command as a process; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []
    paths = [str(ROOT), str(ROOT / "server_extension"), str(ROOT / "widgets")]

    def begin(*args: object, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "orion_nb", *map(str, args)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environ},
            cwd=tmp_path,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def orion_nb(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., Done]:
    """Runs a command as a process, to its end."""

    def run(*args: object, **environ: str) -> Done:
        process = start(*args, **environ)
        out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)

    return run


@pytest.fixture
def here(home: Path) -> Orion:
    """The API on the database that commands called in this process use."""
    return connect()


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., Path]:
    """Writes a notebook with these cells of code; `parameters` is a tagged cell before them."""

    def write(*cells: str, parameters: str = "", name: str = "work") -> Path:
        told = [_code(parameters, "parameters")] if parameters else []
        told += [_code(cell) for cell in cells]
        for place, cell in enumerate(told):
            cell["id"] = f"c{place}"
        path = tmp_path / f"{name}.ipynb"
        whole = {"cells": told, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        path.write_text(json.dumps(whole), encoding="utf-8")
        return path

    return write


def _code(source: str, *tags: str) -> dict[str, Any]:
    told = {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}}
    return {**told, "outputs": [], "execution_count": None}
