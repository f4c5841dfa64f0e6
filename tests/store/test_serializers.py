"""A value comes back exactly as it was, or the reason why it isn't kept names what is to blame."""

from __future__ import annotations

import enum
import math
import sys
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.store.serializers import (
    LIMIT,
    Serialized,
    deserialize,
    is_exact_json,
    serialize,
)


def back(value, limit=LIMIT):
    """The serializer's name, and the value that comes back."""
    made = serialize(value, limit)
    assert isinstance(made, Serialized), made.reason
    return made.serializer, deserialize(made.serializer, made.body)


def same(one, two):
    """Equal, and of the same types all the way down."""
    if type(one) is not type(two):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        return list(one) == list(two) and all(map(same, one.values(), two.values()))
    if isinstance(one, float):
        return (one, math.copysign(1, one)) == (two, math.copysign(1, two)) or one != one
    return one == two


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANY_TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    ATOMS | ANY_TEXT | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.integers() | ANY_TEXT, inner)
        | st.lists(inner).map(tuple)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_every_value_comes_back_exactly(value):
    _, again = back(value)
    assert same(value, again)


@given(st.recursive(ATOMS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_is_taken_for_plain_values(value):
    made = serialize(value)
    if is_exact_json(value) and "NaN" not in repr(value):
        assert made.serializer == "json" or _holds_odd_number(value)


def _holds_odd_number(value):
    if isinstance(value, list | dict):
        return any(map(_holds_odd_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and not math.isfinite(value)


class Colour(enum.StrEnum):
    RED = "red"


class Whole(int):
    pass


@pytest.mark.parametrize(
    "value",
    [
        Whole(7), Colour.RED, True, (1, 2), {1: "a"}, {"a": (1,)}, math.inf, "\ud800\udc00",
        ["\udc80"], {"\ud800": 1}, 1 << 2000, [-(1 << 2000), 1], -0.0, OrderedDict(a=1),
        {"a": Whole(7)}, [Colour.RED], {None: 1}, 10**4000, b"bytes", {1, 2}, 1j, ...,
        datetime(2026, 3, 1, tzinfo=UTC), np.float64(1.5), np.int64(3), [np.int64(3)],
    ],
    ids=lambda value: str(value)[:20].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_nothing_turns_into_something_like_it(value):
    assert same(value, back(value)[1])


def test_a_list_that_is_there_twice_stays_one():
    inner = [1]
    _, again = back([inner, inner])
    assert again[0] is again[1]


def test_cycles_and_doublings_come_back():
    cycle: list = []
    cycle.append(cycle)
    again = back(cycle)[1]
    assert again[0] is again
    doubled: list = []
    for _ in range(60):
        doubled = [doubled, doubled]
    assert back(doubled)[1][0][0][1][0]


def test_small_plain_values_are_inline():
    assert serialize({"a": [1, None]}).inline == '{"a":[1,null]}'
    assert serialize("é").inline == '"é"'
    assert serialize("x" * 5000).inline is None


@dataclass
class Point:
    x: int
    y: object


def test_classes_and_functions_of_a_user_come_back():
    name, again = back(Point(1, [2]))
    assert (name, again) == ("pickle", Point(1, [2]))
    factor = 3
    assert back(lambda x: x * factor)[1](4) == 12


# -- arrays ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3), np.arange(6).reshape(2, 3).T, np.array(3), np.zeros((0, 4)),
        np.arange(10)[::2], np.array(["a", "bé"]), np.array([b"a"]), np.array([True, False]),
        np.array(["2026-01-01", "NaT"], "M8[s]"), np.array([1], ">i4"), np.array([1 + 2j]),
        np.array([math.nan, -0.0]), np.broadcast_to(np.float32(1), (3, 3)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)  # fmt: skip
def test_arrays_come_back_without_pickle(array):
    name, again = back(array)
    assert name == "npy"
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert again.tobytes() == array.tobytes()
    assert again.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, "x", None], object), np.ma.array([1, 2], mask=[0, 1]),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), np.rec.array([(1, 2)]),
        np.zeros(2, np.dtype("f8", metadata={"unit": "m"})),
    ],
    ids=lambda array: str(array.dtype)[:30],
)  # fmt: skip
def test_other_arrays_are_pickled(array):
    name, again = back(array)
    assert name == "pickle"
    assert type(again) is type(array)
    assert again.dtype == array.dtype
    assert again.tolist() == array.tolist()
    assert again.dtype.metadata == array.dtype.metadata


# -- tables ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pd():
    pytest.importorskip("pyarrow")
    return pytest.importorskip("pandas")


def test_frames_come_back_exactly(pd):
    for name, frame in frames(pd).items():
        made = serialize(frame)
        again = deserialize(made.serializer, made.body)
        assert made.serializer == "frame", name
        pd.testing.assert_frame_equal(frame, again, check_exact=True, check_freq=True)
        assert list(map(type, again.columns)) == list(map(type, frame.columns))


def frames(pd):
    days = pd.date_range("2026-03-28", periods=3, tz="Europe/Berlin")
    return {
        "plain": pd.DataFrame({"a": [1, 2], "b": [1.5, math.nan], "c": ["x", "y"]}),
        "no rows": pd.DataFrame({"a": pd.Series([], dtype="int8")}),
        "times": pd.DataFrame({"t": days}, index=[3, 1, 2]),
        "categories": pd.DataFrame({"c": pd.Categorical(["a", "b"], ["b", "a"], ordered=True)}),
        "nullable": pd.DataFrame({"n": pd.array([1, None], "Int64")}),
        "levels": pd.DataFrame(
            {"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", "n"])
        ),
    }


def test_frames_that_arrow_would_change_are_pickled(pd):
    index = pd.date_range("2026-01-01", periods=2, freq="D")
    with_notes = pd.DataFrame({"a": [1]})
    with_notes.attrs["unit"] = "m"
    odd = {
        "empty": pd.DataFrame(),
        "mixed": pd.DataFrame({"a": pd.Series([1, "x", (1, 2)], dtype=object)}),
        "enums": pd.DataFrame({"a": pd.Series([Colour.RED, "red"], dtype=object)}),
        "nan among texts": pd.DataFrame({"a": pd.Series(["x", math.nan], dtype=object)}),
        "same names": pd.DataFrame([[1, 2]], columns=["a", "a"]),
        "frequency": pd.DataFrame({"a": [1, 2]}, index=index),
        "attrs": with_notes,
    }
    for name, frame in odd.items():
        made = serialize(frame)
        again = deserialize(made.serializer, made.body)
        pd.testing.assert_frame_equal(frame, again, check_exact=True, check_freq=True)
        if name != "frequency":
            assert made.serializer == "pickle", name
        for column in range(frame.shape[1]):
            one, two = frame.iloc[:, column], again.iloc[:, column]
            assert list(map(type, one)) == list(map(type, two)), name
        assert again.attrs == frame.attrs


def test_tables_come_back_with_their_metadata(pd):
    import pyarrow as pa

    table = pa.table({"a": [1, None], "b": [["x"], []]}).replace_schema_metadata({"k": "v"})
    name, again = back(table.slice(1))
    assert name == "table"
    assert again.equals(table.slice(1), check_metadata=True)


def test_without_pyarrow_frames_are_pickled(pd, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    name, again = back(pd.DataFrame([[1], [2]]))  # texts would be Arrow's own arrays
    assert name == "pickle"
    assert again[0].tolist() == [1, 2]


# -- what can't be kept ----------------------------------------------------------------------------


# -- limits ----------------------------------------------------------------------------------------


def test_defaultdicts_keep_their_default():
    value = defaultdict(list, a=[1])
    assert back(value)[1].default_factory is list


def test_an_unknown_serializer_is_not_guessed():
    with pytest.raises(ValueError, match="newer orion_nb"):
        deserialize("parquet", b"")
