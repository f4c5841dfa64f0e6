"""A preview is short, comes fast however big the value is, and never fails."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.store.previews import preview, said


@dataclass
class Point:
    x: int
    items: list = field(default_factory=list)
    secret: str = field(default="", repr=False)


@dataclass
class Guarded:
    password: str

    def __repr__(self):
        return "Guarded(…)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"), ("a\nb", r"'a\nb'"), (b"a", "b'a'"), ([1, "x"], "[1, 'x']"), ((1,), "(1,)"),
        ((), "()"), (set(), "set()"), ({1}, "{1}"), (frozenset(), "frozenset({})"), ({}, "{}"),
        ({"a": (1, 2)}, "{'a': (1, 2)}"), (OrderedDict(a=1), "OrderedDict({'a': 1})"),
        (Counter("aa"), "Counter({'a': 2})"), (defaultdict(int, a=1), "defaultdict({'a': 1})"),
        (Point(1, [2], "s"), "Point(x=1, items=[2])"), (Guarded("p"), "Guarded(…)"),
        (1 << 10_000_000, "<int of 10,000,001 bits>"), (range(10**9), "range(0, 1000000000)"),
        (np.arange(3), "array int64 (3,)\n[0 1 2]"), (np.array(1.5), "array float64 ()\n1.5"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)  # fmt: skip
def test_values_as_people_write_them(value, text):
    assert preview(value) == text


@pytest.mark.parametrize(
    ("value", "ends"),
    [
        ("x" * 10**7, "… (10,000,000 characters)"),
        (b"x" * 10**7, "… (10,000,000 bytes)"),
        ([0] * 10**7, "… (10,000,000 items)"),
        (dict.fromkeys(range(10**6)), "… (1,000,000 items)"),
        (Point(1, ["x" * 10**7] * 1000), "…"),
    ],
    ids=range(5),
)
def test_long_ones_are_cut_and_say_how_long_they_are(value, ends):
    began = time.process_time()
    text = preview(value)
    assert time.process_time() - began < 0.5  # well under a millisecond
    assert len(text) <= 1000
    assert text.endswith(ends)


def test_arrays_show_their_shape_and_a_corner():
    assert preview(np.zeros((1000, 1000))).startswith("array float64 (1000, 1000)\n[[0. 0. 0.]")
    assert preview([np.zeros((9, 9))]) == "[array float64 (9, 9)]"
    assert preview(np.array([object()])) == "array object (1,)"


def test_frames_show_their_shape_and_a_head():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(1000), "b": ["x" * 500] * 1000})
    text = preview(frame)
    assert text.startswith("DataFrame 1,000 rows × 2 columns\n")
    assert len(text.splitlines()) == 7
    assert len(text) < 400
    assert preview([frame]) == "[DataFrame 1,000 rows × 2 columns]"
    assert preview(pd.Series([1.5])).startswith("Series float64 1 rows\n0    1.5")


class Broken:
    def __init__(self, error=None):
        self.error = error

    def __repr__(self):
        raise self.error or RuntimeError("no")


class Meta(type):
    def __hash__(cls):
        raise ValueError

    def __repr__(cls):
        raise ValueError


class Weird(metaclass=Meta):
    @property
    def __class__(self):
        raise ValueError


def test_a_broken_repr_is_no_trouble():
    for value in (Broken(), [Broken()], Broken(SystemExit()), [Weird()], {"a": Weird()}):
        assert "when it was to be shown" in preview(value) or "Weird" in preview(value)


def test_an_interrupt_is_one():
    with pytest.raises(KeyboardInterrupt):
        preview(Broken(KeyboardInterrupt()))


def test_control_characters_are_not_sent_to_a_terminal():
    class Red:
        def __repr__(self):
            return "\x1b[31mred\x00\x9b\ud800"

    assert preview(Red()) == r"\x1b[31mred\x00\x9b\ud800"


def test_nesting_ends():
    value: list = []
    value.append(value)
    assert preview(value).count("[") == 7


@given(st.recursive(st.text() | st.binary() | st.floats() | st.integers(), st.lists))
def test_any_value_has_one(value):
    for limit in (40, 200, 1000):
        assert len(preview(value, limit)) <= limit


def test_what_an_exception_says_is_one_line():
    assert said(ValueError("a\n  b\x1b")) == r"ValueError: a b\x1b"
    assert said(ValueError()) == "ValueError"
    assert len(said(ValueError("x" * 1000))) == 300
