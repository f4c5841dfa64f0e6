"""Equal values have one fingerprint, in any process; other values have others; some have none."""

from __future__ import annotations

import copy
import enum
import functools
import io
import logging
import math
import os
import pickle
import random
import re
import sqlite3
import struct
import subprocess
import sys
import threading
import typing
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, PrivateAttr

from orion_nb.engine.fingerprints import fingerprint

ROOT = Path(__file__).parents[2]

# -- any values ----------------------------------------------------------------------------------

hashables = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary()
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.just(UTC) | st.none())
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.uuids()
    | st.text("ab/", min_size=1).map(PurePosixPath),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=8,
)
values = st.recursive(
    hashables,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.sets(hashables, max_size=5)
        | st.dictionaries(hashables, inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=15,
)

SERVER = """
import pickle, sys
from orion_nb.engine.fingerprints import fingerprint
for line in sys.stdin:
    print(fingerprint(pickle.loads(bytes.fromhex(line))), flush=True)
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Any]:
    """Makes the fingerprint in another process, whose sets are ordered otherwise."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], env=environ, text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        tells, told = process.stdin, process.stdout

        def ask(value: Any) -> str:
            tells.write(pickle.dumps(value).hex() + "\n")
            return told.readline().strip()

        yield ask
        tells.close()


@given(values)
@settings(max_examples=200)
def test_equal_values_have_one_fingerprint_in_any_process(elsewhere: Any, value: Any) -> None:
    made = fingerprint(value)
    assert re.fullmatch("[0-9a-f]{64}", made)
    assert made == fingerprint(copy.deepcopy(value)) == elsewhere(value)


def test_the_order_of_a_set_makes_no_difference(elsewhere: Any) -> None:
    for value in (set("abcdefgh"), frozenset("abcdefgh"), {("a",), ("b",), ("c",), date.max}):
        assert fingerprint(value) == elsewhere(value)


few = st.sampled_from([0, 1, 2, True, False, 0.0, -0.0, 1.0, 1j, None, "", "0", "a", b"", b"a"])
near = st.recursive(
    few,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(few, max_size=3)
        | st.frozensets(few, max_size=3)
        | st.dictionaries(few, inner, max_size=3)
    ),
    max_leaves=4,
)


@given(near, near)
@settings(max_examples=1000)
def test_other_values_have_other_fingerprints(one: Any, other: Any) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (content(one) == content(other))


def content(value: Any) -> Any:
    """What tells values apart that `==` does not: their types, the sign of zero."""
    kind = type(value).__name__
    if isinstance(value, dict):
        return kind, frozenset((content(key), content(each)) for key, each in value.items())
    if isinstance(value, set | frozenset):
        return kind, frozenset(map(content, value))
    if isinstance(value, list | tuple):
        return kind, tuple(map(content, value))
    return kind, struct.pack("d", value) if isinstance(value, float) else value


@given(st.dictionaries(hashables, few, min_size=2) | st.dictionaries(st.text(), few, min_size=2))
def test_the_order_of_a_dict_makes_no_difference(value: dict[Any, Any]) -> None:
    backwards = dict(reversed(list(value.items())))
    assert fingerprint(backwards) == fingerprint(value)
    assert fingerprint({"in": [backwards]}) == fingerprint({"in": [value]})
    assert fingerprint(OrderedDict(backwards)) != fingerprint(OrderedDict(value))


# -- many kinds of values ------------------------------------------------------------------------


class Colour(enum.Enum):
    """A user's enum."""

    RED = 1
    BLUE = 2


class Access(enum.IntFlag):
    """A user's flags."""

    READ = 1
    WRITE = 2


@dataclass
class Point:
    """A user's dataclass."""

    x: float
    more: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slotted:
    """A dataclass without a `__dict__`."""

    x: int
    y: int = 2


Pair = namedtuple("Pair", "one two")


class Model(BaseModel):
    """A user's pydantic model."""

    n: int = 3
    items: list[int] = Field(default_factory=list)
    _secret: int = PrivateAttr(default=1)


class Plain:
    """A user's object."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class Slots:
    """An object whose attributes have places of their own."""

    __slots__ = ("a", "b")

    def __init__(self, a: Any) -> None:
        self.a = a


class State:
    """It says itself what of it is to be kept."""

    def __init__(self, kept: int) -> None:
        self.kept, self.lock = kept, threading.Lock()

    def __getstate__(self) -> dict[str, int]:
        return {"kept": self.kept}


class Named:
    """It says itself what it is known by."""

    def __init__(self, name: str) -> None:
        self.name, self.connection = name, sqlite3.connect(":memory:")
        self.connection.close()

    def __orion_fingerprint__(self) -> object:
        return {"name": self.name}


class Texts(list[str]):
    """A list with an attribute."""

    title = ""


class Marks(set[str]):
    """A set with an attribute."""

    title = ""


def titled(value: Any, title: str) -> Any:
    value.title = title
    return value


def chained(length: int) -> list[Any]:
    """Lists that hold the same list twice: written out, 2 ** length of them."""
    value: list[Any] = []
    for _ in range(length):
        value = [value, value]
    return value


def ring(*items: Any) -> list[Any]:
    value: list[Any] = [*items]
    value.append({"back": value})
    return value


AT = datetime.fromisoformat("2024-10-27T02:30")
MAKERS: list[Any] = [
    lambda: date(2024, 2, 29),
    lambda: AT,
    lambda: datetime(2024, 2, 29, tzinfo=UTC),
    lambda: datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=1))),
    lambda: datetime(2024, 2, 29, tzinfo=ZoneInfo("Europe/Paris")),
    lambda: AT.replace(fold=1),
    lambda: time(1, 2),
    lambda: timedelta(1),
    lambda: Decimal("1.0"),
    lambda: Decimal("1.00"),
    lambda: Fraction(1, 3),
    lambda: UUID(int=1),
    lambda: Path("a/b"),
    lambda: PurePosixPath("a"),
    lambda: range(3),
    lambda: slice(1, 2),
    lambda: ...,
    lambda: NotImplemented,
    lambda: re.compile("a"),
    lambda: re.compile("a", re.IGNORECASE),
    lambda: bytearray(b"a"),
    lambda: memoryview(b"a"),
    lambda: io.BytesIO(b"a"),
    lambda: io.StringIO("a"),
    lambda: "a" * 2_000_000,
    lambda: b"a" * 2_000_000,
    lambda: deque([1]),
    lambda: deque([1], maxlen=3),
    lambda: Counter("ab"),
    lambda: defaultdict(list),
    lambda: defaultdict(set),
    lambda: SimpleNamespace(a=1),
    lambda: ValueError("a"),
    lambda: Colour.RED,
    lambda: Colour.BLUE,
    lambda: Access.READ,
    lambda: Access.READ | Access.WRITE,
    lambda: Point(1),
    lambda: Point(1.0),
    lambda: Point(1, [1]),
    lambda: Slotted(1),
    lambda: Slotted(1, 3),
    lambda: Pair(1, 2),
    lambda: Pair(1, 3),
    lambda: (1, 3),
    lambda: Model(),
    lambda: Model(n=4),
    lambda: Plain(a=1),
    lambda: Plain(a=2),
    lambda: Plain(b=1),
    lambda: Slots(1),
    lambda: Slots(2),
    lambda: State(1),
    lambda: State(2),
    lambda: Named("a"),
    lambda: Named("b"),
    lambda: titled(Texts(["a"]), "t"),
    lambda: titled(Texts(["a"]), "u"),
    lambda: ["a"],
    lambda: titled(Marks("abc"), "t"),
    lambda: titled(Marks("abc"), "u"),
    lambda: set("abc"),
    lambda: chained(60),
    lambda: ring(1),
    lambda: ring(2),
    lambda: len,
    lambda: "a".join,
    lambda: "b".join,
    lambda: functools.partial(int, base=2),
    lambda: functools.partial(int, base=8),
    lambda: int,
    lambda: list[int],
    lambda: int | None,
    lambda: typing.Literal["a"],
    lambda: math,
    lambda: logging.getLogger("a"),
    lambda: logging.getLogger("b"),
    lambda: random.Random(1),
    lambda: random.Random(2),
]


def test_many_kinds_of_values_have_fingerprints_of_their_own() -> None:
    made = [fingerprint(make()) for make in MAKERS]
    assert made == [fingerprint(make()) for make in MAKERS]
    assert len(set(made)) == len(made)


def test_what_is_shared_is_as_good_as_a_copy() -> None:
    one = [1, [2]]
    assert fingerprint([one, one]) == fingerprint([one, [1, [2]]])


def test_where_a_ring_closes_counts() -> None:
    upper: list[Any] = []
    lower = [upper]
    upper.append(lower)
    whole: list[Any] = [upper]
    whole.append([whole])  # unlike `lower`, it holds what holds it
    assert fingerprint([upper, lower]) != fingerprint(whole)


def test_nan_is_as_good_as_any_number() -> None:
    nan = float("nan")
    assert fingerprint([nan]) == fingerprint([float("nan")]) != fingerprint([0.0])


def test_a_pydantic_model_is_its_values_given_or_not() -> None:
    assert fingerprint(Model()) == fingerprint(Model(n=3))
    changed = Model()
    changed._secret = 2
    assert fingerprint(changed) != fingerprint(Model())


def test_an_object_that_looks_like_another_is_none() -> None:
    class Point:
        pass

    other = Point()
    vars(other).update(x=1, more=[])
    assert fingerprint(other) != fingerprint(globals()["Point"](1))


def test_the_code_of_an_objects_class_counts() -> None:
    def make(factor: int) -> Any:
        source = f"class Thing:\n    def double(self):\n        return {factor}\n"
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(source, scope)
        return scope["Thing"]()

    assert fingerprint(make(2)) == fingerprint(make(2)) != fingerprint(make(3))
