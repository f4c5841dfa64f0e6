"""From when and until when a schedule names instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter

from orion_nb.errors import ScheduleError
from orion_nb.schedules import (
    CalendarEvent,
    Cron,
    Interval,
    Once,
    RRule,
    Schedule,
    dump_schedule,
    parse_schedule,
)
from orion_nb.schemas.schedules import within

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)  # a Sunday
ANY = TypeAdapter(Schedule)
NEW_YORK = "America/New_York"


def text(times):
    return [f"{at:%Y-%m-%d %H:%M:%S}" for at in times]


def test_a_schedule_names_nothing_outside_its_start_and_end():
    rule = Cron("0 9 * * *", "Europe/Prague", starts="2026-12-01", ends="2026-12-02")
    days = ["2026-12-01 08:00:00", "2026-12-02 08:00:00"]
    assert text(rule.upcoming(NOW, n=10)) == days
    assert text(rule.upcoming(NOW)) == days[:1]
    assert text(rule.upcoming(NOW, until=NOW + timedelta(days=99))) == days
    assert text(rule.upcoming(NOW + timedelta(days=9), n=10)) == days[1:]
    assert rule.upcoming(NOW + timedelta(days=99), n=10) == []
    assert rule.describe() == "every day at 09:00 Europe/Prague, from 2026-12-01, until 2026-12-02"


@pytest.mark.parametrize(
    ("told", "first", "last"),
    [
        ({"kind": "cron", "cron": "* * * * *"}, "2026-11-24 00:00:00", "2026-11-25 23:59:00"),
        ({"kind": "interval", "every": "1h", "timezone": "Asia/Kolkata"},
         "2026-11-23 19:00:00", "2026-11-25 18:00:00"),
        ({"kind": "rrule", "rrule": "DTSTART;TZID=Asia/Kolkata:20260101T003000\nRRULE:FREQ=DAILY"},
         "2026-11-23 19:00:00", "2026-11-24 19:00:00"),
        ({"kind": "ics", "ics": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nRRULE:FREQ=DAILY\n"
          "DTSTART;TZID=India Standard Time:20260101T003000\nEND:VEVENT\nEND:VCALENDAR"},
         "2026-11-23 19:00:00", "2026-11-24 19:00:00"),
    ],
)  # fmt: skip
def test_a_date_alone_is_the_whole_day_in_the_zone_of_the_schedule(told, first, last):
    bounded = ANY.validate_python({**told, "starts": "2026-11-24", "ends": "2026-11-25"})
    found = text(bounded.upcoming(NOW, n=3000))
    assert (found[0], found[-1]) == (first, last)
    assert parse_schedule(dump_schedule(bounded)) == bounded


def test_start_and_end_are_themselves_included_and_may_have_an_offset():
    rule = Interval("1s", starts="2026-11-22T09:30:01+01:00", ends="2026-11-22T08:30:03Z")
    assert text(rule.upcoming(NOW, n=9)) == [f"2026-11-22 08:30:0{n}" for n in (1, 2, 3)]
    assert "from 2026-11-22 08:30:01 UTC, until 2026-11-22 08:30:03 UTC" in rule.describe()


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"starts": "2027-01-02", "ends": "2027-01-01"}, "ends: 2027-01-01 is before starts"),
        ({"starts": "soon"}, "starts: 'soon' is not a date and time"),
        ({"ends": 5}, "ends: 5 is not a date and time"),
        ({"ends": "2027-01-01", "timezone": "Mars"}, "timezone: 'Mars' is not a time zone"),
        ({"ends": "9999-12-31"}, "ends: the year must be 1900 to 8999"),
    ],
)
def test_a_start_or_end_that_cant_be_is_an_error_that_names_it(told, says):
    with pytest.raises(ScheduleError, match=says):
        parse_schedule({"kind": "interval", "every": "1h", **told})


def test_a_schedule_without_start_and_end_is_written_without_them():
    assert not {"starts", "ends"} & dump_schedule(Cron("0 9 * * *")).keys()
    assert dump_schedule(Once("2030-01-31T09:00Z")) == {
        "kind": "once",
        "at": "2030-01-31T09:00:00Z",
    }


def event(start):
    lines = ("BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:1", "RRULE:FREQ=DAILY", start)
    return "\n".join([*lines, "END:VEVENT", "END:VCALENDAR"])


@pytest.mark.parametrize("timezone", [None, "Asia/Kolkata"])
@pytest.mark.parametrize(
    "schedule",
    [
        Cron("0 22 * * *", NEW_YORK),
        Interval("1d", anchor="2026-01-01T22:00", timezone=NEW_YORK),
        RRule("FREQ=DAILY;BYHOUR=22", timezone=NEW_YORK),
        RRule(f"DTSTART;TZID={NEW_YORK}:20260101T220000\nRRULE:FREQ=DAILY", timezone="UTC"),
        CalendarEvent(event(f"DTSTART;TZID={NEW_YORK}:20260101T220000")),
        CalendarEvent(event(f"DTSTART;TZID={NEW_YORK}:20260101T220000"), timezone="Asia/Kolkata"),
        CalendarEvent(event("DTSTART:20260101T220000"), timezone=NEW_YORK),
    ],
    ids=lambda each: f"{each.kind} {each.zone}",
)
def test_a_start_and_end_said_of_a_schedule_are_read_on_its_own_clock(schedule, timezone):
    day = within(schedule, "2027-03-01", "2027-03-01", timezone)
    assert text(day.upcoming(NOW, n=9)) == ["2027-03-02 03:00:00"]  # 22:00 on the first of March
    assert day.describe().endswith(", from 2027-03-01, until 2027-03-01")
    assert within(day, "2020-01-01", "2020-01-01", timezone) == day  # what it says itself holds


def test_a_schedule_without_a_clock_has_its_start_in_the_zone_that_is_told():
    once = Once("2027-03-02T03:00Z")
    assert within(once, "2027-03-01", "2027-03-01", NEW_YORK).upcoming(NOW) == [once.at]
    assert within(once, "2027-03-01", "2027-03-01").upcoming(NOW) == []
    with pytest.raises(ScheduleError, match="ends: 2027-03-01 is before starts, 2027-03-02"):
        within(Cron("@daily", NEW_YORK), "2027-03-02", "2027-03-01")
