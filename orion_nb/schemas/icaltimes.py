"""Dates, times and property lines as iCalendar (RFC 5545) writes them, read into plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, date, datetime, timedelta

from orion_nb.errors import ScheduleError
from orion_nb.schemas.values import frozen

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII | re.IGNORECASE)
# Old programs put an empty line into the fold.
_FOLD = re.compile(r"(?<![\r\n])[\r\n]++[ \t]")
_LINE = re.compile(
    r"([A-Za-z0-9-]+)((?:;[^=:;]+=(?:\"[^\"]*\"|[^\";:,]*)(?:,[^;:]*)?)*):(.*)", re.S
)
_PARAMETER = re.compile(r";([^=:;]+)=(\"[^\"]*\"|[^;:]*)")


@frozen
class Property:
    """One content line: `NAME;PARAMETER=value:value`; names are in capitals."""

    name: str
    value: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def read(text: str, name: str) -> date | datetime:
    """The value of a DATE (`20260131`), a local DATE-TIME (`…T090000`) or one in UTC (`…Z`).

    Raises:
        ScheduleError: it is none of these, or there is no such day.
    """
    match = _TIME.fullmatch(text.strip())
    try:
        if match is not None:
            return _value(*match.groups())
    except ValueError:
        pass
    message = f"{name}: {text[:40]!r} is not a date or time (try 20300131T090000Z)"
    raise ScheduleError(f"rrule: {message}", field="rrule")


def _value(
    year: str, month: str, day: str, hour: str | None, minute: str, second: str, utc: str
) -> date | datetime:
    told = date(int(year), int(month), int(day))
    if hour is None:
        return told
    whole = 59 if second == "60" else int(second)  # a leap second
    zone = UTC if utc else None
    return datetime(told.year, told.month, told.day, int(hour), int(minute), whole, tzinfo=zone)


def unfold(text: str) -> list[str]:
    """The content lines of a text, long ones put together again."""
    return [line for line in re.split(r"\r\n|\n|\r", _FOLD.sub("", text)) if line.strip()]


def split(line: str) -> Property | None:
    """The parts of a content line, None when it is none."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return None
    told = {
        found[1].strip().upper(): found[2].strip('"') for found in _PARAMETER.finditer(match[2])
    }
    return Property(match[1].upper(), match[3].strip(), told)


def seconds(offset: str) -> timedelta | None:
    """A UTC offset such as `+0200` or `-043000`; None when it is none."""
    match = re.fullmatch(r"([+-])(\d\d):?(\d\d):?(\d\d)?", offset.strip(), re.ASCII)
    if match is None:
        return None
    told = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
    if told >= timedelta(days=1):
        return None
    return -told if match[1] == "-" else told
