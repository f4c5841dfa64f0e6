"""Values that have no fingerprint, and how it is said which part of one has none."""

from __future__ import annotations

import contextvars
import random
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from orion_nb.engine.fingerprints import fingerprint
from orion_nb.engine.prints import Unhashable


class Plain:
    """A user's object."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class Fickle:
    """It tells of itself differently each time."""

    def __reduce__(self) -> Any:
        return Fickle, (random.random(),)


class Failing:
    """It can't be looked at."""

    def __reduce__(self) -> Any:
        raise KeyError("broken")


class Silent:
    """It can't say what it is known by."""

    def __orion_fingerprint__(self) -> object:
        raise LookupError("no name yet")


def holding(value: Any) -> Any:
    return Plain(deep={"list": [1, (value,)]})


UNHASHABLE: list[tuple[Any, str]] = [
    (threading.Lock, "a _thread.lock has no content to know it by"),
    (lambda: (each for each in []), "a generator can be read once only"),
    (lambda: iter([1]), "a list_iterator can be read once only"),
    (lambda: map(len, []), "a map can be read once only"),
    (lambda: contextvars.ContextVar("a"), "a _contextvars.ContextVar has no content"),
    (threading.Event, "cannot pickle"),
    (Fickle, "Fickle tells of itself differently each time"),
    (Failing, "Failing has no content to know it by ('broken')"),
    (Silent, "__orion_fingerprint__ raised LookupError('no name yet')"),
]


@pytest.mark.parametrize(
    ("make", "says"), UNHASHABLE, ids=lambda each: getattr(each, "__name__", "")
)
def test_what_has_no_content_has_no_fingerprint(make: Any, says: str) -> None:
    with pytest.raises(Unhashable) as caught:
        fingerprint(holding(make()))
    assert says in str(caught.value)
    assert caught.value.path.startswith(".deep['list'][1][0]")


def test_an_open_file_or_a_connection_has_no_fingerprint(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    with (tmp_path / "a").open("w") as file:
        for each in (file, connection):
            with pytest.raises(Unhashable):
                fingerprint({"key": each})
    connection.close()


def test_what_is_nested_without_end_has_no_fingerprint() -> None:
    value: list[Any] = []
    for _ in range(10_000):
        value = [value, 1]
    with pytest.raises(Unhashable, match="nested too deeply"):
        fingerprint(value)


def test_the_member_that_is_fickle_is_found_among_steady_ones() -> None:
    class Steady:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getstate__(self) -> Any:
            return {"inner": self.inner}

    value = {"good": Steady(Steady(1)), "bad": Steady([Steady(2), Fickle()]), "last": Steady(3)}
    with pytest.raises(Unhashable) as caught:
        fingerprint(value)
    assert caught.value.path == "['bad'].inner[1]"
