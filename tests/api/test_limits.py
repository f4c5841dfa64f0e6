"""Limits over the API: how many slots each has, who uses them, who waits."""

from __future__ import annotations

import pytest

from orion_nb.errors import InvalidInput, NotFound
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import AwaitingSlot, Completed, Running


def test_a_limit_tells_how_it_is_used(orion):
    assert orion.set_limit("db", 1) == {"name": "db", "slots": 1, "used": 0, "waiting": 0}
    policy = RunPolicy(concurrency=(("db", None),))
    first, _ = orion.begin(orion.new_run("task", "a", policy=policy), Running())
    orion.begin(orion.new_run("task", "b", policy=policy), AwaitingSlot())
    assert orion.read_limit("db") == {"name": "db", "slots": 1, "used": 1, "waiting": 1}
    orion.advance(first, Completed())
    assert orion.list_limits()["limits"][0]["used"] == 0
    assert orion.set_limit("db", 5)["slots"] == 5


def test_names_and_numbers_are_checked(orion):
    for name, slots in (("", 1), ("a\nb", 1), ("x", -1), ("x", 10**7)):
        with pytest.raises(InvalidInput):
            orion.set_limit(name, slots)
    for act in (orion.read_limit, orion.delete_limit):
        with pytest.raises(NotFound, match="no limit 'none'"):
            act("none")
    orion.set_limit("x", 0)
    assert orion.delete_limit("x") == {"deleted": "x"}
    assert orion.list_limits() == {"limits": []}
