"""Schedules tell their next instants, exactly and in bounded time, and are read from JSON."""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

import copy
import pickle
import time
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from orion_nb.clock import micros
from orion_nb.errors import ScheduleError
from orion_nb.schedules import Cron, Interval, Once, Schedule, dump_schedule, parse_schedule

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)  # a Sunday
TICK = timedelta(microseconds=1)
ANY = TypeAdapter(Schedule)


def text(times):
    return [f"{at:%Y-%m-%d %H:%M:%S}" for at in times]


# -- what is asked -------------------------------------------------------------------------------


def test_nine_on_weekdays_in_prague():
    schedule = Cron("0 9 * * 1-5", timezone="Europe/Prague")
    found = schedule.upcoming(NOW, n=2)
    assert text(found) == ["2026-11-23 08:00:00", "2026-11-24 08:00:00"]
    assert all(at.tzinfo is UTC for at in found)


def test_after_and_until_are_included():
    schedule = Interval("15m")
    end = NOW + timedelta(minutes=30)
    assert schedule.upcoming(NOW, until=end) == [NOW, NOW + timedelta(minutes=15), end]
    assert schedule.upcoming(NOW + TICK, until=end - TICK) == [NOW + timedelta(minutes=15)]


def test_the_next_instant_is_told_when_nothing_else_is_asked():
    assert text(Cron("@hourly").upcoming(NOW)) == ["2026-11-22 09:00:00"]


def test_n_and_until_both_bound_the_answer():
    schedule, end = Interval("1m"), NOW + timedelta(minutes=5)
    assert len(schedule.upcoming(NOW, n=3, until=end)) == 3
    assert len(schedule.upcoming(NOW, n=99, until=end)) == 6
    assert schedule.upcoming(NOW, n=0) == []


def test_after_may_be_given_in_any_zone():
    after = NOW.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert Cron("0 9 * * *").upcoming(after) == Cron("0 9 * * *").upcoming(NOW)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"after": datetime(2026, 1, 1)}, "after: 2026-01-01 00:00:00 has no time zone"),
        ({"after": NOW.replace(year=1800)}, "after: the year must be 1900 to 8999"),
        ({"after": NOW, "until": datetime(2026, 1, 1)}, "until: 2026-01-01 00:00:00 has no"),
        ({"after": NOW, "n": -1}, "n: -1 is not a number of instants"),
        ({"after": NOW, "n": True}, "n: True is not a number of instants"),
        ({"after": NOW, "n": 10_001}, "n: at most 10,000 instants are told at once"),
        ({"after": NOW, "until": NOW + timedelta(days=1)}, "until: at most 10,000 instants"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(asked, message):
    with pytest.raises(ScheduleError, match=message):
        Interval("1s").upcoming(**asked)


@pytest.mark.parametrize(
    "schedule",
    [
        Cron("0 0 30 2 *"),
        Cron("0 0 31 2,4,6,9,11 *"),
        Cron("0 0 30 2 1", day_or=False),
        Cron("0 0 31 4 * 0 2090-2099"),
        Cron("* * * * * * 1999"),
        Cron("30 2 25-31 3 0", "Europe/Berlin", day_or=False, dst="skip"),  # always in the gap
    ],
)
def test_a_rule_that_never_fires_answers_empty_at_once(schedule):
    took = []
    for _ in range(3):
        start = time.process_time()
        assert schedule.upcoming(NOW, n=10) == []
        took.append(time.process_time() - start)
    assert min(took) < 0.05


def test_a_rule_that_fires_every_28_years_is_found():
    found = Cron("0 0 29 2 1", day_or=False).upcoming(NOW, n=4)
    assert [at.year for at in found] == [2044, 2072, 2112, 2140]


@pytest.mark.parametrize("schedule", [Cron("* * * * *"), Interval("1d"), Interval("1s")])
def test_time_ends_with_the_year_8999(schedule):
    last = datetime(8999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert len(schedule.upcoming(last - timedelta(days=2), n=5)) > 0
    assert all(at.year < 9001 for at in schedule.upcoming(last, n=5))


# -- intervals and single times ------------------------------------------------------------------


@given(
    every=st.integers(1, 10**13).filter(lambda every: every % 86_400_000_000),
    anchor=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    away=st.integers(-(10 * 366 * 86_400_000_000), 10 * 366 * 86_400_000_000),
)
def test_the_grid_is_exact_to_the_microsecond_ten_years_away(every, anchor, away):
    after = anchor + timedelta(microseconds=away)
    found = Interval(timedelta(microseconds=every), anchor).upcoming(after, n=3)
    first, second, third = (micros(at) for at in found)
    assert (first - micros(anchor)) % every == 0
    assert 0 <= first - micros(after) < every
    assert second - first == third - second == every


def test_250_microseconds_stay_on_the_grid_after_ten_years():
    later = datetime(2036, 11, 22, 8, 30, 0, 1, tzinfo=UTC)
    found = Interval("250us", anchor=NOW).upcoming(later, n=10_000)
    grid = [
        later.replace(microsecond=0) + timedelta(microseconds=250 * k) for k in range(1, 10_001)
    ]
    assert found == grid


def test_whole_days_keep_the_time_of_day():
    schedule = Interval("1d", anchor="2023-03-01T08:00", timezone="Europe/Berlin")
    found = schedule.upcoming(datetime(2023, 3, 25, tzinfo=UTC), n=3)
    assert text(found) == ["2023-03-25 07:00:00", "2023-03-26 06:00:00", "2023-03-27 06:00:00"]


def test_whole_days_start_at_local_midnight():
    found = Interval("1d", timezone="Asia/Kathmandu").upcoming(NOW, n=2)
    assert text(found) == ["2026-11-22 18:15:00", "2026-11-23 18:15:00"]


def test_a_day_that_a_zone_left_out_is_run_once_with_the_next():
    schedule = Interval("1d", timezone="Pacific/Apia")  # had no 30 December 2011
    found = schedule.upcoming(datetime(2011, 12, 29, 10, tzinfo=UTC), n=3)
    assert text(found) == ["2011-12-29 10:00:00", "2011-12-30 10:00:00", "2011-12-31 10:00:00"]


def test_hours_are_a_distance_in_real_time():
    found = Interval("12h", timezone="Europe/Berlin").upcoming(
        datetime(2023, 3, 25, 12, tzinfo=UTC), n=3
    )
    assert {b - a for a, b in pairwise(found)} == {timedelta(hours=12)}


def test_the_anchor_gives_the_grid_in_both_directions():
    schedule = Interval("1h", anchor="2026-11-23T00:20+00:00")
    assert text(schedule.upcoming(NOW)) == ["2026-11-22 09:20:00"]


def test_an_interval_longer_than_all_time_is_told_once():
    assert Interval("100000w", anchor=NOW).upcoming(NOW, n=5)[0] == NOW
    assert Interval(timedelta.max, anchor=NOW).upcoming(NOW, n=5) == [NOW]
    assert Interval(timedelta.max, anchor=NOW).upcoming(NOW + TICK, n=5) == []


def test_once_is_told_until_it_has_passed():
    schedule = Once("2026-11-22T09:30+01:00")
    assert schedule.at == NOW
    assert schedule.upcoming(NOW, n=5) == [NOW]
    assert schedule.upcoming(NOW + TICK) == []
    assert schedule.upcoming(NOW - TICK, until=NOW - TICK) == []


# -- properties ----------------------------------------------------------------------------------

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
    "America/St_Johns", "America/Havana", "Pacific/Apia", "Asia/Kathmandu",
]  # fmt: skip
moments = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
crons = st.builds(
    lambda minute, hour, day, weekday, **more: Cron(f"{minute} {hour} {day} * {weekday}", **more),
    st.sampled_from(["0", "30", "*/20", "*", "1,59"]),
    st.sampled_from(["2", "*", "0", "23", "*/3", "1-3"]),
    st.sampled_from(["*", "*", "1", "31", "L"]),
    st.sampled_from(["*", "*", "0", "1-5", "mon#1"]),
    timezone=st.sampled_from(ZONES),
    dst=st.sampled_from(["once", "skip", "both"]),
    day_or=st.booleans(),
)
intervals = st.builds(
    Interval,
    st.sampled_from(["1d", "2d", "7d", "90m", "7s", "1h", "250ms"]),
    st.none() | moments,
    timezone=st.sampled_from(ZONES),
)
schedules = crons | intervals | st.builds(Once, moments)


@settings(deadline=None, max_examples=150)
@given(schedules, moments)
def test_instants_increase_and_are_not_before_after(schedule, after):
    found = schedule.upcoming(after, n=40)
    assert all(at >= after for at in found)
    assert all(a < b for a, b in pairwise(found))


@settings(deadline=None, max_examples=150)
@given(schedules, moments, st.integers(0, 39), st.booleans(), st.data())
def test_a_range_in_two_parts_gives_the_same_as_the_whole(schedule, after, cut, on, data):
    whole = schedule.upcoming(after, n=40)
    assume(len(whole) > 1)
    start, end = whole[0], whole[-1]
    middle = whole[cut % len(whole)] if on else start + (end - start) * data.draw(st.floats(0, 1))
    assume(start <= middle <= end)
    parts = schedule.upcoming(after, until=middle) + schedule.upcoming(middle + TICK, until=end)
    assert parts == whole


@settings(deadline=None)
@given(schedules)
def test_a_schedule_survives_json(schedule):
    told = dump_schedule(schedule)
    assert parse_schedule(told) == schedule
    assert ANY.validate_json(ANY.dump_json(schedule)) == schedule
    assert schedule.describe()


# -- values --------------------------------------------------------------------------------------


def test_schedules_are_values():
    schedule = Cron("0  9 * * *")
    assert schedule == Cron(cron="0 9 * * *") == copy.copy(schedule)
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert len({schedule, Cron("0 9 * * *"), Interval(60), Interval("1m")}) == 2
    with pytest.raises(ValidationError, match="frozen"):
        schedule.cron = "* * * * *"


def test_what_is_written_is_short_and_exact():
    assert dump_schedule(Interval(timedelta(hours=1, microseconds=7), "2026-01-01T00:00Z")) == {
        "kind": "interval",
        "every": "1h7us",
        "timezone": "UTC",
        "anchor": "2026-01-01T00:00:00Z",
    }
    assert dump_schedule(Once(NOW + TICK)) == {"kind": "once", "at": "2026-11-22T08:30:00.000001Z"}


@pytest.mark.parametrize(
    ("value", "schedule"),
    [
        ("0 9 * * 1-5", Cron("0 9 * * 1-5")),
        (" @daily ", Cron("@daily")),
        ("15m", Interval("15m")),
        ("10", Interval(10)),
        ("1w 2d 3h", Interval("9d3h")),
        ("2026-11-22T09:30+01:00", Once(NOW)),
        ({"kind": "cron", "cron": "@daily", "dst": "skip"}, Cron("@daily", dst="skip")),
        ({"kind": "interval", "every": 1.5}, Interval("1500ms")),
        ({"kind": "once", "at": "2026-11-22T08:30Z"}, Once(NOW)),
        (Interval(5), Interval(5)),
    ],
)
def test_a_schedule_is_read_from_what_people_write(value, schedule):
    assert parse_schedule(value) == schedule


def test_a_text_is_read_in_the_zone_that_is_given():
    zone = "Europe/Prague"
    assert parse_schedule("0 9 * * *", timezone=zone) == Cron("0 9 * * *", zone)
    assert parse_schedule("1d", timezone=zone) == Interval("1d", timezone=zone)
    assert parse_schedule("2026-11-22 09:30", timezone=zone) == Once(NOW)
    assert parse_schedule("2026-11-22 08:30") == Once(NOW)  # as all texts are: in UTC


ERRORS = [
    ({"kind": "cron", "cron": "61 * * * *"}, "cron", "cron: minute '61' in '61 * * * *' can't be"),
    ({"kind": "cron", "cron": "@daily", "timezone": "Berlin"}, "timezone",
     "timezone: 'Berlin' is not a time zone; did you mean 'Europe/Berlin'?"),
    ({"kind": "cron", "cron": "@daily", "dst": "twice"}, "dst",
     "dst: Input should be 'once', 'skip' or 'both', got 'twice'"),
    ({"kind": "cron", "cron": "@daily", "day_or": "perhaps"}, "day_or",
     "day_or: Input should be a valid boolean, got 'perhaps'"),
    ({"kind": "cron"}, "cron", "cron: a value is required"),
    ({"kind": "interval", "every": "10x"}, "every",
     "every: '10x' is not a duration (try 10s, 5m, 1h30m)"),
    ({"kind": "interval", "every": 0}, "every", "every: 0 must be more than nothing"),
    ({"kind": "interval", "every": 5, "anchor": "soon"}, "anchor",
     "anchor: 'soon' is not a date and time (try 2030-01-31T09:00Z)"),
    ({"kind": "interval", "every": 5, "colour": 1}, "colour", "colour: there is no such field"),
    ({"kind": "once", "at": "2026-11-22T09:30"}, "at",
     "at: 2026-11-22 09:30:00 has no time zone (end it with Z or an offset such as +02:00)"),
    ({"kind": "once", "at": 5}, "at", "at: 5 is not a date and time"),
]  # fmt: skip
MORE_ERRORS = [
    ({"cron": "@daily"}, "kind",
     "kind: a schedule is of kind 'cron', 'interval', 'rrule', 'ics' or 'once'; none is given"),
    ({"kind": "moon"}, "kind",
     "kind: a schedule is of kind 'cron', 'interval', 'rrule', 'ics' or 'once', got 'moon'"),
    ({"kind": "cron", 5: 1}, "cron", "cron: a value is required"),
    ("61 * * * *", "cron", "cron: minute '61'"),
    ("9 * *", "cron", "cron: '9 * *' has 3 fields; it takes 5"),
    ("0", "every", "every: '0' must be more than nothing"),
    ("2026-02-30", "at", "at: '2026-02-30' is not a date and time"),
    ("now and then", None,
     "'now and then' is not a schedule (try '0 9 * * 1-5', '15m' or '2030-01-31T09:00Z')"),
    (7, None, "7 is not a schedule"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "field", "message"), ERRORS + MORE_ERRORS)
def test_the_error_names_the_field_the_value_and_the_remedy(value, field, message):
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(value)
    assert str(caught.value).startswith(message)
    assert caught.value.field == field


@pytest.mark.parametrize(("value", "field", "message"), ERRORS)
def test_the_same_errors_come_through_the_class_and_through_pydantic(value, field, message):
    class Holder(BaseModel):
        schedules: list[Schedule]

    kinds = {"cron": Cron, "interval": Interval, "once": Once}
    fields = {name: each for name, each in value.items() if name != "kind"}
    for build in (
        lambda: kinds[value["kind"]](**fields),
        lambda: ANY.validate_python(value),
        lambda: Holder(schedules=[value]),
    ):
        with pytest.raises(ScheduleError) as caught:
            build()
        assert str(caught.value).startswith(message)
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Cron("0 9 * * 1-5", timezone="Europe/Prague"), "every weekday at 09:00 Europe/Prague"),
        (Cron("*/15 * * * *", timezone="Europe/Prague"), "every 15 minutes"),
        (Cron("0 0 30 2 *"), "0 0 30 2 * UTC"),
        (Interval("15m"), "every 15 minutes"),
        (Interval("1h"), "every hour"),
        (Interval("250ms"), "every 250 milliseconds"),
        (Interval("1h30m"), "every 1h30m"),
        (Interval("1d", timezone="Europe/Prague"), "every day at 00:00 Europe/Prague"),
        (Interval("7d", anchor="2026-11-22T09:30:05"), "every 7 days at 09:30:05 UTC"),
        (Once(NOW), "once at 2026-11-22 08:30:00 UTC"),
    ],
)
def test_a_schedule_describes_itself(schedule, words):
    assert schedule.describe() == words


def test_an_offset_of_another_clock_is_the_same_instant():
    plus = timezone(timedelta(hours=5, minutes=30))
    assert Once(NOW.astimezone(plus)) == Once(NOW)
