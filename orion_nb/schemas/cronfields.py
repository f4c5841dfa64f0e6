"""Cron expressions in the syntax that nearly all have, read and stepped through day by day.

It is what croniter says, several times faster, for lists, ranges and steps of numbers and names.
What else croniter takes (L, #, W, ranges that wrap) is left to it.
"""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

#: Minute, hour, day of month, month, day of week, second, year: the least and the most.
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7), (0, 59), (1970, 2099))

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {
    3: {name: place + 1 for place, name in enumerate(MONTHS)},
    4: {name: place for place, name in enumerate(DAYS)},
}

#: Years that a rule may name end here.
LAST_YEAR = 2099

_ITEM = re.compile(r"(?:(\*)|(\d{1,4}|[a-z]{3})(?:-(\d{1,4}|[a-z]{3}))?)(?:/(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fields:
    """The values of each field, in order; None where it is any value. Sunday is 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    seconds: tuple[int, ...]
    years: tuple[int, ...] | None


@lru_cache(maxsize=16_384)
def read(expression: str) -> Fields | None:
    """The fields of an expression of 5, 6 or 7, None if it is not in the plain syntax."""
    texts = expression.lower().split()
    if not 5 <= len(texts) <= 7:
        return None
    found = [_values(place, text) for place, text in enumerate(texts)]
    if None in found:
        return None
    told = [tuple(sorted(each or ())) for each in found]
    weekdays = frozenset(each % 7 for each in told[4])
    # All days by another name than * stand beside the other field of days: either may hold.
    any_day = texts[2] == "*" or (len(told[2]) == 31 and "*" in texts[4])
    any_weekday = texts[4] == "*" or (len(weekdays) == 7 and "*" in texts[2])
    return Fields(
        minutes=told[0],
        hours=told[1],
        days=None if any_day else frozenset(told[2]),
        months=frozenset(told[3]),
        weekdays=None if any_weekday else weekdays,
        seconds=told[5] if len(told) > 5 else (0,),
        years=told[6] if len(told) > 6 and texts[6] != "*" else None,
    )


def _values(place: int, text: str) -> set[int] | None:
    low, high = LIMITS[place]
    found: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            return None
        star, begin, end, step = match.groups()
        if star and item != text:
            return None
        if star:
            first, last = low, high
        elif end is None and step is not None:
            return None
        else:
            first = _number(place, begin)
            last = first if end is None else _number(place, end)
            if end is not None and first >= last:
                return None
        every = 1 if step is None else int(step)
        if not low <= first <= last <= high or not 1 <= every <= last - first + 1:
            return None
        found.update(range(first, last + 1, every))
    return found


def _number(place: int, text: str) -> int:
    """The number of a digit or name, -1 if it is none of this field."""
    return int(text) if text.isdigit() else NAMES.get(place, {}).get(text, -1)


def walls(fields: Fields, start: datetime, *, day_or: bool, horizon: int) -> Iterator[datetime]:
    """The wall-clock times at or after `start`, in order, until none was for `horizon` years."""
    if start.microsecond:
        start = start.replace(microsecond=0) + timedelta(seconds=1)
    last = start.year
    years = range(start.year, 9999) if fields.years is None else fields.years
    for year in years:
        if fields.years is None and year - last > horizon:
            return
        for day in _days(fields, start, year, day_or=day_or):
            begin = start.hour * 3600 + start.minute * 60 + start.second if day <= start else 0
            for second in _times(fields, begin):
                last = year
                yield day + timedelta(seconds=second)


def _days(fields: Fields, start: datetime, year: int, *, day_or: bool) -> Iterator[datetime]:
    """The days of a year that the rule names, from that of `start` on."""
    if year < start.year:
        return
    for month in sorted(fields.months):
        if (year, month) < (start.year, start.month):
            continue
        weekday, length = monthrange(year, month)  # of its first day; Monday is 0
        first = start.day if (year, month) == (start.year, start.month) else 1
        for day in range(first, length + 1):
            if _fits(fields, day, (weekday + day) % 7, day_or=day_or):
                yield datetime(year, month, day)


def _fits(fields: Fields, day: int, weekday: int, *, day_or: bool) -> bool:
    if fields.days is None or fields.weekdays is None:
        in_days = fields.days is None or day in fields.days
        return in_days and (fields.weekdays is None or weekday in fields.weekdays)
    if day_or:
        return day in fields.days or weekday in fields.weekdays
    return day in fields.days and weekday in fields.weekdays


def _times(fields: Fields, begin: int) -> Iterator[int]:
    """The times of a day from `begin` on, as seconds."""
    for hour in fields.hours:
        if (hour + 1) * 3600 <= begin:
            continue
        for minute in fields.minutes:
            whole = hour * 3600 + minute * 60
            if whole + 60 <= begin:
                continue
            for second in fields.seconds:
                if whole + second >= begin:
                    yield whole + second
