"""One recurrence rule of RFC 5545 as a value: read from its text and checked."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final

from orion_nb.errors import ScheduleError
from orion_nb.schemas import icaltimes
from orion_nb.schemas.instants import YEARS
from orion_nb.schemas.values import frozen

FREQUENCIES: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY = range(7)
WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

#: The parts that are lists of numbers: the least and the most, and whether they count from the end.
NUMBERS: Final = {
    "BYSECOND": (0, 60, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
#: With which frequencies a part must not be used (RFC 5545 section 3.3.10).
NOT_WITH: Final = {
    "BYMONTHDAY": (WEEKLY,),
    "BYYEARDAY": (DAILY, WEEKLY, MONTHLY),
    "BYWEEKNO": (MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY),
}
#: Parts of RFC 7529 that say what holds anyway.
PLAIN: Final = (("RSCALE", "GREGORIAN"), ("SKIP", "OMIT"))

PARTS: Final = ("FREQ", "UNTIL", "COUNT", "INTERVAL", *NUMBERS, "BYDAY", "WKST")

_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


@frozen
class Rule:
    """A recurrence rule. What it does not say is None or empty.

    `text` is the rule as it was written. `byday` are pairs of an ordinal (0: each) and a weekday,
    Monday 0. `until` is included: a date
    (all that day), a naive datetime (on the wall) or an aware one.
    """

    freq: int
    interval: int = 1
    count: int | None = None
    until: date | datetime | None = None
    bysecond: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    byhour: tuple[int, ...] = ()
    byday: tuple[tuple[int, int], ...] = ()
    bymonthday: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    bymonth: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()
    wkst: int = 0
    text: str = ""


def read(text: str) -> Rule:
    """The rule that a text such as `FREQ=WEEKLY;BYDAY=MO,FR` says.

    Raises:
        ScheduleError: it breaks RFC 5545 section 3.3.10; the message names the part and the value.
    """
    parts = _parts(text)
    if "FREQ" not in parts:
        raise wrong("FREQ is missing (YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY)")
    if parts["FREQ"] not in FREQUENCIES:
        raise wrong(f"FREQ={parts['FREQ']} is none of {', '.join(FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise wrong("COUNT and UNTIL must not both be given")
    freq = FREQUENCIES.index(parts["FREQ"])
    lists = {name.lower(): _numbers(name, parts.get(name)) for name in NUMBERS}
    rule = Rule(
        freq=freq,
        interval=_positive("INTERVAL", parts.get("INTERVAL")) or 1,
        count=_positive("COUNT", parts.get("COUNT")),
        until=_until(parts.get("UNTIL")),
        byday=_days(parts.get("BYDAY")),
        wkst=_week_start(parts.get("WKST", "MO")),
        text=text.strip(),
        **{**lists, "bysecond": tuple(sorted({min(each, 59) for each in lists["bysecond"]}))},
    )
    _check_together(rule, parts)
    return rule


def wrong(message: str) -> ScheduleError:
    return ScheduleError(f"rrule: {message}", field="rrule")


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for each in text.strip().strip(";").split(";"):
        name, equals, value = (part.strip() for part in each.upper().partition("="))
        if not equals or not value:
            raise wrong(f"{each[:60]!r} is not NAME=VALUE (try FREQ=WEEKLY;BYDAY=MO)")
        if (name, value) in PLAIN:
            continue
        if name in ("RSCALE", "SKIP"):
            raise wrong(f"{name}={value[:40]} (RFC 7529) is not supported")
        if name not in PARTS:
            raise wrong(f"there is no part {name[:40]} (there are {', '.join(PARTS)})")
        if name in parts:
            raise wrong(f"{name} is given twice")
        parts[name] = value
    return parts


def _numbers(name: str, text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    low, high, signed = NUMBERS[name]
    found = set()
    for each in text.split(","):
        number = int(each) if _NUMBER.fullmatch(each.strip()) else None
        if number is None or not (low <= number <= high or (signed and low <= -number <= high)):
            takes = f"{low} to {high}" + (f" and -{high} to -{low}" if signed else "")
            raise wrong(f"{name}={each[:40]} is not within {takes}")
        found.add(number)
    return tuple(sorted(found))


def _positive(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise wrong(f"{name}={text[:40]} is not a whole number from 1 on")
    return int(text)


def _until(text: str | None) -> date | datetime | None:
    """The end, if it lies in years that a schedule is asked for; before these it is their eve."""
    if text is None:
        return None
    told = icaltimes.read(text, "UNTIL")
    if told.year >= YEARS.stop:
        return None
    return told if told.year in YEARS else told.replace(YEARS.start - 1, 12, 31)


def _days(text: str | None) -> tuple[tuple[int, int], ...]:
    found = set()
    for each in text.split(",") if text else ():
        match = _DAY.fullmatch(each.strip())
        ordinal = int(match[1] or 0) if match else 0
        if match is None or abs(ordinal) > 53 or (match[1] and not ordinal):
            raise wrong(f"BYDAY={each[:40]} is not a weekday (MO, TU … SU, or 1MO, -1FR)")
        found.add((ordinal, WEEKDAYS.index(match[2])))
    return tuple(sorted(found))


def _week_start(text: str) -> int:
    if text not in WEEKDAYS:
        raise wrong(f"WKST={text[:40]} is none of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(text)


def _check_together(rule: Rule, parts: dict[str, str]) -> None:
    freq = FREQUENCIES[rule.freq]
    for name, frequencies in NOT_WITH.items():
        if name in parts and rule.freq in frequencies:
            raise wrong(f"{name} must not be used with FREQ={freq}")
    if any(ordinal for ordinal, _ in rule.byday):
        told = parts["BYDAY"]
        if rule.freq not in (YEARLY, MONTHLY):
            raise wrong(f"BYDAY={told[:40]}: a numbered weekday goes with MONTHLY and YEARLY only")
        if rule.freq == YEARLY and rule.byweekno:
            raise wrong(f"BYDAY={told[:40]}: a numbered weekday does not go with BYWEEKNO")
    if rule.bysetpos and not any(name.startswith("BY") for name in parts if name != "BYSETPOS"):
        raise wrong("BYSETPOS needs another BY… part to choose from")
