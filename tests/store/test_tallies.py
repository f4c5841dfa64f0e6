"""How many rows a database has is counted beside, and told as far as it is known."""

from __future__ import annotations

import sqlite3
import threading
import time

from orion_nb.store.tallies import Tallies


def test_the_rows_are_counted(orion, clock):
    orion.create_run("task", "t")
    told = orion.read_database()
    assert (told["rows"]["runs"], told["rows"]["states"], told["counted"]) == (1, 1, clock.at)
    orion.patience = 30.0
    orion.create_run("task", "t")
    assert orion.read_database()["rows"]["runs"] == 2


def test_who_is_in_a_hurry_is_told_of_the_last_time(orion, monkeypatch):
    """The count takes as long as somebody holds it up."""
    gate = threading.Event()
    tallies = Tallies()
    before = tallies.take(orion.database, 30.0)
    assert before is not None
    orion.create_run("task", "t")

    def wait_first(connection: sqlite3.Connection) -> dict[str, int]:
        gate.wait(30)
        return {"runs": 1}

    monkeypatch.setattr("orion_nb.store.tallies.count", wait_first)
    assert tallies.take(orion.database, 0.0) is before
    assert Tallies().take(orion.database, 0.0) is None
    gate.set()
    deadline = time.monotonic() + 30
    while tallies.take(orion.database, 0.01) is before:
        assert time.monotonic() < deadline
    assert tallies.take(orion.database, 30.0).rows == {"runs": 1}
