"""What the proofs ask the database about, and scripts that run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orion_nb import connect
from tests.waiting import until


class Seen:
    """The runs of this test, as anybody can read them."""

    def runs(self, name: str) -> list[dict[str, Any]]:
        """The runs of this name, oldest first."""
        return connect().filter_runs(name=name, limit=200)["runs"][::-1]

    def run(self, name: str) -> dict[str, Any]:
        """The one run of this name."""
        (only,) = self.runs(name)
        return only

    def names(self, run: dict[str, Any]) -> list[str]:
        """The names of the states that a run has entered."""
        return [state["name"] for state in connect().read_states(run["id"])["states"]]

    def rules(self, run: dict[str, Any], verdict: str) -> list[str]:
        """The rules that said so, of all reports of a run."""
        states = connect().read_states(run["id"])["states"]
        reports = (state["report"] for state in states if state["report"])
        lines = (line for report in reports for line in report["rules"])
        return [line["rule"] for line in lines if line["verdict"] == verdict]


@pytest.fixture
def seen(home: Path) -> Seen:
    return Seen()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Asks until the answer is true, and gives it; fails when patience is at its end."""
    return until


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python script in a process of its own; what is left of them is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *args: str) -> subprocess.Popen[str]:
        path = tmp_path / f"script{len(started)}.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        made = subprocess.Popen(
            [sys.executable, str(path), *args],
            env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1,
        )  # fmt: skip
        started.append(made)
        return made

    yield start
    for made in started:
        if made.poll() is None:
            made.kill()
        made.communicate()
