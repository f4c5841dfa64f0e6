"""What the tests of the engine ask the database about: which runs there are, and their states."""

from __future__ import annotations

import importlib
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orion_nb import connect
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State
from tests.engine.reaching import Load
from tests.engine.stopping import Cancels


class Told:
    """What is in the database of this test."""

    def runs(self, name: str | None = None, kind: str | None = None) -> list[Run]:
        """The runs, oldest first."""
        orion, found, cursor = connect(), [], None
        while True:
            page = orion.filter_runs(name=name, kind=kind, limit=200, cursor=cursor)
            found += [orion.find(each["id"]) for each in page["runs"]]
            cursor = page["cursor"]
            if cursor is None:
                return found[::-1]

    def run(self, name: str) -> Run:
        """The one run of this name."""
        (only,) = self.runs(name)
        return only

    def states(self, ref: str) -> list[State]:
        """The states of a run, oldest first."""
        told = connect().read_states(self.id_of(ref))["states"]
        names = State.__slots__
        return [State(**{name: each[name] for name in names}) for each in told]

    def names(self, ref: str) -> list[str]:
        """The names of the states of a run, oldest first."""
        return [state.name for state in self.states(ref)]

    def id_of(self, ref: str) -> str:
        return ref if len(ref) == 32 else self.run(ref).id


@pytest.fixture
def told(home: Path) -> Told:
    return Told()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes modules, imports the one named `job` anew and answers it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    written: set[str] = set()

    def forget() -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in written:
                del sys.modules[name]
        importlib.invalidate_caches()

    def write(job: str, **others: str) -> ModuleType:
        for name, text in {"job": job, **others}.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
            written.add(path.relative_to(tmp_path).parts[0].removesuffix(".py"))
        forget()
        return importlib.import_module("job")

    yield write
    forget()


@pytest.fixture
def cancels(until: Any) -> Iterator[Cancels]:
    made = Cancels(until)
    yield made
    for thread in made.threads:
        thread.join()


@pytest.fixture
def ctrl_c_is_given_back() -> Iterator[None]:
    """Who had Ctrl-C has it again, and nothing is raised afterwards."""
    before = signal.getsignal(signal.SIGINT)
    yield
    for _ in range(3):
        time.sleep(0.001)
    assert signal.getsignal(signal.SIGINT) is before
