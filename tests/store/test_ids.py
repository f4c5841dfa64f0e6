"""A server finds a run by the last digits of its id without looking through the file."""

from __future__ import annotations

import random

import pytest

from orion_nb.api.once import seen_inside
from orion_nb.errors import Conflict, InvalidInput, RunNotFound
from orion_nb.schemas.runs import new_id
from orion_nb.store import ids, listing
from orion_nb.store.ids import Ids


@pytest.mark.parametrize("many", [1, 3, 50_000])
def test_ids_are_found_as_the_file_finds_them(orion, many, monkeypatch):
    monkeypatch.setattr(ids, "MANY", many)
    known = [orion.create_run("task", "t").id for _ in range(20)]
    flow = orion.create_run("flow", "f").id
    known.append(orion.create_run("task", "inner", parent=flow).id)
    memory = Ids()
    endings = [key[-digits:] for key in known for digits in (4, 5, 8, 13, 31)]
    with orion.database.read() as connection:
        for ending in (*endings, "0000", "abcdef123"):
            found = memory.ending_in(connection, ending)
            assert found == listing.ids_ending_in(connection, ending)
        chance = random.choice(known)
        assert memory.ending_in(connection, chance[-8:]) == [chance]


def test_what_is_new_is_found_and_what_is_gone_is_not(orion, other):
    orion.patience = 5.0
    first = orion.create_run("task", "t").id
    assert orion.find(first[-8:]).id == first
    second = other.create_run("task", "t").id
    assert orion.find(second[-7:]).id == second
    orion.database.write(
        lambda tx: tx.execute("DELETE FROM runs WHERE id = ?", (bytes.fromhex(first),))
    )
    with pytest.raises(RunNotFound):
        orion.find(first[-8:])


def test_what_is_undone_is_not_remembered(orion):
    """The numbers of its events are given again."""
    orion.patience = 5.0
    before = orion.create_run("task", "t").id

    def work(tx):
        inner = seen_inside(orion, tx)
        undone = inner.create_run("task", "undone").id
        assert inner.find(before[-8:]).id == before
        raise Conflict(undone)

    with pytest.raises(Conflict):
        orion.database.write(work)
    after = orion.create_run("task", "t").id
    assert orion.find(after[-8:]).id == after


def test_digits_that_fit_several_runs_are_refused(orion, monkeypatch):
    orion.patience = 5.0
    made = [new_id()[:-6] + "c0ffee" for _ in range(2)]
    left = iter(made)
    monkeypatch.setattr("orion_nb.api.runs.new_id", lambda: next(left))
    for _ in made:
        orion.create_run("task", "t")
    with pytest.raises(InvalidInput, match="fits several runs"):
        orion.find("c0ffee")


def test_a_name_is_looked_for_as_long_as_a_server_looks(orion, clock):
    orion.create_run("task", "old")
    clock.advance(3600)
    for _ in range(3):
        orion.create_run("task", "new")
        clock.advance(10)
    orion.patience = 0.0
    with pytest.raises(RunNotFound, match=r"no run 'old' since .*; give its id"):
        orion.find("old")
    assert orion.find("new").name == "new"
    orion.patience = None
    assert orion.find("old").name == "old"
