"""What can't be kept, and why: said of the first part that can't, and of what is too large."""

from __future__ import annotations

import functools
import io
import threading
import time
import tracemalloc
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from orion_nb.store.serializers import (
    LIMIT,
    Serialized,
    Unserializable,
    deserialize,
    serialize,
    size_text,
)


def back(value, limit=LIMIT):
    """The serializer's name, and the value that comes back."""
    made = serialize(value, limit)
    assert isinstance(made, Serialized), made.reason
    return made.serializer, deserialize(made.serializer, made.body)


def reason(value, limit=LIMIT):
    made = serialize(value, limit)
    assert isinstance(made, Unserializable), made.serializer
    return made.reason


@dataclass
class Point:
    x: int
    y: object


class Connection:
    def __init__(self):
        self.name, self.lock = "db", threading.Lock()


class Slotted:
    __slots__ = ("inner", "unset")

    def __init__(self, inner):
        self.inner = inner


class Raises:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


def _closure(lock):
    return lambda: lock


LOCK = "cannot pickle '_thread.lock' object"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (threading.Lock(), f"value: {LOCK}"),
        ({"a": [0, 1, 2, Connection()]}, f"value['a'][3].lock: {LOCK}"),
        ([Slotted(Connection())], f"value[0].inner.lock: {LOCK}"),
        ((deque([threading.Lock()]),), f"value[0][0]: {LOCK}"),
        (_closure(threading.Lock()), f"value.__closure__['lock']: {LOCK}"),
        (functools.partial(print, threading.Lock()), f"value.args[0]: {LOCK}"),
        ({("odd", 1): threading.Lock()}, f"value[a tuple]: {LOCK}"),
        ((one for one in "ab"), "value: cannot pickle 'generator' object"),
        ([iter([1]), (one for one in "ab")], "value[1]: cannot pickle 'generator' object"),
        ([Raises(ValueError("no\nway"))], "value[0]: ValueError: no way"),
        ([Raises(SystemExit(3))], "value[0]: SystemExit: 3"),
        ({"g": Raises(GeneratorExit())}, "value['g']: GeneratorExit"),
        ([Raises(RuntimeError())], "value[0]: RuntimeError"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_the_first_member_that_cannot_be_pickled_is_named(value, expected):
    assert reason(value) == expected


def test_an_open_file_is_not_read(tmp_path: Path):
    path = tmp_path / "data.txt"
    path.write_text("content")
    with path.open() as file:
        assert reason([file]) == "value[0]: cannot pickle an open file"
        assert file.tell() == 0
    assert back(io.BytesIO(b"x"))[1].getvalue() == b"x"


def test_nesting_without_end_is_told():
    value: list = []
    for _ in range(100_000):
        value = [value]
    assert reason(value) == "value: nested too deeply"


def test_interrupts_and_what_else_is_asked_for_pass_through():
    with pytest.raises(KeyboardInterrupt):
        serialize(Raises(KeyboardInterrupt()))

    class Deadline(BaseException):
        pass

    with pytest.raises(Deadline):
        serialize(Raises(Deadline()), through=(KeyboardInterrupt, Deadline))


class Liar:
    """Everything that can be asked of it raises."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


class BrokenText(Exception):
    def __str__(self):
        raise ValueError


def test_hostile_values_are_told_as_well():
    made = serialize([Liar(), Raises(BrokenText())])
    assert isinstance(made, Unserializable)
    assert reason(Raises(BrokenText())) == "value: BrokenText"


def huge():
    return np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 27,), (0,))  # 1 GiB, in 8 bytes


@pytest.mark.parametrize(
    "make",
    [
        huge,
        lambda: {"a": [1, huge()]},
        lambda: [Point(1, huge())],
        lambda: huge()[::2],
        lambda: np.ma.array(huge(), shrink=False),
        lambda: [huge().reshape(2, -1).T],
    ],
    ids=["array", "nested", "in an object", "strided", "masked", "transposed"],
)
def test_a_huge_array_is_refused_at_once_and_not_copied(make):
    if make is not huge:
        serialize((1,))  # cloudpickle is imported
    value = make()
    tracemalloc.start()
    try:
        began = time.process_time()
        assert reason(value) == "larger than 1 MiB"
        took = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert took < 1  # a few ms, and seconds if it were copied


@pytest.mark.parametrize(
    "value",
    [
        "x" * 2_000_000, ["é" * 600_000], b"x" * 2_000_000, ("x" * 2_000_000,),
        [b"x" * 2_000_000], [0] * 2_000_000, {"x" * 2_000_000: 1}, ([1.5] * 200_000,),
        list(range(300_000)), dict.fromkeys(range(2_000_000)), {"a": {"b": ["xy"] * 400_000}},
    ],
    ids=range(11),
)  # fmt: skip
def test_larger_values_are_refused(value):
    assert reason(value) == "larger than 1 MiB"
    assert back(value, None)[1] == value


def test_the_limit_is_met_exactly():
    assert back("x" * 98, 100)[1] == "x" * 98
    assert reason("x" * 99, 100) == "larger than 100 bytes"
    size = len(serialize((1, "abc")).body)
    assert back((1, "abc"), size)[1] == (1, "abc")
    assert reason((1, "abc"), size - 1) == f"larger than {size - 1} bytes"


def test_endless_state_is_cut_off():
    class Endless:
        def __reduce__(self):
            return list, (), None, iter(int, 1)

    assert reason(Endless()) == "larger than 1 MiB"


def test_sizes_as_people_read_them():
    texts = [size_text(size) for size in (10, 1536, 1 << 20, 5 << 29)]
    assert texts == ["10 bytes", "1.5 KiB", "1 MiB", "2.5 GiB"]
