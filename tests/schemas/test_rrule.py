"""Recurrence rules: read, refused, equal to dateutil and to the clock, and answered in time."""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given
from hypothesis import strategies as st

from orion_nb.errors import ScheduleError
from orion_nb.schedules import RRule, dump_schedule, parse_schedule

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
ALL_60 = ",".join(map(str, range(60)))
ALL_24 = ",".join(map(str, range(24)))


def walls(schedule, zone, after=NOW, n=5):
    return [
        f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for at in schedule.upcoming(after, n=n)
    ]


# -- what is read --------------------------------------------------------------------------------


def test_a_rule_without_start_begins_on_a_monday_at_midnight():
    assert walls(RRule("FREQ=WEEKLY", timezone="Asia/Tokyo"), "Asia/Tokyo", n=2) == [
        "2026-11-23 00:00", "2026-11-30 00:00"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "DTSTART;TZID=Europe/Prague:20260101T090000\nRRULE:FREQ=DAILY",
        "DTSTART;TZID=Europe/Prague:20260101T090000 RRULE:FREQ=DAILY",
        'dtstart;tzid="Europe/Prague":20260101T090000\r\nrrule:freq=daily',
        "RRULE:FREQ=DAI\r\n LY\r\nDTSTART;TZID=Europe/Pra\r\n gue:20260101T090000",
        "DTSTART;TZID=Europe/Prague;VALUE=DATE-TIME:20260101T090000\nRRULE:FREQ=DAILY;",
    ],
)
def test_lines_may_be_folded_and_in_any_order(text):
    assert walls(RRule(text), "Europe/Prague", n=1) == ["2026-11-22 09:00"]


def test_dates_are_added_and_left_out():
    schedule = RRule(
        "DTSTART;TZID=Europe/Prague:20261201T090000\n"
        "RRULE:FREQ=DAILY;COUNT=6\n"
        "EXDATE;TZID=Europe/Prague:20261202T090000,20261203T100000\n"
        "EXDATE:20261204T080000Z\n"
        "EXDATE;VALUE=DATE:20261206\n"
        "RDATE:20261202T110000Z\n"
        "RDATE;VALUE=PERIOD;TZID=Europe/Prague:20261210T070000/PT1H,20261211T070000/20261211T080000"
    )
    assert walls(schedule, "Europe/Prague", n=20) == [
        "2026-12-01 09:00", "2026-12-02 12:00", "2026-12-03 09:00", "2026-12-05 09:00",
        "2026-12-10 07:00", "2026-12-11 07:00",
    ]  # fmt: skip


def test_several_rules_and_rules_left_out():
    schedule = RRule(
        "DTSTART:20261123T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO\nRRULE:FREQ=DAILY;COUNT=3\n"
        "EXRULE:FREQ=MONTHLY;BYDAY=-1MO"
    )
    assert walls(schedule, "UTC", n=4) == [
        "2026-11-23 09:00", "2026-11-24 09:00", "2026-11-25 09:00", "2026-12-07 09:00"
    ]  # fmt: skip


def test_what_a_rule_leaves_out_is_no_date_that_is_added_either():
    schedule = RRule(
        "DTSTART:20261123T090000\nRDATE:20261124T090000,20261126T090000,20261126T100000\n"
        "RDATE:20261127T090000,20261203T090000,20261210T090000\n"
        "EXRULE:FREQ=WEEKLY;BYDAY=TH;COUNT=2"
    )
    assert walls(schedule, "UTC", n=9) == [
        "2026-11-24 09:00", "2026-11-26 10:00", "2026-11-27 09:00", "2026-12-10 09:00"
    ]  # fmt: skip


def test_a_start_that_no_rule_names_is_no_occurrence():
    assert walls(RRule("DTSTART:20261201T100000\nRRULE:FREQ=DAILY;BYHOUR=9"), "UTC", n=1) == [
        "2026-12-02 09:00"
    ]


def test_a_day_begins_at_midnight_of_its_zone():
    schedule = RRule("DTSTART;VALUE=DATE:20261201\nRRULE:FREQ=DAILY", timezone="Asia/Tokyo")
    assert schedule.upcoming(NOW) == [datetime(2026, 11, 30, 15, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20261203", "2026-12-02 09:00"),  # a date is its midnight
        ("20261203T090000", "2026-12-03 09:00"),
        ("20261203T085959", "2026-12-02 09:00"),
        ("20261203T080000Z", "2026-12-03 09:00"),  # nine in Prague
        ("20261203T075959Z", "2026-12-02 09:00"),
    ],
)
def test_until_is_included(until, last):
    schedule = RRule(f"DTSTART;TZID=Europe/Prague:20261201T090000\nRRULE:FREQ=DAILY;UNTIL={until}")
    assert walls(schedule, "Europe/Prague", n=50)[-1] == last


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "'' is not a rule (try FREQ=WEEKLY;BYDAY=MO)"),
        ("FREQ=SOMETIMES", "FREQ=SOMETIMES is none of YEARLY, MONTHLY, WEEKLY"),
        ("INTERVAL=2", "FREQ is missing (YEARLY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0 is not a whole number from 1 on"),
        ("FREQ=DAILY;COUNT=3", "COUNT needs a DTSTART to count from"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20300101", "COUNT and UNTIL must not both be given"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR=24 is not within 0 to 23"),
        ("FREQ=DAILY;BYMONTHDAY=32", "BYMONTHDAY=32 is not within 1 to 31 and -31 to -1"),
        ("FREQ=DAILY;BYDAY=XX", "BYDAY=XX is not a weekday (MO, TU … SU, or 1MO, -1FR)"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY=1MO: a numbered weekday goes with MONTHLY and YEARLY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY must not be used with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO must not be used with FREQ=MONTHLY"),
        ("FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY must not be used with FREQ=DAILY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs another BY… part to choose from"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is given twice"),
        ("FREQ=DAILY;SKIP=FORWARD", "SKIP=FORWARD (RFC 7529) is not supported"),
        ("FREQ=DAILY;BYMOON=1", "there is no part BYMOON (there are FREQ, UNTIL"),
        ("FREQ=DAILY;BYDAY", "'BYDAY' is not NAME=VALUE"),
        ("FREQ=DAILY\nSUMMARY:x", "'SUMMARY:x' is none of DTSTART, RRULE, RDATE, EXDATE, EXRULE"),
        ("FREQ=DAILY;UNTIL=20260231", "UNTIL: '20260231' is not a date or time"),
        ("DTSTART:20260101T0900\nRRULE:FREQ=DAILY", "DTSTART: '20260101T0900' is not a date"),
        ("DTSTART;TZID=Mars:20260101T090000\nRRULE:FREQ=DAILY", "TZID: 'Mars' is not a time zone"),
        ("DTSTART:20260101\nDTSTART:20260102", "there must be one DTSTART, got 2"),
        ("\n".join(["RRULE:FREQ=DAILY"] * 11), "more than 10 rules in one set"),
        ("RRULE:FREQ=DAILY;" + "X" * 70_000, "the text is longer than 65,536 characters"),
    ],
)
def test_a_rule_that_breaks_the_standard_is_refused(rule, message):
    with pytest.raises(ScheduleError) as caught:
        RRule(rule)
    assert str(caught.value).startswith(f"rrule: {message}")
    assert caught.value.field == "rrule"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9", "every week on Monday and Friday at 09:00 UTC"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,17", "every weekday at 09:00 and 17:00 UTC"),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR", "every 2 months on the last Friday at 00:00 UTC"),
        ("FREQ=MINUTELY;INTERVAL=15", "every 15 minutes UTC"),
        ("FREQ=YEARLY;BYWEEKNO=20", "FREQ=YEARLY;BYWEEKNO=20 from 2001-01-01 00:00 UTC"),
        (
            "DTSTART:20260131T090000 RRULE:FREQ=MONTHLY;COUNT=3 RDATE:20260101T000000",
            "every month on day 31 at 09:00 UTC, 3 times, and on 1 more date",
        ),
    ],
)
def test_a_rule_in_words(rule, words):
    assert RRule(rule).describe() == words


# -- clocks that change --------------------------------------------------------------------------


def test_a_time_that_clocks_skip_is_read_with_the_offset_before():
    schedule = RRule("DTSTART;TZID=America/New_York:20250309T023000\nRRULE:FREQ=DAILY;COUNT=2")
    assert walls(schedule, "America/New_York", datetime(2025, 1, 1, tzinfo=UTC)) == [
        "2025-03-09 03:30", "2025-03-10 02:30"
    ]  # fmt: skip


def test_a_time_shown_twice_is_the_first():
    schedule = RRule("DTSTART;TZID=America/New_York:20251102T013000\nRRULE:FREQ=DAILY;COUNT=1")
    assert schedule.upcoming(datetime(2025, 1, 1, tzinfo=UTC), n=5) == [
        datetime(2025, 11, 2, 5, 30, tzinfo=UTC)
    ]


def test_half_hours_through_a_gap_are_in_order_and_each_once():
    schedule = RRule("DTSTART;TZID=Europe/Prague:20260101T000000\nRRULE:FREQ=MINUTELY;INTERVAL=30")
    start = datetime(2026, 3, 29, 0, tzinfo=UTC)
    found = schedule.upcoming(start, until=start + timedelta(hours=3))
    assert found == [start + timedelta(minutes=30 * step) for step in range(7)]


# -- in time -------------------------------------------------------------------------------------

SLOW = {
    "ten years of minutes": "DTSTART:20161122T000000Z\nRRULE:FREQ=MINUTELY",
    "counted": "DTSTART:20161122T000000Z\nRRULE:FREQ=MINUTELY;COUNT=10000000",
    "counted sevens": "DTSTART:20161122T000000Z\nRRULE:FREQ=SECONDLY;INTERVAL=7;COUNT=100000000",
    "seconds": "DTSTART;TZID=Europe/Prague:20161122T000000\nRRULE:FREQ=SECONDLY",
    "30 February": "DTSTART:20161122T000000Z\nRRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    "31 of short months": "FREQ=MINUTELY;BYMONTH=2,4,6,9,11;BYMONTHDAY=31",
    "never at this hour": "DTSTART:20161122T040000Z\nRRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
    "odd steps": "DTSTART:20161122T040000Z\nRRULE:FREQ=SECONDLY;INTERVAL=86399;BYHOUR=5;BYMINUTE=3;"
    "BYSECOND=3;BYMONTH=2;BYMONTHDAY=29",
    "a set of all seconds": "DTSTART:19970101T000000Z\nRRULE:FREQ=YEARLY;BYSETPOS=-1;BYMONTH=1,2,3;"
    f"BYHOUR={ALL_24};BYMINUTE={ALL_60};BYSECOND={ALL_60}",
    "all left out": "DTSTART:20161122T000000Z\nRRULE:FREQ=MINUTELY\nEXRULE:FREQ=MINUTELY",
    "seconds left out": "DTSTART:20161122T000000Z\nRRULE:FREQ=SECONDLY\nEXRULE:FREQ=SECONDLY",
    "rare, and left out": "DTSTART:20161122T000000Z\nEXRULE:FREQ=SECONDLY\n"
    "RRULE:FREQ=HOURLY;INTERVAL=3;BYYEARDAY=366",
    "ended": "DTSTART:20161122T000000Z\nRRULE:FREQ=SECONDLY;UNTIL=20261121T235959Z",
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_a_rule_answers_in_time_even_if_it_never_fires(name):
    best = min(_seconds(f"{SLOW[name]};WKST={day}") for day in ("MO", "TU", "WE"))
    assert best < 0.05


def _seconds(rule):
    begun = time.process_time()
    RRule(rule).upcoming(NOW, n=100)
    return time.process_time() - begun


def test_rules_that_never_fire_are_empty():
    for name in ("30 February", "31 of short months", "never at this hour", "all left out"):
        assert RRule(SLOW[name]).upcoming(NOW, n=3) == []


# -- properties ----------------------------------------------------------------------------------

ZONES = ["UTC", "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
FREQS = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]
NUMBERS = {
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": [*range(1, 32), -1, -2, -31],
    "BYHOUR": range(24),
    "BYMINUTE": range(60),
}


@st.composite
def rules(draw):
    """A rule that the standard allows and dateutil reads as it does."""
    freq = draw(st.sampled_from(FREQS))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 5))}"]
    for name, values in NUMBERS.items():
        if draw(st.integers(0, 3)) or (name == "BYMONTHDAY" and freq == "WEEKLY"):
            continue
        chosen = draw(st.lists(st.sampled_from(values), min_size=1, max_size=4, unique=True))
        parts.append(f"{name}={','.join(map(str, chosen))}")
    if freq == "YEARLY" and draw(st.booleans()):
        kind = draw(st.sampled_from(["BYYEARDAY=1,60,-1", "BYWEEKNO=1,20,-1,53;BYDAY=MO,SU"]))
        parts.append(kind)
    elif draw(st.booleans()):
        plain = st.sampled_from(["MO", "WE", "FR", "SA", "SU"])
        numbered = st.sampled_from(["1MO", "-1FR", "2SU", "5WE", "-3TU"])
        days = numbered if freq in ("YEARLY", "MONTHLY") and draw(st.booleans()) else plain
        chosen = draw(st.lists(days, min_size=1, max_size=3, unique=True))
        parts.append(f"BYDAY={','.join(chosen)}")
    if freq in ("YEARLY", "MONTHLY", "DAILY") and len(parts) > 2 and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from(['1', '-1', '2,-2', '1,3']))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 40))}")
    parts.append(f"WKST={draw(st.sampled_from(['MO', 'SU', 'WE']))}")
    return ";".join(parts)


@given(
    rule=rules(),
    start=st.datetimes(datetime(1999, 1, 1), datetime(2024, 12, 31)),
    ahead=st.integers(0, 1000),
    zone=st.sampled_from(ZONES),
)
def test_it_agrees_with_dateutil_and_the_clock(rule, start, ahead, zone):
    start = start.replace(microsecond=0)
    begin = start + timedelta(days=ahead)
    fast = rule.startswith(("FREQ=MINUTELY", "FREQ=HOURLY"))
    assume(not (fast and ahead > 30))  # dateutil steps through all of it
    try:
        known = rrulestr(rule, dtstart=start)
    except ValueError:  # it refuses some that name no time at all
        assume(False)
    horizon = begin + timedelta(days=30 if fast else 4000)
    expected = list(islice((at for at in known.between(begin, horizon, inc=True)), 12))
    place = ZoneInfo(zone)
    wanted = sorted({at.replace(tzinfo=place).astimezone(UTC) for at in expected})
    after = begin.replace(tzinfo=place).astimezone(UTC)
    assume(after.astimezone(place).replace(tzinfo=None) == begin)
    schedule = RRule(f"DTSTART;TZID={zone}:{start:%Y%m%dT%H%M%S}\nRRULE:{rule}")
    until = horizon.replace(tzinfo=place).astimezone(UTC)
    found = schedule.upcoming(after, n=12, until=until)
    assert found[: len(wanted)] == wanted[: len(found)]
    assert len(found) >= min(len(wanted), 11)
    assert parse_schedule(dump_schedule(schedule)) == schedule


@given(rule=rules(), days=st.integers(0, 3000), n=st.integers(1, 8))
def test_n_and_until_agree_and_after_is_included(rule, days, n):
    schedule = RRule(f"DTSTART;TZID=Europe/Prague:20180331T023000\nRRULE:{rule}")
    after = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(days=days)
    found = schedule.upcoming(after, n=n)
    assert found == sorted(set(found))
    assert all(at >= after for at in found)
    if found:
        assert schedule.upcoming(after, until=found[-1]) == found
        assert schedule.upcoming(found[-1]) == found[-1:]
        assert schedule.upcoming(found[0] + timedelta(microseconds=1), n=n)[: n - 1] == found[1:]


@pytest.mark.parametrize("blank", [" ", "\n", "\t"])
def test_many_blanks_in_a_text_take_no_time(blank):
    began = time.thread_time()
    with pytest.raises(ScheduleError):
        RRule("FREQ=DAILY" + blank * 20_000 + "x")
    assert time.thread_time() - began < 2.0
