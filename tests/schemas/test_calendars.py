"""Events of calendars run when calendar programs show them, moved and deleted ones included."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.errors import ScheduleError
from orion_nb.schedules import CalendarEvent, RRule, dump_schedule, from_ics, parse_schedule

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def calendar(*events, head=""):
    """A calendar of events, each given by its lines."""
    lines = [line.strip() for line in head.strip().splitlines()]
    for event in events:
        lines += [
            "BEGIN:VEVENT",
            *(line.strip() for line in event.strip().splitlines()),
            "END:VEVENT",
        ]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""])


def found(schedule, n=10):
    return [f"{at:%m-%d %H:%M}" for at in schedule.upcoming(BEGIN, n=n)]


WEEKLY = """
    UID:team@example.org
    SUMMARY:Team\\, weekly
    DTSTART;TZID=Europe/Berlin:20260302T090000
    DTEND;TZID=Europe/Berlin:20260302T100000
    RRULE:FREQ=WEEKLY;COUNT=6
    DESCRIPTION:what was said\\nstays
     here
    ATTENDEE;CN="Doe; Jane":mailto:jane@example.org
"""


def test_an_event_keeps_its_time_when_clocks_change():
    schedule = from_ics(calendar(WEEKLY))
    assert found(schedule) == [
        "03-02 08:00", "03-09 08:00", "03-16 08:00", "03-23 08:00", "03-30 07:00", "04-06 07:00"
    ]  # fmt: skip
    assert schedule.describe() == (
        "Team, weekly: every week on Monday at 09:00 Europe/Berlin, 6 times"
    )


def test_a_file_is_read_and_only_the_times_are_kept(tmp_path):
    path = tmp_path / "team.ics"
    path.write_bytes(calendar(WEEKLY).replace("Doe", "Dö").encode("latin-1"))
    schedule = from_ics(path)
    assert from_ics(str(path)) == schedule == parse_schedule(dump_schedule(schedule))
    assert "jane" not in schedule.ics
    assert "stays" not in schedule.ics


def test_moved_and_deleted_occurrences():
    """As Google Calendar writes them: a deleted one is EXDATE or a cancelled change."""
    schedule = from_ics(
        calendar(
            WEEKLY + "EXDATE;TZID=Europe/Berlin:20260309T090000",
            """
            UID:team@example.org
            RECURRENCE-ID;TZID=Europe/Berlin:20260316T090000
            DTSTART;TZID=Europe/Berlin:20260317T140000
            SUMMARY:Team (moved)
            """,
            """
            UID:team@example.org
            RECURRENCE-ID:20260323T080000Z
            DTSTART:20260323T080000Z
            STATUS:CANCELLED
            """,
        )
    )
    assert found(schedule) == ["03-02 08:00", "03-17 13:00", "03-30 07:00", "04-06 07:00"]
    assert schedule.describe().endswith(
        "Europe/Berlin, 6 times, 1 occurrence moved, 2 occurrences left out"
    )


def test_of_changes_of_one_occurrence_the_latest_holds():
    changes = [
        f"""
        UID:team@example.org
        SEQUENCE:{number}
        RECURRENCE-ID;TZID=Europe/Berlin:20260302T090000
        DTSTART;TZID=Europe/Berlin:202603{number:02}T120000
        """
        for number in (4, 5, 3)
    ]
    assert found(from_ics(calendar(WEEKLY, *changes)), 1) == ["03-05 11:00"]


def test_this_and_all_later_ones_are_moved():
    schedule = from_ics(
        calendar(
            WEEKLY,
            """
            UID:team@example.org
            RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260323T090000
            DTSTART;TZID=Europe/Berlin:20260324T110000
            """,
            """
            UID:team@example.org
            RECURRENCE-ID;TZID=Europe/Berlin:20260330T090000
            STATUS:CANCELLED
            DTSTART;TZID=Europe/Berlin:20260330T090000
            """,
        )
    )
    assert found(schedule) == [
        "03-02 08:00", "03-09 08:00", "03-16 08:00", "03-24 10:00", "04-07 09:00"
    ]  # fmt: skip


def test_this_and_all_later_ones_are_deleted():
    change = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260316T090000"
    gone = f"UID:team@example.org\n{change}\nSTATUS:CANCELLED"
    moved = (
        "UID:team@example.org\nRECURRENCE-ID;TZID=Europe/Berlin:20260309T090000\n"
        "DTSTART;TZID=Europe/Berlin:20260401T090000"
    )
    schedule = from_ics(calendar(WEEKLY, gone, moved))
    assert found(schedule) == ["03-02 08:00", "04-01 07:00"]
    assert schedule.describe().endswith("1 occurrence moved, 1 occurrence left out")


def test_from_one_on_there_is_another_rule():
    schedule = from_ics(
        calendar(
            WEEKLY,
            """
            UID:team@example.org
            RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260316T090000
            DTSTART;TZID=Europe/Berlin:20260316T110000
            RRULE:FREQ=DAILY;COUNT=3
            """,
        )
    )
    assert found(schedule) == [
        "03-02 08:00", "03-09 08:00", "03-16 10:00", "03-17 10:00", "03-18 10:00"
    ]  # fmt: skip


OUTLOOK_ZONE = """
    BEGIN:VTIMEZONE
    TZID:{name}
    BEGIN:STANDARD
    DTSTART:16010101T030000
    TZOFFSETFROM:+0200
    TZOFFSETTO:+0100
    RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
    END:STANDARD
    BEGIN:DAYLIGHT
    DTSTART:16010101T020000
    TZOFFSETFROM:+0100
    TZOFFSETTO:+0200
    RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
    END:DAYLIGHT
    END:VTIMEZONE
"""


@pytest.mark.parametrize(
    "name",
    [
        "W. Europe Standard Time",  # Outlook
        "Customized Time Zone",  # Outlook, defined in the file
        "(UTC+01:00) Amsterdam, Berlin, Bern",
        "/mozilla.org/20050126_1/Europe/Berlin",  # old Thunderbird
        "/freeassociation.sourceforge.net/Tzfile/Europe/Berlin",  # Evolution
        "Europe/Berlin",
    ],
)
def test_zones_by_all_the_names_that_programs_give_them(name):
    event = WEEKLY.replace("TZID=Europe/Berlin", f'TZID="{name}"')
    schedule = from_ics(calendar(event, head=OUTLOOK_ZONE.format(name=name)))
    assert found(schedule) == found(from_ics(calendar(WEEKLY)))


def test_a_zone_may_be_spelt_in_small_letters_or_with_blanks():
    event = UTC_RULE.replace(":20260302T080000Z", ";TZID=america/new york:20260302T080000")
    assert found(from_ics(calendar(event)))[0] == "03-02 13:00"


def test_parts_of_a_rule_that_programs_add_are_passed_over():
    own = ";X-EVOLUTION-ENDDATE=20260330T080000Z;BYDAY=;"
    event = UTC_RULE.replace(";COUNT=5", f"{own}COUNT=5")
    assert found(from_ics(calendar(event))) == found(from_ics(calendar(UTC_RULE)))
    with pytest.raises(ScheduleError, match="there is no part COLOR"):
        from_ics(calendar(f"{UTC_RULE};COLOR=RED"))


def test_a_zone_that_nobody_knows_is_an_error():
    with pytest.raises(ScheduleError, match=r"^ics: the time zone 'Mars/Base' is no IANA and no"):
        from_ics(calendar(WEEKLY.replace("Europe/Berlin", "Mars/Base")))


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("UTC+01", "02 08:00"), ("GMT+0530", "02 03:30"), ("UTC-5:00", "02 14:00"),
        ("tzone://Microsoft/Utc", "02 09:00"),
    ],
)  # fmt: skip
def test_an_offset_is_a_zone_that_is_told_by_its_name(name, first):
    event = f'UID:a\nDTSTART;TZID="{name}":20260302T090000\nRRULE:FREQ=DAILY'
    schedule = from_ics(calendar(event))
    assert f"{schedule.upcoming(datetime(2026, 1, 1, tzinfo=UTC))[0]:%d %H:%M}" == first
    assert schedule.describe() == f"every day at 09:00 {'UTC' if '/' in name else name}"


def test_a_zone_without_changes_may_have_begun_in_the_first_year():
    head = (
        "BEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:00010101T000000\n"
        "TZOFFSETFROM:{0}\nTZOFFSETTO:{0}\nEND:STANDARD\nEND:VTIMEZONE"
    )
    event = WEEKLY.replace("Europe/Berlin", "Own")
    told = from_ics(calendar(event, head=head.format("+0100")))
    assert found(told)[0] == found(from_ics(calendar(WEEKLY)))[0]
    with pytest.raises(ScheduleError, match=r"^ics: the file's time zone 'Own' can't be read"):
        from_ics(calendar(event, head=head.format("+2800")))


def test_a_zone_that_changes_every_second_is_refused_in_time():
    head = re.sub("RRULE:.*", "RRULE:FREQ=SECONDLY", OUTLOOK_ZONE.format(name="Own"))
    began = time.process_time()
    with pytest.raises(ScheduleError, match=r"^ics: the file's time zone 'Own' changes too often"):
        from_ics(calendar(WEEKLY.replace("Europe/Berlin", "Own"), head=head))
    assert time.process_time() - began < 1


def test_a_line_may_be_folded_with_an_empty_line():
    told = calendar(WEEKLY).replace("RRULE:", "RRULE\r\n\r\n :")
    assert found(from_ics(told)) == found(from_ics(calendar(WEEKLY)))


@given(at=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001
def test_a_zone_of_a_file_is_as_exact_as_one_of_the_system(at):
    rule = "UID:x\nDTSTART;TZID={0}:{1:%Y%m%dT%H%M%S}\nRRULE:FREQ=HOURLY;INTERVAL=7;COUNT=5"
    own = calendar(rule.format("Own", at), head=OUTLOOK_ZONE.format(name="Own"))
    expected = RRule(
        f"DTSTART:{at:%Y%m%dT%H%M%S}\nRRULE:FREQ=HOURLY;INTERVAL=7;COUNT=5", "Europe/Berlin"
    ).upcoming(datetime(1980, 1, 1, tzinfo=UTC), n=9)
    if at.year >= 1996:  # since then the clocks change on these days
        assert from_ics(own).upcoming(datetime(1980, 1, 1, tzinfo=UTC), n=9) == expected


UTC_RULE = "UID:a\nSUMMARY:A\nDTSTART:20260302T080000Z\nRRULE:FREQ=WEEKLY;COUNT=5"


def test_a_calendar_in_a_zone_reads_its_utc_and_floating_rules_there():
    head = "X-WR-TIMEZONE:Europe/Berlin"
    local = UTC_RULE.replace("080000Z", "090000")
    for event in (UTC_RULE, local):
        assert found(from_ics(calendar(event, head=head)))[-1] == "03-30 07:00"
    assert found(from_ics(calendar(UTC_RULE)))[-1] == "03-30 08:00"
    assert found(from_ics(calendar(local)))[-1] == "03-30 09:00"
    assert found(from_ics(calendar(local), timezone="Asia/Tokyo"))[-1] == "03-30 00:00"


def test_whole_days_begin_at_midnight():
    event = """
        UID:day
        DTSTART;VALUE=DATE:20260327
        RRULE:FREQ=DAILY;UNTIL=20260401
        EXDATE;TZID=Europe/Berlin:20260328T000000
    """
    schedule = from_ics(calendar(event, head="X-WR-TIMEZONE:Europe/Berlin"))
    assert found(schedule) == [
        "03-26 23:00", "03-28 23:00", "03-29 22:00", "03-30 22:00", "03-31 22:00"
    ]  # fmt: skip


def test_one_of_several_events_is_chosen():
    text = calendar(WEEKLY, UTC_RULE, UTC_RULE.replace("UID:a", "UID:b"))
    assert found(from_ics(text, "team, WEEKLY"), 1) == ["03-02 08:00"]
    assert found(from_ics(text, "b"), 1) == ["03-02 08:00"]
    listed = "'Team, weekly' (team@example.org), 'A' (a), 'A' (b)"
    for event, message in [
        (None, f"event: 3 events are in it; choose one by its UID or summary: {listed}"),
        ("A", "event: 2 events are called 'A'; choose one by its UID or summary: 'A' (a), 'A' (b)"),
        ("Team, weakly", f"event: no event 'Team, weakly'; did you mean 'Team, weekly'? (there "
         f"are {listed})"),
    ]:  # fmt: skip
        with pytest.raises(ScheduleError) as caught:
            from_ics(text, event)
        assert str(caught.value) == message


def test_an_event_is_kept_as_json_and_read_as_the_same():
    text = calendar(WEEKLY, UTC_RULE, head=OUTLOOK_ZONE.format(name="Own"))
    told = dump_schedule(from_ics(text, "a"))
    assert told["kind"] == "ics"
    assert parse_schedule(told) == from_ics(text, "a")
    assert parse_schedule({"kind": "ics", "ics": text, "event": "a"}) == from_ics(text, "a")


def test_a_cancelled_event_never_runs():
    assert found(from_ics(calendar(WEEKLY + "STATUS:CANCELLED"))) == []
    assert found(from_ics(calendar(WEEKLY, head="METHOD:CANCEL"))) == []


def test_a_lone_change_of_an_event_runs_once():
    event = "UID:x\nRECURRENCE-ID:20260302T080000Z\nDTSTART:20260303T080000Z"
    assert found(from_ics(calendar(event))) == ["03-03 08:00"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BEGIN:VCALENDAR\nEND:VCALENDAR", "ics: there is no event in it"),
        (calendar(WEEKLY)[:200], "ics: END:VEVENT is missing; the file is cut off"),
        (calendar("UID:x\nDTSTART;;TZID=UTC:20260101T000000"), "ics: 'DTSTART;;TZID=UTC:2026"),
        ("no-such-file.ics", "ics: 'no-such-file.ics' can't be read"),
        (calendar("UID:x\nSUMMARY:S"), "ics: the event 'S' has no DTSTART"),
        (calendar("UID:x\nDTSTART:2026"), "ics: DTSTART: '2026' is not a date or time"),
        (
            calendar("UID:x\nDTSTART:20260101T000000Z\nRRULE:FREQ=DAILY;RSCALE=HEBREW"),
            "ics: RSCALE=HEBREW (RFC 7529) is not supported",
        ),
        (
            calendar(WEEKLY, "UID:team@example.org\nDTSTART:20260309T080000Z\n"
                     "RECURRENCE-ID;RANGE=THISANDPRIOR:20260309T080000Z"),
            "ics: RANGE=THISANDPRIOR of a RECURRENCE-ID is not supported",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_said(text, message):
    with pytest.raises(ScheduleError) as caught:
        from_ics(text)
    assert str(caught.value).startswith(message)


def test_many_years_of_minutes_and_of_changes_are_answered_in_time():
    start = datetime(2016, 1, 1, tzinfo=UTC)
    changes = [
        f"UID:m\nRECURRENCE-ID:{at:%Y%m%dT%H%M%SZ}\nDTSTART:{at:%Y%m%dT%H%M30Z}"
        for at in (start + timedelta(hours=hour) for hour in range(500))
    ]
    schedule = from_ics(calendar("UID:m\nDTSTART:20160101T000000Z\nRRULE:FREQ=MINUTELY", *changes))
    assert isinstance(schedule, CalendarEvent)
    took = []
    for _ in range(3):
        begun = time.process_time()
        assert len(schedule.upcoming(BEGIN, n=100)) == 100
        took.append(time.process_time() - begun)
    assert min(took) < 0.05
    assert schedule.upcoming(start, n=2)[1] == start + timedelta(seconds=60)
