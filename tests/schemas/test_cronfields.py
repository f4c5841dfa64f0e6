"""Cron in the plain syntax is stepped through as croniter says, field by field and together."""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.schemas import cronfields

SECOND = timedelta(seconds=1)


def croniters(expression, start, day_or, n):
    """The first times that croniter tells at or after `start`."""
    before = (start + SECOND - timedelta(microseconds=1)).replace(microsecond=0) - SECOND
    steps = croniter(
        expression, before, ret_type=datetime, day_or=day_or, max_years_between_matches=130
    )
    return [steps.get_next() for _ in range(n)]


@st.composite
def fields(draw, place):
    low, high = cronfields.LIMITS[place]
    number = st.integers(low, high)
    kind = draw(st.integers(0, 4))
    if kind < 2:
        return "*"
    if kind == 2:
        return f"*/{draw(st.integers(1, (high - low) // 2))}"
    if kind == 3:
        return ",".join(map(str, draw(st.lists(number, min_size=1, max_size=3))))
    first = draw(st.integers(low, high - 1))
    last = draw(st.integers(first + 1, high))
    return f"{first}-{last}" + draw(st.sampled_from(["", "/1", "/2"]))


@st.composite
def expressions(draw):
    count = draw(st.sampled_from([5, 5, 6]))
    told = [draw(fields(place)) for place in range(count)]
    told[2] = draw(st.sampled_from([told[2], "*", "1-28/3"]))  # croniter is slow at rare days
    return " ".join(told)


@given(expressions(), st.datetimes(datetime(1999, 1, 1), datetime(2030, 1, 1)), st.booleans())
def test_it_is_what_croniter_says(expression, start, day_or):
    read = cronfields.read(expression)
    assert read is not None
    found = list(islice(cronfields.walls(read, start, day_or=day_or, horizon=50), 4))
    if len(found) == 4:
        assert found == croniters(expression, start, day_or, 4)


@pytest.mark.parametrize("place", range(6))
def test_each_value_and_step_of_a_field_is_what_croniter_reads(place):
    low, high = cronfields.LIMITS[place]
    items = [*map(str, range(low, high + 1)), *(f"*/{step}" for step in range(1, high - low + 2))]
    items += [f"{low}-{last}/{step}" for last in range(low + 1, high + 1) for step in (1, 2)]
    items += cronfields.NAMES.get(place, ())
    for item in items:
        told = ["*"] * 6
        told[place] = item
        read = cronfields.read(" ".join(told))
        assert read is not None
        names = ("minutes", "hours", "days", "months", "weekdays", "seconds")
        found = getattr(read, names[place])
        (expected,) = croniter.expand(" ".join(told))[0][place : place + 1]
        everything = set(range(low, 7 if place == 4 else high + 1))
        assert set(everything if found is None else found) == (
            everything if expected == ["*"] else set(expected)
        )


@pytest.mark.parametrize("field", ["L", "1#2", "fri-mon", "5/2", "9-9", "*/99", "1-", "x", "*,1"])
def test_what_is_not_plain_is_left_to_croniter(field):
    assert cronfields.read(f"0 0 * * {field}") is None


def test_a_rule_of_a_year_far_away_runs_then():
    read = cronfields.read("0 0 1 1 * 0 2098")
    assert read is not None
    found = cronfields.walls(read, datetime(2026, 1, 1), day_or=True, horizon=50)
    assert list(found) == [datetime(2098, 1, 1)]
