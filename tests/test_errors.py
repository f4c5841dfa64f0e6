"""Every error tells over HTTP what it is, and in its docstring what to do about it."""

from __future__ import annotations

import inspect

import pytest

from orion_nb import errors
from orion_nb.errors import Interruption, InvalidInput, OrionError, TaskTimeout

FOUND = [each for each in vars(errors).values() if inspect.isclass(each)]
TREE = [each for each in FOUND if each is not Interruption]


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_each_is_one_of_ours_with_a_status_and_advice(error):
    assert issubclass(error, OrionError)
    assert error.status in (400, 403, 404, 409, 413, 415, 422, 500, 503)
    assert error.__doc__.strip().endswith(".")
    told = error("what happened").as_json()
    assert told == {"error": error.__name__, "message": "what happened", "field": None}


def test_the_tree_is_drawn_whole():
    for error in TREE:
        assert error.__name__ in errors.__doc__


def test_a_field_is_named():
    assert InvalidInput("name: too long", field="name").as_json()["field"] == "name"


def test_a_timeout_is_also_pythons():
    assert issubclass(TaskTimeout, TimeoutError)


def test_an_interruption_is_swallowed_by_no_one():
    assert not issubclass(Interruption, Exception)
