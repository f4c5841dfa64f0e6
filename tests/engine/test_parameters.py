"""A flow's parameters are coerced as annotated; whatever can't be read passes untouched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from orion_nb import flow
from orion_nb.engine.parameters import coerced, preview
from orion_nb.errors import ParameterError

if TYPE_CHECKING:
    from somewhere import Frame  # type: ignore[import-not-found]


class Table:
    """A stand-in for a data frame: it has no truth value and compares element by element."""

    def __bool__(self) -> bool:
        raise ValueError("the truth of a table is ambiguous")

    def __eq__(self, other: object) -> Any:
        raise ValueError("tables are compared element by element")

    __hash__ = None  # type: ignore[assignment]


class Model(BaseModel):
    """A user's pydantic model."""

    n: int


@dataclass
class Point:
    """A user's dataclass."""

    x: float


def typed(
    day: date = date(2024, 1, 1),
    at: datetime | None = None,
    n: int = 0,
    ratio: float = 0,
    wait: timedelta | None = None,
    path: Path | None = None,
    mode: Literal["a", "b"] = "a",
    few: Annotated[int, Field(le=3)] = 0,
    days: list[date] = [],  # noqa: B006 - a user's signature
    model: Model | None = None,
    point: Point | None = None,
    yes: bool = False,
) -> None: ...


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("day", "2021-10-05", date(2021, 10, 5)),
        ("at", "2021-10-05T12:00:00", datetime(2021, 10, 5, 12)),  # noqa: DTZ001
        ("n", "42", 42),
        ("ratio", 1, 1.0),
        ("wait", "PT1M", timedelta(minutes=1)),
        ("path", "a/b", Path("a/b")),
        ("days", ["2021-10-05"], [date(2021, 10, 5)]),
        ("model", {"n": "1"}, Model(n=1)),
        ("point", {"x": "1"}, Point(1.0)),
        ("yes", "true", True),
    ],
)
def test_a_parameter_becomes_what_is_annotated(name: str, given: Any, wanted: Any) -> None:
    given_ones, named = coerced(typed, (), {name: given})
    (found,) = [*given_ones[-1:], *named.values()]
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"day": "2024-02-30"}, "day: Input should be a valid date"),
        ({"n": 1.5}, "n: Input should be a valid integer, got a number with a fractional part, g"),
        ({"mode": "c"}, "mode: Input should be 'a' or 'b', got 'c'"),
        ({"few": 4}, "few: Input should be less than or equal to 3, got 4"),
        ({"days": ["2024-01-01", "x"]}, "days.1: Input should be a valid date"),
        ({"model": {"n": "x"}}, "model.n: Input should be a valid integer"),
    ],
)
def test_a_parameter_that_cant_be_is_named(told: Any, given: dict[str, Any], says: str) -> None:
    checked = flow(typed, name="typed", retries=5)
    with pytest.raises(ParameterError) as caught:
        checked(**given)
    assert str(caught.value).startswith(says)
    assert caught.value.field == next(iter(given))
    state = checked.run(**given)
    assert (state.name, type(state.error)) == ("Failed", ParameterError)
    for run in told.runs("typed"):
        assert told.names(run.id) == ["Pending", "Running", "Failed"], "it is not tried again"


def test_arguments_that_dont_fit_are_a_type_error_on_record(told: Any) -> None:
    @flow
    def needs(day: date) -> None: ...

    with pytest.raises(TypeError, match="missing a required argument: 'day'"):
        needs()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'night'"):
        needs("2024-01-01", night=1)  # type: ignore[call-arg]
    assert [run.state.name for run in told.runs("needs")] == ["Failed", "Failed"]


def test_odd_objects_pass_untouched() -> None:
    def odd(a, b: Any, c: Table, d: Callable[[], int], e: Frame, f: threading.Lock) -> None:  # type: ignore[no-untyped-def, valid-type]
        ...

    lock, table, call = threading.Lock(), Table(), lambda: 1
    sent = (lock, table, table, call, table, lock)
    given, _ = coerced(odd, sent, {})
    assert all(one is other for one, other in zip(given, sent, strict=True))


def test_one_unreadable_annotation_spoils_no_other() -> None:
    class Local: ...

    def mixed(frame: Frame, day: date, mine: Local, *rest: int, **more: int) -> None: ...

    given, named = coerced(mixed, (1, "2024-01-01", 2, "3"), {"x": "4"})
    assert given == (1, date(2024, 1, 1), 2, "3")
    assert named == {"x": "4"}


def test_without_validation_nothing_is_touched(told: Any) -> None:
    @flow(validate=False)
    def raw(day: date) -> Any:
        return day

    assert raw("2024-02-30") == "2024-02-30"  # type: ignore[arg-type]
    with pytest.raises(ParameterError):
        raw.with_options(validate=True)("2024-02-30")  # type: ignore[arg-type]


def test_parameters_are_kept_as_short_json(told: Any) -> None:
    @flow
    def many(day: date, rows: Any, n: int = 3, *rest: Any, **more: Any) -> Any:
        return day

    assert many("2021-10-05", Table()) == date(2021, 10, 5)  # type: ignore[arg-type]
    shown = told.run("many").parameters
    assert shown["day"] == "2021-10-05"
    assert "Table" in shown["rows"]
    assert shown["n"] == 3


class Unshown:
    """An object that can't be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (2**52, 2**52),
        (2**60, str(2**60)),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        pytest.param(10**6000, "<int>", id="an endless number"),
        ("x" * 500, "x" * 199 + "…"),
        ("caf\udce9", "caf?"),
        (list(range(30)), str(list(range(20)))[:-1] + ", ...]"),
        (Unshown(), "Unshown"),
    ],
)
def test_a_preview_is_exact_or_text(value: Any, shown: Any) -> None:
    told = preview(lambda value: None, (value,), {})["value"]
    assert told == shown or (isinstance(value, Unshown) and shown in told)


def test_a_preview_of_wrong_arguments_is_empty() -> None:
    assert preview(lambda: None, (1,), {}) == {}
