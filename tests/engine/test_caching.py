"""The cache key of a call: the same for the same call, and it says what changed when it isn't."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb import task
from orion_nb.engine.caching import (
    CacheKey,
    CachePolicy,
    Unhashable,
    changed,
    check_custom,
    key_for,
    key_for_custom,
    read_cache,
)
from orion_nb.errors import InvalidInput

LIMIT = 3
lock = threading.Lock()


def clean(x: Any) -> Any:
    return x


def f(x: Any, y: Any = 2, *more: Any, z: Any = None, **options: Any) -> Any:
    return clean(x), LIMIT, lock


ONE_MORE = lambda x: x + 1  # noqa: E731
TWO_MORE = lambda x: x + 2  # noqa: E731


def key(*args: Any, **kwargs: Any) -> CacheKey:
    return key_for(f, "f", args, kwargs)


# -- keys ----------------------------------------------------------------------------------------


def test_a_key_says_what_it_is_made_of() -> None:
    made = key(1, 2, 3, a=4)
    assert len(made.key) == 64
    assert set(made.parts) == {
        "task", "source", "argument x", "argument y", "argument more", "argument z",
        "argument options.a", "function clean", "global LIMIT", "global lock",
    }  # fmt: skip
    assert {len(each) for each in made.parts.values()} == {16}
    assert made.notes == ("global lock: a _thread.lock counts by its type only",)


def test_arguments_are_known_by_their_names() -> None:
    assert key(1) == key(x=1) == key(1, 2) == key(1, y=2) == key(y=2, x=1, z=None)
    assert key(1, a=1, b=2) == key(1, b=2, a=1)
    others = [
        key(1),
        key(2),
        key(1, 3),
        key(1, 2, 3),
        key(1, z=3),
        key(1, a=2),
        key(1, b=2),
        key(True),
    ]
    assert len({each.key for each in others}) == len(others)


@given(st.integers() | st.text(), st.integers() | st.text())
def test_a_changed_argument_is_a_changed_key(one: Any, other: Any) -> None:
    assert (key(one).key == key(other).key) == (one == other)
    assert changed(key(one).parts, key(other).parts) == ["argument x changed"] * (one != other)


def test_what_changed_is_told_in_sentences() -> None:
    old = {
        "source": "a",
        "argument x": "a",
        "global A": "a",
        "package pandas": "2.2.1",
        "same": "a",
    }
    new = {
        "source": "b",
        "argument x": "b",
        "global B": "a",
        "package pandas": "3.0.0",
        "same": "a",
    }
    assert changed(old, new) == [
        "source changed",
        "argument x changed",
        "global B is new",
        "package pandas changed (2.2.1 → 3.0.0)",
        "global A is gone",
    ]
    assert changed(old, old) == []


def test_globals_count_and_so_does_the_tasks_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(1)
    monkeypatch.setitem(globals(), "LIMIT", 4)
    assert changed(before.parts, key(1).parts) == ["global LIMIT changed"]
    monkeypatch.setitem(globals(), "LIMIT", 3)
    assert key(1) == before
    assert changed(before.parts, key_for(f, "g", (1,), {}).parts) == ["task changed"]


def test_a_function_as_an_argument_counts_by_its_source() -> None:
    one, two = key(ONE_MORE), key(TWO_MORE)
    assert changed(one.parts, two.parts) == ["argument x changed", "function <lambda> changed"]
    assert key(clean) == key(clean) != key(f)


def test_whatever_else_the_answer_depends_on() -> None:
    plain = key_for(f, "f", (1,), {}, extra={"salt": 1})
    assert changed(plain.parts, key_for(f, "f", (1,), {}, extra={"salt": 2}).parts) == [
        "salt changed"
    ]
    assert changed(plain.parts, key(1).parts) == ["salt is gone"]


class Model:
    """A user's class with a task of its own."""

    def __init__(self, size: Any) -> None:
        self.size = size

    def grow(self, by: int = 1) -> Any:
        return self.size + by

    def __call__(self, by: int) -> Any:
        return self.grow(by)


CALLS: list[tuple[Callable[[Any], Any], tuple[Any, ...], str]] = [
    (lambda size: Model(size).grow, (1,), "argument self"),
    (lambda size: Model(size), (1,), "argument self"),
    (lambda size: task(Model(size).grow).fn, (1,), "argument self"),
    (lambda size: functools.partial(f, size), (1,), "bound by partial"),
    (lambda size: functools.partial(functools.partial(f, z=size), y=1), (1,), "bound by partial"),
]


@pytest.mark.parametrize(("make", "args", "part"), CALLS)
def test_what_a_function_is_bound_to_counts(make: Any, args: Any, part: str) -> None:
    def made(size: Any) -> CacheKey:
        return key_for(make(size), "t", args, {})

    assert made(1) == made(1)
    assert part in changed(made(1).parts, made(2).parts)[0]
    with pytest.raises(Unhashable, match=part):
        made(threading.Lock())


@pytest.mark.parametrize("fn", [len, int, dict, max, "".join, functools.lru_cache(clean)])
def test_any_callable_has_a_key(fn: Any) -> None:
    assert key_for(fn, "t", ("1",), {}) == key_for(fn, "t", ("1",), {})
    assert key_for(fn, "t", ("1",), {}).key != key_for(fn, "t", ("2",), {}).key


def test_an_argument_without_content_leaves_no_key() -> None:
    with pytest.raises(Unhashable) as caught:
        key({"connection": [lock]})
    assert str(caught.value).startswith(
        "argument x['connection'][0]: a _thread.lock has no content to know it by"
    )
    with pytest.raises(Unhashable, match=r"^argument options.a: a generator can be read once only"):
        key(1, a=(each for each in []))
    with pytest.raises(Unhashable, match="don't fit: missing a required argument: 'x'"):
        key()


# -- custom keys ---------------------------------------------------------------------------------


def custom(how: Any, *args: Any, name: str = "f", **kwargs: Any) -> CacheKey:
    return key_for_custom(name, how, f, args, kwargs)


def test_a_text_is_filled_with_the_arguments() -> None:
    monthly = "{x:%Y-%m} of {y} {options[a]}"
    one = custom(monthly, date(2024, 5, 1), a=1)
    assert set(one.parts) == {"task", "custom key"}
    assert one == custom(monthly, date(2024, 5, 31), 2, z=lock, a=1)
    assert changed(one.parts, custom(monthly, date(2024, 6, 1), a=1).parts) == [
        "custom key changed"
    ]
    assert one != custom(monthly, date(2024, 5, 1), a=1, name="g")


def test_a_function_answers_what_the_key_is() -> None:
    def latest(arguments: dict[str, Any]) -> Any:
        return {"day": arguments["x"], "more": arguments["options"]}

    assert custom(latest, 1, a=1) == custom(latest, 1, 3, a=1) != custom(latest, 2, a=1)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("{x.y}", "cache_key: AttributeError: 'int' object has no attribute 'y'"),
        (lambda arguments: arguments["w"], "cache_key: KeyError: 'w'"),
        (lambda arguments: None, "cache_key answered None"),
        (lambda arguments: [lock], r"custom key\[0\]: a _thread.lock has no content"),
    ],
)
def test_a_key_that_cannot_be_made_is_none(how: Any, says: str) -> None:
    with pytest.raises(Unhashable, match=says):
        custom(how, 1)


def plain(x: int, y: int) -> None:
    """No other arguments."""


@pytest.mark.parametrize("good", [None, "a", "{x}", "{x.a:%Y}{y[0]}", "{{x}}", lambda arguments: 1])
def test_a_cache_key_option_that_can_be_read(good: Any) -> None:
    check_custom(good, plain)
    check_custom("{anything}", f)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("{z}", r"cache_key: 'z' of '\{z\}' is no argument; there are x, y"),
        ("{}", "cache_key: '' of '{}' is no argument; there are x, y"),
        ("{x", "cache_key: '{x' can't be read: expected '}' before end of string"),
        ("", "cache_key: '' is not a text such as '{day}', or a function of the arguments"),
        (3, "cache_key: 3 is not a text such as '{day}', or a function of the arguments"),
    ],
)
def test_a_cache_key_option_that_cannot_be_read(wrong: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        check_custom(wrong, plain)
    assert caught.value.field == "cache_key"


# -- the option ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        (None, None),
        (False, None),
        (True, CachePolicy(None)),
        ("1w", CachePolicy(604_800)),
        ("1h30m", CachePolicy(5400)),
        (1, CachePolicy(1)),
        (0.5, CachePolicy(0.5)),
        (timedelta(days=7), CachePolicy(604_800)),
    ],
)
def test_the_cache_option_says_how_long(value: Any, policy: CachePolicy | None) -> None:
    assert read_cache(value) == policy


@pytest.mark.parametrize("wrong", ["", "10x", -1, [], float("nan"), "week"])
def test_a_cache_option_that_is_no_duration(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match=r"cache: .* is not a duration") as caught:
        read_cache(wrong)
    assert caught.value.field == "cache"


@pytest.mark.parametrize("wrong", [0, 0.0, "0s", timedelta()])
def test_a_cache_option_that_keeps_nothing(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match=r"cache: .* keeps no answer at all"):
        read_cache(wrong)
