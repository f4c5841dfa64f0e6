"""Arrays and tables are known by their content, however a library keeps it in memory."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from orion_nb.engine.fingerprints import fingerprint
from orion_nb.engine.prints import Unhashable

# -- numpy ---------------------------------------------------------------------------------------


def test_an_array_is_its_dtype_shape_and_items() -> None:
    np = pytest.importorskip("numpy")
    arrays = [
        np.arange(6),
        np.arange(6).reshape(2, 3),
        np.arange(6).reshape(3, 2),
        np.arange(6, dtype="int32"),
        np.arange(6, dtype=">i8"),
        np.arange(6.0),
        np.arange(7),
        np.array([]),
        np.array([], dtype=int),
        np.array(1),
        np.int64(1),
        np.float64(1),
        np.float32(1),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype=object),
        np.array(["a", None], dtype=object),
        np.array(["2024-01-01"], dtype="M8[D]"),
        np.array(["2024-01-01"], dtype="M8[s]"),
        np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
        np.array([(1, 2.0)], dtype=[("a", int), ("c", float)]),
        np.ma.array([1, 2], mask=[0, 1]),
        np.ma.array([1, 2], mask=[0, 0]),
        np.longdouble([1, 2]),
        np.dtype("f8"),
        np.sin,
    ]
    made = [fingerprint(each) for each in arrays]
    assert len(set(made)) == len(made)
    assert made == [fingerprint(each.copy() if hasattr(each, "copy") else each) for each in arrays]


def test_how_an_array_lies_in_memory_makes_no_difference() -> None:
    np = pytest.importorskip("numpy")
    array = np.arange(12).reshape(3, 4)
    assert fingerprint(np.asfortranarray(array)) == fingerprint(array)
    assert fingerprint(np.arange(24)[::2].reshape(3, 4) // 2) == fingerprint(array)
    assert fingerprint(np.arange(24).reshape(3, 8)[:, ::2]) == fingerprint(
        np.array([[0, 2, 4, 6], [8, 10, 12, 14], [16, 18, 20, 22]])
    )
    padded = np.dtype([("a", "i1"), ("b", "i8")], align=True)
    left, right = np.full(4, 255, "u1").repeat(8).view(padded), np.zeros(2, padded)
    right["a"], right["b"] = left["a"], left["b"]
    assert fingerprint(left) == fingerprint(right)


def test_an_object_array_that_holds_what_has_no_content() -> None:
    np = pytest.importorskip("numpy")
    with pytest.raises(Unhashable, match="a generator can be read once only"):
        fingerprint(np.array([1, (each for each in [])], dtype=object))


# -- pandas --------------------------------------------------------------------------------------


def columns(pd: Any) -> dict[str, Any]:
    """A column of every kind, and one that differs from it."""
    days = pd.date_range("2024-01-01", periods=3)
    return {
        "int": ([1, 2, 3], [1, 2, 4]),
        "float": ([1, 2, None], [1, None, 2]),
        "bool": ([True, False, True], [True, True, True]),
        "text": (["a", "b", None], ["a", None, "b"]),
        "object": (
            pd.Series(["a", 1, None], dtype=object),
            pd.Series(["a", "1", None], dtype=object),
        ),
        "masked": (pd.array([1, None, 3], dtype="Int64"), pd.array([1, 0, 3], dtype="Int64")),
        "string": (pd.array(["a", None, "c"], dtype="string"), pd.array(["a", "", "c"], "string")),
        "category": (pd.Categorical(["a", "b", "a"]), pd.Categorical(["a", "b", "b"])),
        "renamed": (pd.Categorical(["a", "b", "a"]), pd.Categorical(["c", "d", "c"])),
        "ordered": (
            pd.Categorical(["a", "b", "a"], ordered=True),
            pd.Categorical(["a", "b", "a"], ordered=False),
        ),
        "day": (days, days + pd.Timedelta("1D")),
        "zone": (days.tz_localize("UTC"), days.tz_localize("Europe/Paris")),
        "period": (days.to_period("D"), days.to_period("M")),
        "delta": (days - days[0], days - days[1]),
        "interval": (pd.interval_range(0, 3), pd.interval_range(1, 4)),
        "sparse": (pd.arrays.SparseArray([0, 0, 1]), pd.arrays.SparseArray([0, 1, 0])),
    }


def test_a_frame_is_the_content_of_its_columns() -> None:
    pd = pytest.importorskip("pandas")
    for name, (one, other) in columns(pd).items():
        made, more = pd.DataFrame({name: one}), pd.DataFrame({name: other})
        assert fingerprint(made) == fingerprint(made.copy()), name
        assert fingerprint(made) != fingerprint(more), name
        assert fingerprint(made[name]) == fingerprint(made[name].copy()), name
        assert fingerprint(made[name]) != fingerprint(more[name]), name
        assert fingerprint(pd.Index(one)) != fingerprint(pd.Index(other)), name


def test_a_frame_is_its_index_columns_and_attrs_as_well() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    others = [
        frame,
        frame[["b", "a"]],
        frame.rename(columns={"a": "c"}),
        frame.set_index([[1, 2]]),
        frame.set_index([["x", "y"]]),
        frame.set_index([["x", "y"], [1, 2]]),
        frame.set_index("a"),
        frame.astype("float"),
        frame.astype("Int64"),
        frame.iloc[:1],
        frame["a"],
        frame["a"].rename("b"),
        frame.assign(c=1),
        frame.copy(),
    ]
    others[-1].attrs["unit"] = "m"
    made = [fingerprint(each) for each in others]
    assert len(set(made)) == len(made)


def test_how_a_frame_came_about_makes_no_difference() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})
    grown = pd.DataFrame({"a": [1, 2, 3]})
    grown["b"] = [4, 5, 6]
    assert fingerprint(grown) == fingerprint(frame)
    assert fingerprint(pd.DataFrame([[1, 4], [2, 5], [3, 6]], columns=["a", "b"])) == fingerprint(
        frame
    )
    masked = pd.DataFrame({"a": pd.array([1, 2, 3], dtype="Int64")})
    masked.loc[1, "a"] = pd.NA  # what lay there may still be in memory
    fresh = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64")})
    assert fingerprint(masked) == fingerprint(fresh)


# -- polars and pyarrow --------------------------------------------------------------------------


def test_a_polars_frame_is_its_content_however_it_is_cut_up() -> None:
    pl = pytest.importorskip("polars")
    whole = pl.DataFrame(
        {
            "int": [1, None, 3],
            "float": [1.0, float("nan"), None],
            "text": ["a", None, "c"],
            "flag": [True, None, False],
            "list": [[1], None, []],
            "struct": [{"a": 1}, {"a": 2}, {"a": 3}],
            "day": pl.Series([1, None, 3]).cast(pl.Date),
            "at": pl.Series([1, None, 3]).cast(pl.Datetime("us", "UTC")),
            "kind": pl.Series(["a", "b", "b"], dtype=pl.Categorical),
            "money": pl.Series(["1.0", None, "3.0"]).cast(pl.Decimal(10, 2)),
        }
    )
    pieces = pl.concat([whole[:1], whole[1:]], rechunk=False)
    assert fingerprint(pieces) == fingerprint(whole) == fingerprint(whole.clone())
    for name in whole.columns:
        changed = whole.with_columns(pl.col(name).reverse())
        assert fingerprint(changed) != fingerprint(whole), name
        assert fingerprint(whole[name]) != fingerprint(whole[name].alias("other")), name
    assert fingerprint(whole.select(pl.col("int").fill_null(0))) != fingerprint(whole.select("int"))
    assert fingerprint(pl.Series([1.0, None])) != fingerprint(pl.Series([1.0, float("nan")]))
    with pytest.raises(Unhashable, match="collect"):
        fingerprint(whole.lazy())


def test_an_arrow_table_is_its_content_however_it_is_cut_up() -> None:
    pa = pytest.importorskip("pyarrow")
    whole = pa.table(
        {
            "int": pa.array([1, None, 3]),
            "text": pa.array(["a", None, "c"]),
            "flag": pa.array([True, None, False]),
            "day": pa.array([date(2024, 1, 1), None, date(2024, 1, 2)]),
            "list": pa.array([[1], None, []]),
            "kind": pa.array(["a", "b", "b"]).dictionary_encode(),
        }
    )
    pieces = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert fingerprint(pieces) == fingerprint(whole) == fingerprint(whole.slice(0))
    for name in whole.column_names:
        column = whole[name]
        assert fingerprint(column) != fingerprint(column.take([2, 1, 0])), name
    assert fingerprint(whole.rename_columns(list("abcdef"))) != fingerprint(whole)
    assert fingerprint(whole.replace_schema_metadata({"a": "b"})) != fingerprint(whole)
    assert fingerprint(pa.scalar(1)) != fingerprint(pa.scalar(2))
    assert fingerprint(pa.int32()) != fingerprint(pa.int64())
