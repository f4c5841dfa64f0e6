"""A value keeps its kind on its way into a notebook: a bool is no number, a text what is meant."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from orion_nb.errors import ParameterError
from orion_nb.schemas.parameters import read_parameters
from tests.schemas.notebooks import notebook

MIXED = """
flag: bool = True
count: int = 1
share: float = 1.0
either: bool | int = 0
some: list[int] = []
shares: dict[str, float] = {}
mode: Literal[True, "auto", "1", 2, None] = "auto"
first, last = 1, "z"
seconds = 60 * 60
"""


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("either", True, True), ("either", 1, 1), ("flag", "true", True), ("share", 2, 2.0),
        ("mode", "true", True), ("mode", "auto", "auto"), ("mode", "1", "1"), ("mode", "2", 2),
        ("mode", "null", None), ("mode", "None", None), ("first", "5", 5), ("last", "5", "5"),
        ("seconds", "90", 90),
    ],
)  # fmt: skip
def test_a_value_reaches_the_notebook_as_what_it_is(name, given, value):
    nb = notebook(MIXED)
    told = read_parameters(nb)
    names = {}
    for cell in told.inject(nb, {name: given})["cells"][told.cell :][:2]:
        exec("from typing import Literal\n" + cell["source"], names)
    assert (type(names[name]), names[name]) == (type(value), value)


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("count", True, "integer"), ("share", False, "number"), ("flag", 1, "boolean"),
        ("flag", 0.0, "boolean"), ("some", [1, True], "integer"), ("shares", {"a": True}, "number"),
        ("seconds", "soon", "integer"),
    ],
)  # fmt: skip
def test_a_bool_is_no_number_and_a_number_no_bool(name, given, wanted):
    told = read_parameters(notebook(MIXED))
    with pytest.raises(ParameterError, match=f"Input should be a valid {wanted}"):
        told.validate({name: given})
    if not isinstance(given, str):
        assert not Draft202012Validator(told.json_schema()).is_valid({name: given})
