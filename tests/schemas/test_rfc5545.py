"""The examples of RFC 5545, section 3.8.5.3, each with the times that the RFC gives for it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from orion_nb.schedules import RRule

NEW_YORK = ZoneInfo("America/New_York")
BEGIN = datetime(1997, 1, 1, tzinfo=UTC)


def days(*told):
    """`1997-9: 2 3 4` as the days at nine."""
    found = []
    for each in told:
        month, _, numbers = each.partition(":")
        found += [f"{month}-{int(day):02} 09:00" for day in numbers.split()]
    return found


# The rule (from 2 September 1997, 9:00 in New York, unless it says otherwise), its first times,
# and whether these are all.
EXAMPLES = [
    ("FREQ=DAILY;COUNT=10", days("1997-09: 2 3 4 5 6 7 8 9 10 11"), True),
    (
        "FREQ=DAILY;UNTIL=19971224T000000Z",
        days(
            "1997-09: " + " ".join(map(str, range(2, 31))),
            "1997-10: " + " ".join(map(str, range(1, 32))),
            "1997-11: " + " ".join(map(str, range(1, 31))),
            "1997-12: " + " ".join(map(str, range(1, 24))),
        ),
        True,
    ),
    (
        "FREQ=DAILY;INTERVAL=2",
        days("1997-09: 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30", "1997-10: 2 4 6"),
        False,
    ),
    ("FREQ=DAILY;INTERVAL=10;COUNT=5", days("1997-09: 2 12 22", "1997-10: 2 12"), True),
    (
        "DTSTART;TZID=America/New_York:19980101T090000\n"
        "RRULE:FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        days(*(f"{y}-01: " + " ".join(map(str, range(1, 32))) for y in (1998, 1999, 2000))),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19980101T090000\n"
        "RRULE:FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
        days(*(f"{y}-01: " + " ".join(map(str, range(1, 32))) for y in (1998, 1999, 2000))),
        True,
    ),
    (
        "FREQ=WEEKLY;COUNT=10",
        days("1997-09: 2 9 16 23 30", "1997-10: 7 14 21 28", "1997-11: 4"),
        True,
    ),
    (
        "FREQ=WEEKLY;UNTIL=19971224T000000Z",
        days("1997-09: 2 9 16 23 30", "1997-10: 7 14 21 28", "1997-11: 4 11 18 25",
             "1997-12: 2 9 16 23"),
        True,
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        days("1997-09: 2 16 30", "1997-10: 14 28", "1997-11: 11 25", "1997-12: 9 23",
             "1998-01: 6 20", "1998-02: 3 17"),
        False,
    ),
    (
        "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
        days("1997-09: 2 4 9 11 16 18 23 25 30", "1997-10: 2"),
        True,
    ),
    (
        "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
        days("1997-09: 2 4 9 11 16 18 23 25 30", "1997-10: 2"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970901T090000\n"
        "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        days("1997-09: 1 3 5 15 17 19 29", "1997-10: 1 3 13 15 17 27 29 31",
             "1997-11: 10 12 14 24 26 28", "1997-12: 8 10 12 22"),
        True,
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        days("1997-09: 2 4 16 18 30", "1997-10: 2 14 16"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970905T090000\nRRULE:FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        days("1997-09: 5", "1997-10: 3", "1997-11: 7", "1997-12: 5", "1998-01: 2", "1998-02: 6",
             "1998-03: 6", "1998-04: 3", "1998-05: 1", "1998-06: 5"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970905T090000\n"
        "RRULE:FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
        days("1997-09: 5", "1997-10: 3", "1997-11: 7", "1997-12: 5"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970907T090000\n"
        "RRULE:FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        days("1997-09: 7 28", "1997-11: 2 30", "1998-01: 4 25", "1998-03: 1 29", "1998-05: 3 31"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970922T090000\nRRULE:FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        days("1997-09: 22", "1997-10: 20", "1997-11: 17", "1997-12: 22", "1998-01: 19",
             "1998-02: 16"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970928T090000\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-3",
        days("1997-09: 28", "1997-10: 29", "1997-11: 28", "1997-12: 29", "1998-01: 29",
             "1998-02: 26"),
        False,
    ),
    (
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        days("1997-09: 2 15", "1997-10: 2 15", "1997-11: 2 15", "1997-12: 2 15", "1998-01: 2 15"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970930T090000\n"
        "RRULE:FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        days("1997-09: 30", "1997-10: 1 31", "1997-11: 1 30", "1997-12: 1 31", "1998-01: 1 31",
             "1998-02: 1"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970910T090000\n"
        "RRULE:FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        days("1997-09: 10 11 12 13 14 15", "1999-03: 10 11 12 13"),
        True,
    ),
    (
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
        days("1997-09: 2 9 16 23 30", "1997-11: 4 11 18 25", "1998-01: 6 13 20 27",
             "1998-03: 3 10 17 24 31"),
        False,
    ),
    (
        "DTSTART;TZID=America/New_York:19970610T090000\nRRULE:FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        days(*(f"{y}-{m}: 10" for y in range(1997, 2002) for m in ("06", "07"))),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970310T090000\n"
        "RRULE:FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        days("1997-03: 10",
             *(f"{y}-{m}: 10" for y in (1999, 2001, 2003) for m in ("01", "02", "03"))),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970101T090000\n"
        "RRULE:FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        days("1997-01: 1", "1997-04: 10", "1997-07: 19", "2000-01: 1", "2000-04: 9", "2000-07: 18",
             "2003-01: 1", "2003-04: 10", "2003-07: 19", "2006-01: 1"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970519T090000\nRRULE:FREQ=YEARLY;BYDAY=20MO",
        days("1997-05: 19", "1998-05: 18", "1999-05: 17"),
        False,
    ),
    (
        "DTSTART;TZID=America/New_York:19970512T090000\nRRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        days("1997-05: 12", "1998-05: 11", "1999-05: 17"),
        False,
    ),
    (
        "DTSTART;TZID=America/New_York:19970313T090000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        days("1997-03: 13 20 27", "1998-03: 5 12 19 26", "1999-03: 4 11 18 25"),
        False,
    ),
    (
        "DTSTART;TZID=America/New_York:19970605T090000\nRRULE:FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
        days("1997-06: 5 12 19 26", "1997-07: 3 10 17 24 31", "1997-08: 7 14 21 28",
             "1998-06: 4 11 18 25", "1998-07: 2 9 16 23 30", "1998-08: 6 13 20 27"),
        False,
    ),
    (
        "DTSTART;TZID=America/New_York:19970902T090000\n"
        "EXDATE;TZID=America/New_York:19970902T090000\n"
        "RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        days("1998-02: 13", "1998-03: 13", "1998-11: 13", "1999-08: 13", "2000-10: 13"),
        False,
    ),
    (
        "DTSTART;TZID=America/New_York:19970913T090000\n"
        "RRULE:FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        days("1997-09: 13", "1997-10: 11", "1997-11: 8", "1997-12: 13", "1998-01: 10",
             "1998-02: 7", "1998-03: 7", "1998-04: 11", "1998-05: 9", "1998-06: 13"),
        False,
    ),
    (
        "DTSTART;TZID=America/New_York:19961105T090000\n"
        "RRULE:FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        days("2000-11: 7", "2004-11: 2"),
        False,
    ),
    (
        "DTSTART;TZID=America/New_York:19970904T090000\n"
        "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        days("1997-09: 4", "1997-10: 7", "1997-11: 6"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970929T090000\n"
        "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        days("1997-09: 29", "1997-10: 30", "1997-11: 27", "1997-12: 30", "1998-01: 29",
             "1998-02: 26", "1998-03: 30"),
        False,
    ),
    (
        "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",  # 17:00 in New York; see erratum 3883
        [f"1997-09-02 {hour:02}:00" for hour in (9, 12, 15)],
        True,
    ),
    (
        "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
        [f"1997-09-02 {time}" for time in ("09:00", "09:15", "09:30", "09:45", "10:00", "10:15")],
        True,
    ),
    (
        "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
        [f"1997-09-02 {time}" for time in ("09:00", "10:30", "12:00", "13:30")],
        True,
    ),
    *(
        (
            rule,
            [f"1997-09-{day:02} {hour:02}:{minute:02}"
             for day in (2, 3) for hour in range(9, 17) for minute in (0, 20, 40)],
            False,
        )
        for rule in (
            "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
            "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
        )
    ),
    (
        "DTSTART;TZID=America/New_York:19970805T090000\n"
        "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        days("1997-08: 5 10 19 24"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:19970805T090000\n"
        "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        days("1997-08: 5 17 19 31"),
        True,
    ),
    (
        "DTSTART;TZID=America/New_York:20070115T090000\n"
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        days("2007-01: 15 30", "2007-02: 15", "2007-03: 15 30"),
        True,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "expected", "whole"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_an_example_of_the_rfc(rule, expected, whole):
    text = rule if "\n" in rule else f"DTSTART;TZID=America/New_York:19970902T090000\nRRULE:{rule}"
    found = RRule(text).upcoming(BEGIN, n=len(expected) + 1)
    shown = [f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}" for at in found]
    assert shown[: len(expected)] == expected
    assert (len(found) == len(expected)) is whole
