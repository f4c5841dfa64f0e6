"""The JSON Schema of a value: read off it, or declared and checked."""

from __future__ import annotations

import dataclasses
import json
from datetime import date

import jsonschema
import numpy
import pandas
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from orion_nb.errors import InvalidInput
from orion_nb.schemas.described import DECLARED, INFERRED, annotated, brief, declared, inferred

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def fits(value, schema):
    return jsonschema.Draft202012Validator(schema).is_valid(value)


@settings(max_examples=50)
@given(PLAIN)
@example([[[False]], [None, [None]]])
@example([[{"a": 1}], [None, {"b": "x"}, [1]]])
def test_whatever_is_json_fits_the_schema_that_is_read_off_it(value):
    found = inferred(value)
    assert fits(value, found)
    assert len(json.dumps(found)) <= INFERRED
    assert brief(found)


def test_it_tells_names_and_what_lists_are_of():
    parts = [{"a": 1, "c": None}, {"a": "x", "b": True}]
    value = {"rows": 41, "mean": [1, 2.5, None], "parts": parts}
    found = inferred(value)
    assert brief(found) == (
        "{rows: integer, mean: [number | null],"
        " parts: [{a: integer | string, c?: null, b?: boolean}]}"
    )
    assert not fits({**value, "rows": "41"}, found)
    assert not fits({"rows": 41}, found)
    assert fits({**value, "more": 1}, found)


def test_a_schema_within_another_may_be_true_or_false():
    made = {"type": "object", "properties": {"a": True, "b": {"anyOf": [{"type": "null"}, False]}}}
    assert brief(declared(made, {"a": 1})[1]) == "{a?: any, b?: null | nothing}"


@pytest.mark.parametrize(
    "value",
    [
        list(range(100_000)),
        [{"a": n} for n in range(100_000)],
        {str(n): n for n in range(100_000)},
        {str(n): {str(m): [m] for m in range(90)} for n in range(90)},
        {"a" * 10_000: 1},
    ],
    ids=["numbers", "objects", "names", "much", "long"],
)
def test_what_is_too_much_to_be_told_is_left_open(value):
    found = inferred(value)
    assert len(json.dumps(found)) <= INFERRED
    assert fits(value, found)


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1: 2}, {1, 2}, date(2030, 1, 1), [object()], pandas.DataFrame({"a": [1]})],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_json_has_none(value):
    assert inferred(value) is None


class Report(BaseModel):
    rows: int
    day: date


@dataclasses.dataclass
class Part:
    name: str
    share: float = 1.0


@pytest.mark.parametrize(
    ("schema", "value", "plain"),
    [
        (Report, Report(rows=1, day=date(2030, 1, 2)), {"rows": 1, "day": "2030-01-02"}),
        (Report, {"rows": 1, "day": "2030-01-02"}, {"rows": 1, "day": "2030-01-02"}),
        (list[Part], [Part("a")], [{"name": "a", "share": 1.0}]),
        (dict[str, int | None], {"a": numpy.int64(3), "b": None}, {"a": 3, "b": None}),
        (tuple[int, str], (1, "x"), [1, "x"]),
        ({"type": "object", "required": ["a"]}, {"a": [1]}, {"a": [1]}),
    ],
)
def test_a_value_that_fits_is_kept_as_json_with_the_schema(schema, value, plain):
    kept, made = declared(schema, value)
    assert kept == plain
    assert fits(plain, made)


@pytest.mark.parametrize(
    ("schema", "value", "says"),
    [
        (Report, {"rows": "1", "day": "2030-01-02"}, r"result\.rows: .*integer, got '1'"),
        (Report, {"rows": 1}, r"result\.day: Field required"),
        (dict[str, list[int]], {"a": [1, "x"]}, r"result\.a\.1: .*got 'x'"),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1.5}, r"result\.a: 1\.5 is not"),
        (int, object(), "result: JSON can't hold it: it has an object of object"),
        (float, float("nan"), "result: JSON can't hold it: it has a NaN"),
        ({"type": "objekt"}, 1, "schema: it is no JSON Schema"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, 1, "schema: it can't be used"),
        (object(), 1, "schema: <object"),
        ({"title": "x" * DECLARED}, 1, "schema: .* are kept"),
    ],
)
def test_what_does_not_fit_is_named(schema, value, says):
    with pytest.raises(InvalidInput, match=says):
        declared(schema, value)


def test_an_annotation_counts_only_where_the_value_fits_it():
    assert annotated(dict[str, int], {"a": 1})["additionalProperties"] == {"type": "integer"}
    assert annotated(dict[str, int], {"a": "x"}) is None
    assert annotated(Report, Report(rows=1, day=date(2030, 1, 1))) is None  # it is kept as it is
    assert annotated(object, 1) is None
