"""When clocks change, cron rules run as a walk through every minute says they should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orion_nb.schedules import Cron

MINUTE = timedelta(minutes=1)

#: A zone, and the day before its clocks change.
CHANGES = [
    ("Europe/Berlin", "2023-03-25"),
    ("Europe/Berlin", "2023-10-28"),
    ("America/New_York", "2024-03-09"),
    ("America/New_York", "2024-11-02"),
    ("Australia/Lord_Howe", "2023-04-01"),
    ("Australia/Lord_Howe", "2023-09-30"),
    ("Africa/Casablanca", "2023-03-18"),
    ("Africa/Casablanca", "2023-04-22"),
    ("America/St_Johns", "2006-04-01"),  # at one minute past midnight
    ("America/St_Johns", "2006-10-28"),
    ("America/Havana", "2023-03-11"),  # at midnight
    ("America/Havana", "2023-11-04"),
    ("America/Sao_Paulo", "2018-02-17"),
    ("America/Sao_Paulo", "2018-11-03"),
    ("Pacific/Apia", "2011-12-29"),  # a whole day left out
    ("Europe/Dublin", "2023-10-28"),  # where winter is the daylight saving time
    ("UTC", "2023-03-25"),
]
MINUTES = {"0": {0}, "30": {30}, "1,59": {1, 59}, "*/20": {0, 20, 40}, "*": set(range(60))}
HOURS = {
    "*": set(range(24)), "*/2": set(range(0, 24, 2)), "0": {0}, "1": {1}, "2": {2}, "3": {3},
    "23": {23}, "1-3": {1, 2, 3}, "0,12": {0, 12},
}  # fmt: skip


def walk(minute, hour, zone, start, end, dst):
    """What the rule should give between two instants, minute by minute of real time."""
    wild = "*" in minute + hour
    found, shown = [], set()
    at = start - timedelta(days=1)  # to know which times have been before
    expected = at.astimezone(zone).replace(tzinfo=None)
    while at <= end:
        wall = at.astimezone(zone).replace(tzinfo=None)
        due = matches(wall, minute, hour) and (wild or dst == "both" or wall not in shown)
        while expected < wall and not wild and dst != "skip":  # the gap
            due = due or matches(expected, minute, hour)
            expected += MINUTE
        if due and at >= start:
            found.append(at)
        shown.add(wall)
        expected = wall + MINUTE
        at += MINUTE
    return found


def matches(wall, minute, hour):
    return wall.minute in MINUTES[minute] and wall.hour in HOURS[hour]


@settings(deadline=None, max_examples=120)
@given(
    st.sampled_from(CHANGES),
    st.sampled_from(sorted(MINUTES)),
    st.sampled_from(sorted(HOURS)),
    st.sampled_from(["once", "skip", "both"]),
    st.integers(0, 2 * 24 * 60),
)
def test_instants_are_those_of_a_walk_through_every_minute(change, minute, hour, dst, late):
    name, day = change
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) + late * MINUTE
    end = start + timedelta(days=2)
    found = Cron(f"{minute} {hour} * * *", timezone=name, dst=dst).upcoming(start, until=end)
    assert found == walk(minute, hour, ZoneInfo(name), start, end, dst)


@pytest.mark.parametrize(("name", "day"), CHANGES)
def test_every_minute_is_every_real_minute(name, day):
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    found = Cron("* * * * *", timezone=name).upcoming(start, until=start + timedelta(days=3))
    assert found == [start + minute * MINUTE for minute in range(3 * 24 * 60 + 1)]


@pytest.mark.parametrize(
    ("zone", "rule", "dst", "days", "expected"),
    [
        # 2:00 to 3:00 is left out on 26 March
        ("Europe/Berlin", "30 2 * * *", "once", "2023-03-26", ["03:00+0200"]),
        ("Europe/Berlin", "0 2 * * *", "once", "2023-03-26", ["03:00+0200"]),
        ("Europe/Berlin", "0,30 2,3 * * *", "once", "2023-03-26", ["03:00+0200", "03:30+0200"]),
        ("Europe/Berlin", "30 2 * * *", "both", "2023-03-26", ["03:00+0200"]),
        ("Europe/Berlin", "30 2 * * *", "skip", "2023-03-26", []),
        ("Europe/Berlin", "30 2 * * 0 15", "once", "2023-03-26", ["03:00+0200"]),
        ("Europe/Berlin", "45 2 26 * *", "once", "2023-03-26", ["03:00+0200"]),
        # 2:00 to 3:00 comes twice on 29 October
        ("Europe/Berlin", "30 2 * * *", "once", "2023-10-29", ["02:30+0200"]),
        ("Europe/Berlin", "30 2 * * *", "skip", "2023-10-29", ["02:30+0200"]),
        ("Europe/Berlin", "30 2 * * *", "both", "2023-10-29", ["02:30+0200", "02:30+0100"]),
        ("Europe/Berlin", "0 3 * * *", "both", "2023-10-29", ["03:00+0100"]),
        # half an hour
        ("Australia/Lord_Howe", "0 2 * * *", "once", "2023-10-01", ["02:30+1100"]),
        ("Australia/Lord_Howe", "45 1 * * *", "once", "2023-04-02", ["01:45+1100"]),
        ("Australia/Lord_Howe", "45 1 * * *", "both", "2023-04-02", ["01:45+1100", "01:45+1030"]),
        # a day that never was
        ("Pacific/Apia", "0 12 30 12 *", "once", "2011-12-31", ["00:00+1400"]),
        ("Pacific/Apia", "0 12 30 12 *", "skip", "2011-12-31", []),
    ],
)
def test_the_table_of_changes(zone, rule, dst, days, expected):
    zone = ZoneInfo(zone)
    start = datetime.fromisoformat(days).replace(tzinfo=zone)
    end = datetime.fromisoformat(days + "T23:59").replace(tzinfo=zone)
    found = Cron(rule, timezone=zone.key, dst=dst).upcoming(start, until=end)
    assert [f"{at.astimezone(zone):%H:%M%z}" for at in found] == expected
