"""Events that few runs have are looked for a while, and then from there on."""

from __future__ import annotations

import pytest

from orion_nb.schemas.states import Completed, Failed, Running
from orion_nb.store import events
from orion_nb.store.events import EventFilter


@pytest.fixture
def trees(orion):
    """The ids of three flow runs, each with two tasks, of which one fails."""
    roots = []
    for turn in range(3):
        flow, _ = orion.begin(orion.new_run("flow", f"flow {turn}"), Running())
        for nth in range(2):
            new = orion.new_run("task", f"task {nth}", parent=flow.id)
            task, _ = orion.begin(new, Running())
            orion.advance(task, Failed("no") if (turn, nth) == (1, 1) else Completed())
        orion.advance(flow, Completed())
        roots.append(flow.id)
    return roots


def chosen_of(trees):
    return [
        EventFilter(), EventFilter(root=trees[1]), EventFilter(run=trees[2]),
        EventFilter(root="0" * 32), EventFilter(types=("FAILED",)), EventFilter(kind="flow"),
        EventFilter(name="task 1"), EventFilter(top_level=True, types=("COMPLETED",)),
    ]  # fmt: skip


def test_all_are_found_with_time_enough(orion, trees):
    with orion.database.read() as connection:
        newest = events.last(connection)
        for chosen in chosen_of(trees):
            wanted = events.after(connection, 0, chosen)
            for patience in (None, 30.0):
                found, seen = events.some(connection, 0, chosen, 1000, patience)
                assert (found, seen) == (wanted, newest)
            for n in (3, newest, newest + 5):
                found, seen = events.some(connection, n, chosen)
                assert found == [event for event in wanted if event.n > n]
                assert seen == max(n, newest)


def test_who_looks_on_finds_the_same(orion, trees, monkeypatch):
    monkeypatch.setattr(events, "STRETCH", 2)
    with orion.database.read() as connection:
        newest = events.last(connection)
        for chosen in chosen_of(trees):
            found, n = [], 0
            for _ in range(100):
                part, n = events.some(connection, n, chosen, 2, 0.0)
                assert len(part) <= 2
                found += part
                if n == newest:
                    break
            assert (found, n) == (events.after(connection, 0, chosen), newest)
