"""How what a replay made differs from what was made before, in a few lines."""

from __future__ import annotations

from typing import Any

import pytest

from orion_nb.engine.comparing import described, differences


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (1, 1, []),
        (float("nan"), float("nan"), []),
        (1, 2, ["1 is now 2"]),
        (1, "1", ["int 1 is now str '1'"]),
        ([1, 2], [1, 3], ["[1]: 2 is now 3"]),
        ([1], [1, 2], ["list of 1 is now list of 2"]),
        ({"a": 1, "b": [1]}, {"b": [2], "c": None}, [
            "'a' is gone, it was int 1", "['b'][0]: 1 is now 2", "'c' is new: None"]),
        ({1, 2}, {2, 3}, ["only before: 1", "only now: 3"]),
        ("a\nb", "a\nc", ["--- before", "+++ now", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]),
        (["a\nb"], ["a\nc"], [
            "--- before [0]", "+++ now [0]", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]),
        ("a\nb", "a\nb\n", ["the lines end in another way"]),
    ],
)  # fmt: skip
def test_what_differs_is_told(was: Any, now: Any, told: list[str]) -> None:
    assert differences(was, now) == told


def test_only_the_first_differences_are_told() -> None:
    told = differences(list(range(50)), list(range(1, 51)))
    assert len(told) == 11
    assert told[0] == "[0]: 0 is now 1"
    assert told[-1] == "and more"


def test_of_long_texts_the_lines_that_differ_are_told() -> None:
    was = [str(n) for n in range(60_000)]  # a diff of these would take minutes
    now = [*was[:2], *was[:1:-1], "end"]
    assert differences("\n".join(was), "\n".join(now))[:2] == [
        "60,000 lines are now 60,001",
        "line 3: '2' is now '59999'",
    ]
    assert len(differences("a\n", "a\n" + 10_000 * "b")[-1]) == 160


def test_what_can_not_be_compared_is_told_so() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise OSError("no")

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            return "odd"

    assert differences(Odd(), Odd()) == []  # all that can be known
    ring: list[Any] = []
    ring.append(ring)
    other: list[Any] = []
    other.append(other)
    assert differences(ring, other)[0].startswith("they can't be compared: RecursionError")


def test_of_tables_the_shape_columns_types_and_first_rows_are_told() -> None:
    pandas = pytest.importorskip("pandas")
    was = pandas.DataFrame({"a": [1, 2, 3], "b": [1.5, None, 2.5], "c": list("xyz")})
    assert described(was) == "DataFrame (3, 3)"
    assert differences(was, was.copy()) == []
    now = pandas.DataFrame({"a": [1.0, 5.0], "b": [1.5, None], "d": list("xy")})
    assert differences(was, now) == [
        "shape (3, 3) is now (2, 3)", "columns gone: 'c'", "columns new: 'd'",
        "column 'a': int64 is now float64", "row 1: 'a' 2 is now 5.0", "row 2 is gone: (3, 2.5)",
    ]  # fmt: skip
    assert differences(was["a"], was["a"] + [0, 0, 1]) == ["[2]: 3 is now 4"]
    assert differences(was["a"], was["a"][:2].astype(float)) == [
        "Series int64 (3,) is now Series float64 (2,)"
    ]
    assert differences(was, was.set_axis([5, 6, 7])) == ["the index is another one"]


def test_of_arrays_the_type_shape_and_first_places_are_told() -> None:
    numpy = pytest.importorskip("numpy")
    was = numpy.arange(6.0).reshape(2, 3)
    assert described(was) == "ndarray float64 (2, 3)"
    now = was.copy()
    now[1, 2] = 0
    assert differences(was, now) == ["[1, 2] 5.0 is now 0.0"]
    assert differences(was, was[:1]) == ["ndarray float64 (2, 3) is now ndarray float64 (1, 3)"]
