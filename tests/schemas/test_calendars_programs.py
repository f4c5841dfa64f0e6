"""Calendars are read as the many programs write them: zones, days with a zone, folds, encodings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orion_nb.errors import ScheduleError
from orion_nb.schedules import CalendarEvent, from_ics
from orion_nb.schemas.schedules import zone_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

#: Clocks as in Berlin, under a name that only the file knows.
OWN_ZONE = """BEGIN:VTIMEZONE
TZID:Our zone
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def calendar(event, head=""):
    lines = [*head.strip().splitlines(), "BEGIN:VEVENT", "UID:a", *event.splitlines()]
    return "\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VEVENT", "END:VCALENDAR", ""])


def found(schedule, n=10):
    return [f"{at:%m-%d %H:%M}" for at in schedule.upcoming(BEGIN, n=n)]


def daily(zone):
    return calendar(f"DTSTART;TZID={zone}:20260302T090000\nRRULE:FREQ=DAILY;COUNT=2")


def test_a_zone_that_only_the_file_knows_is_told_by_its_name_and_shown_in_utc():
    text = calendar("DTSTART;TZID=Our zone:20260328T090000\nRRULE:FREQ=DAILY", head=OWN_ZONE)
    schedule = from_ics(text)
    assert found(schedule, n=2) == ["03-28 08:00", "03-29 07:00"]
    assert schedule.describe() == "every day at 09:00 Our zone"
    assert schedule.zone is None
    assert zone_of([schedule]) == "UTC"
    with pytest.raises(ScheduleError, match=r"^starts: .* has no time zone"):
        CalendarEvent(text, starts="2026-03-29T09:00")


def test_a_start_without_offset_is_in_utc_where_the_event_is():
    text = calendar("DTSTART:20260302T090000Z\nRRULE:FREQ=DAILY")
    assert found(CalendarEvent(text, starts="2026-03-05"), n=1) == ["03-05 09:00"]


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
        ("(UTC+00:00) Dublin, Edinburgh, Lisbon, London", "Europe/Dublin"),
        ("(GMT-08.00) Pacific Time (US & Canada)/Tijuana", "America/Los_Angeles"),
        ("(GMT) Greenwich Mean Time : Dublin, Edinburgh", "Europe/London"),
        ("(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"),
        ("(UTC+10:00) Canberra, Melbourne, Sydney", "Australia/Canberra"),
        ("(UTC-07:00) Arizona", "US/Arizona"),
        ("Amsterdam, Belgrade, Berlin, Brussels, Budapest, Madrid, Paris", "Europe/Amsterdam"),
        ("(UTC) Coordinated Universal Time", "UTC"),
    ],
)
def test_a_zone_is_known_by_the_name_that_windows_shows(name, zone):
    for written in (f'"{name}"', name, name.replace(",", "\\,")):  # not all programs quote it
        assert found(from_ics(daily(written))) == found(from_ics(daily(zone)))


def test_a_summary_that_speaks_of_a_zone_stays_as_it_is():
    event = "DTSTART:20260302T090000Z\nSUMMARY:a;TZID=x,y: z"
    assert from_ics(calendar(event)).describe().startswith("a;TZID=x,y: z: once")


@pytest.mark.parametrize("name", ["(GMT +01:00)", "(UTC+01.00)", "UTC +1", "+0100", "+01:00"])
def test_an_offset_alone_is_a_zone(name):
    assert found(from_ics(daily(f'"{name}"'))) == ["03-02 08:00", "03-03 08:00"]


def test_all_later_occurrences_may_come_alone():
    """Whoever is invited to a part of a series gets no more than that."""
    event = (
        "SUMMARY:Part\nDTSTART;TZID=Europe/Berlin:20260302T090000\nRRULE:FREQ=WEEKLY;COUNT=2\n"
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260302T080000"
    )
    schedule = from_ics(calendar(event))
    assert found(schedule) == ["03-02 08:00", "03-09 08:00"]
    assert (
        schedule.describe()
        == "Part: every week on Monday at 09:00 Europe/Berlin, 2 times, 1 occurrence moved"
    )
    assert schedule.zone == "Europe/Berlin"


def test_blanks_around_a_zone_do_not_matter():
    event = 'DTSTART;TZID=" Our zone":20260302T090000'
    assert found(from_ics(calendar(event, head=OWN_ZONE))) == ["03-02 08:00"]


def test_a_shown_name_whose_places_have_another_offset_is_no_zone():
    with pytest.raises(ScheduleError, match=r"^ics: the time zone '\(UTC\+05:00\) Berlin' is no"):
        from_ics(daily('"(UTC+05:00) Berlin"'))


def test_a_day_that_names_a_zone_begins_there():
    event = "DTSTART;VALUE=DATE;TZID={}:20260302\nRRULE:FREQ=DAILY;COUNT=2"
    assert found(from_ics(calendar(event.format("America/Denver")))) == [
        "03-02 07:00", "03-03 07:00"
    ]  # fmt: skip
    assert found(from_ics(calendar(event.format("Mars/Base"))))[0] == "03-02 00:00"


def test_days_that_are_left_out_are_counted():
    event = "DTSTART;VALUE=DATE:20260302\nRRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260303,20260304"
    assert from_ics(calendar(event)).describe() == "every day UTC, 2 occurrences left out"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_is_read_in_the_encodings_that_programs_use(encoding, tmp_path):
    path = tmp_path / "a.ics"
    path.write_bytes(calendar("DTSTART:20260302T090000Z\nSUMMARY:Büro – 5 €").encode(encoding))
    assert from_ics(path).describe() == "Büro – 5 €: once at 2026-03-02 09:00:00 UTC"


def test_a_line_may_be_folded_within_a_character(tmp_path):
    data = calendar("DTSTART:20260302T090000Z\nSUMMARY:Büro €").encode()
    path = tmp_path / "a.ics"
    path.write_bytes(data.replace("ü".encode(), b"\xc3\r\n \xbc"))
    assert from_ics(path, event="Büro €").describe().startswith("Büro €: once")


def test_a_rule_of_vcalendar_is_called_so():
    with pytest.raises(ScheduleError, match=r"^ics: 'W2 TU TH #27' is a rule of vCalendar 1\.0"):
        from_ics(calendar("DTSTART:20260302T090000Z\nRRULE:W2 TU TH #27"))
