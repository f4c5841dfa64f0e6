"""Values that are made quickly are ordinary frozen dataclasses to all who use them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle

import pytest

from orion_nb.rules import Transition
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Pending, State, StateType
from orion_nb.schemas.values import evolve, frozen


@frozen
class Point:
    """A place."""

    x: int
    y: int = 2
    tags: list[str] = dataclasses.field(default_factory=list)
    name: str = dataclasses.field(default="p", kw_only=True, compare=False)


def test_it_is_made_as_any_dataclass():
    assert Point(1) == Point(x=1, y=2, tags=[])
    assert Point(1, 3, ["a"], name="n").name == "n"
    assert Point(1).tags is not Point(1).tags
    assert Point(1) == Point(1, name="other")
    assert repr(Point(1)) == "Point(x=1, y=2, tags=[], name='p')"
    assert type(Point(1)) is Point


@pytest.mark.parametrize("arguments", [(), (1, 2, [], "n")])
def test_what_does_not_fit_is_refused(arguments):
    with pytest.raises(TypeError, match="argument"):
        Point(*arguments)
    with pytest.raises(TypeError, match="argument"):
        Point(1, z=3)


def test_it_does_not_change():
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        point.z = 2
    assert point == Point(1)


def test_it_is_evolved_into_another_one():
    point = Point(1, 3, ["a"], name="n")
    other = evolve(point, y=4)
    assert (other.x, other.y, other.tags, other.name) == (1, 4, ["a"], "n")
    assert type(other) is Point
    assert point.y == 3
    assert dataclasses.replace(point, y=4) == other
    with pytest.raises(AttributeError):
        evolve(point, z=4)


@pytest.mark.parametrize(
    "value",
    [
        State(StateType.FAILED, "Failed", message="m"),
        Line("rule", "Says.", "pass", None, {"a": 1}),
        Report(Status.ACCEPT, Pending(), rules=(Line("r", "s", "pass"),)),
        Run("1" * 32, "task", "t", Pending(), "1" * 32, parameters={"a": [1]}),
        Transition(Run("1" * 32, "task", "t", Pending(), "1" * 32), Pending(), 5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_is_copied_pickled_and_taken_apart(value):
    assert copy.deepcopy(value) == value
    assert copy.copy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    assert type(value)(**fields) == value
    assert list(inspect.signature(type(value)).parameters) == list(fields)
