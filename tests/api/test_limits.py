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
    assert orion.list_limits() == {"limits": [], "cursor": None}


def test_limits_are_listed_by_the_page(orion):
    for number in range(5):
        orion.set_limit(f"l{number}", number)
    first = orion.list_limits(limit=3)
    rest = orion.list_limits(limit=3, cursor=first["cursor"])
    listed = first["limits"] + rest["limits"]
    assert [each["name"] for each in listed] == ["l0", "l1", "l2", "l3", "l4"]
    assert rest["cursor"] is None
    assert orion.all_limits()["limits"] == listed == orion.list_limits()["limits"]
    for wrong in ({"limit": 0}, {"limit": 201}, {"cursor": "x"}):
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            orion.list_limits(**wrong)
