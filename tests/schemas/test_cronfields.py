"""Cron is read and stepped through as croniter says, where it has the common reading."""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.schemas import cronfields, cronwalls

SECOND = timedelta(seconds=1)


def croniters(expression, start, day_or, n):
    """The first times that croniter tells at or after `start`."""
    before = (start + SECOND - timedelta(microseconds=1)).replace(microsecond=0) - SECOND
    steps = croniter(
        expression, before, ret_type=datetime, day_or=day_or, max_years_between_matches=130,
        implement_cron_bug=True,  # what crontab(5) says of days that begin with *
    )  # fmt: skip
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
    found = list(islice(cronwalls.walls(read, start, day_or=day_or, horizon=50), 4))
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
        found = cronfields.field(place, item).values
        (expected,) = croniter.expand(" ".join(told))[0][place : place + 1]
        everything = set(range(low, 7 if place == 4 else high + 1))
        assert found == (everything if expected == ["*"] else set(expected))


def days(day, weekday, *, day_or=True, n=4):
    read = cronfields.read(f"0 0 {day} * {weekday}")
    found = cronwalls.walls(read, datetime(2026, 1, 1, 1), day_or=day_or, horizon=50)
    return [f"{at:%a %d %b}" for at in islice(found, n)]


@pytest.mark.parametrize(
    ("day", "weekday", "expected"),
    [
        ("L", "*", ["Sat 31 Jan", "Sat 28 Feb", "Tue 31 Mar", "Thu 30 Apr"]),
        ("L-2", "?", ["Thu 29 Jan", "Thu 26 Feb", "Sun 29 Mar", "Tue 28 Apr"]),
        ("LW", "*", ["Fri 30 Jan", "Fri 27 Feb", "Tue 31 Mar", "Thu 30 Apr"]),
        ("1W,15w", "*", ["Thu 15 Jan", "Mon 02 Feb", "Mon 16 Feb", "Mon 02 Mar"]),
        ("31W", "*", ["Fri 30 Jan", "Fri 27 Feb", "Tue 31 Mar", "Thu 30 Apr"]),
        ("28-L", "*", ["Wed 28 Jan", "Thu 29 Jan", "Fri 30 Jan", "Sat 31 Jan"]),
        ("30-2", "*", ["Fri 02 Jan", "Fri 30 Jan", "Sat 31 Jan", "Sun 01 Feb"]),
        ("*", "5L", ["Fri 30 Jan", "Fri 27 Feb", "Fri 27 Mar", "Fri 24 Apr"]),
        ("*", "L5", ["Fri 30 Jan", "Fri 27 Feb", "Fri 27 Mar", "Fri 24 Apr"]),
        ("*", "fri#L", ["Fri 30 Jan", "Fri 27 Feb", "Fri 27 Mar", "Fri 24 Apr"]),
        ("*", "mon#5", ["Mon 30 Mar", "Mon 29 Jun", "Mon 31 Aug", "Mon 30 Nov"]),
        ("*", "sat-sun#1", ["Sat 03 Jan", "Sun 04 Jan", "Sun 01 Feb", "Sat 07 Feb"]),
        ("*", "7#1,wed", ["Sun 04 Jan", "Wed 07 Jan", "Wed 14 Jan", "Wed 21 Jan"]),
        # Either of the days is enough, however they are told.
        ("1", "5L", ["Fri 30 Jan", "Sun 01 Feb", "Fri 27 Feb", "Sun 01 Mar"]),
        ("L", "1#1", ["Mon 05 Jan", "Sat 31 Jan", "Mon 02 Feb", "Sat 28 Feb"]),
        ("1/10", "1", ["Mon 05 Jan", "Sun 11 Jan", "Mon 12 Jan", "Mon 19 Jan"]),
        # One that begins with * restricts the other.
        ("*/10", "1", ["Mon 11 May", "Mon 01 Jun", "Mon 31 Aug", "Mon 21 Sep"]),
        ("*/100,1-7", "mon", ["Mon 05 Jan", "Mon 02 Feb", "Mon 02 Mar", "Mon 06 Apr"]),
        ("1-7", "*/2", ["Sat 03 Jan", "Sun 04 Jan", "Tue 06 Jan", "Sun 01 Feb"]),
        ("1-7,*/100", "mon", ["Fri 02 Jan", "Sat 03 Jan", "Sun 04 Jan", "Mon 05 Jan"]),
    ],
)
def test_days_are_told_by_their_place_in_the_month(day, weekday, expected):
    assert days(day, weekday) == expected


def test_both_days_must_agree_if_so_asked():
    assert days("13", "fri", day_or=False) == [
        "Fri 13 Feb",
        "Fri 13 Mar",
        "Fri 13 Nov",
        "Fri 13 Aug",
    ]
    assert days("1-7", "mon#2", day_or=False) == []


@pytest.mark.parametrize(
    ("place", "field", "values"),
    [
        (1, "9-9", {9}),  # croniter has here what no other has: every hour
        (1, "9-9/5", {9}),
        (4, "sun-sun", {0}),
        (4, "7-7", {0}),
        (4, "7-0", {0}),
        (4, "1/2", {1, 3, 5, 0}),
        (4, "mon/3,2/5", {1, 4, 0, 2}),
        (4, "0/2", {0, 2, 4, 6}),
        (4, "7/2", {0}),
        (4, "7-2", {0, 1, 2}),
        (4, "5-7", {5, 6, 0}),
        (4, "0-7", set(range(7))),
        (4, "thu-tue/2", {4, 6, 1}),  # the steps go on over the end of the week
        (3, "apr-mar/2", {4, 6, 8, 10, 12, 2}),
        (1, "22-4/2", {22, 0, 2, 4}),
        (0, "*/90", {0}),
        (0, "50-51/15", {50}),
        (0, "59/15", {59}),
    ],
)
def test_ranges_and_steps_are_read_as_most_read_them(place, field, values):
    assert cronfields.field(place, field).values == values


@pytest.mark.parametrize(
    ("place", "field"),
    [
        *((0, field) for field in ["", "60", "5-", "-5", "+5", "1-5-7", "1/2/3", "*/0"]),
        *((0, field) for field in ["5,,6", "\N{FULLWIDTH DIGIT ONE}"]),
        *((0, field) for field in ["L", "?", "H", "1.5", "*-5", "~", "mon", "*/5-10"]),
        *((2, field) for field in ["0", "W", "32W", "0W", "1-5W", "L-31", "L/2", "l-l"]),
        *((4, field) for field in ["8", "L", "#2", "1#0", "1#6", "*#1", "8L", "5L-6"]),
        (2, "5L"), (2, "1#2"), (4, "1#2#3"), (4, "15W"), (3, "january"), (3, "mon"),
        (6, "2030-2025"), (6, "1969"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_none(place, field):
    assert cronfields.field(place, field) is None


def test_a_rule_of_a_year_far_away_runs_then():
    read = cronfields.read("0 0 1 1 * 0 2098")
    assert read is not None
    found = cronwalls.walls(read, datetime(2026, 1, 1), day_or=True, horizon=50)
    assert list(found) == [datetime(2098, 1, 1)]
