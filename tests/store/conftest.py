"""A database of the test's own, keepers of results, and trees of runs to forget."""

from __future__ import annotations

import pytest

from orion_nb.schemas.states import Completed, Running
from orion_nb.store import courier as courier_module
from orion_nb.store.database import Database
from orion_nb.store.keeper import Keeper
from tests.store.forgetting import RESULT, furnish
from tests.store.moods import Moody


@pytest.fixture
def database(home):
    opened = Database(home / "orion.db")
    yield opened
    opened.close()


@pytest.fixture
def moody(monkeypatch):
    monkeypatch.setattr(courier_module, "FIRST_PAUSE", 0.05)
    Moody.mood, Moody.asked = staticmethod(lambda: None), 0
    yield Moody
    Moody.mood = staticmethod(lambda: None)
    Moody.store.clear()


@pytest.fixture
def keep(home):
    """Makes keepers, and closes them."""
    made = []

    def make(url=None, **changes) -> Keeper:
        made.append(Keeper(home, url, **changes))
        return made[-1]

    yield make
    for one in made:
        one.close(0)


@pytest.fixture
def make(orion, clock):
    """A tree of runs that ended now: a flow with tasks, each with a row in many tables."""

    def one(name="f", tasks=2, end=None, result=RESULT, cache_key=None):
        clock.advance(1)  # ids sort by the time they were made
        flow, _ = orion.begin(orion.new_run("flow", name), Running())
        before = None
        for n in range(tasks):
            upstream = [(before.id, "x")] if before else []
            run = orion.new_run("task", f"{name}{n}", parent=flow.id)
            run, _ = orion.begin(run, Running(cache_key=cache_key), upstream)
            furnish(orion, run.id, clock.at)
            run, _ = orion.advance(run, Completed(result=result, cache_key=cache_key))
            before = run
        return orion.advance(flow, end or Completed())[0]

    return one
