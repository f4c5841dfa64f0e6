"""What the tests of the engine ask the database about: which runs there are, and their states."""

from __future__ import annotations

from pathlib import Path

import pytest

from orion_nb import connect
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State


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
