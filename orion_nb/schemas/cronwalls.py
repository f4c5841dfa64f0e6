"""The times on the wall that a cron expression names, stepped through day by day."""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import datetime, timedelta

from orion_nb.schemas.cronfields import Fields, Named


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
    for month in fields.months:
        if (year, month) < (start.year, start.month):
            continue
        first = start.day if (year, month) == (start.year, start.month) else 1
        for day in _of_month(fields, *monthrange(year, month), day_or=day_or):
            if day >= first:
                yield datetime(year, month, day)


def _of_month(fields: Fields, begins: int, length: int, *, day_or: bool) -> list[int]:
    """The days of a month that begins on this weekday (Monday is 0) and is so long."""
    every = range(1, length + 1)
    days = None if fields.days is None else _by_number(fields.days, begins, length)
    weekdays = None if fields.weekdays is None else _by_weekday(fields.weekdays, begins, length)
    if days is None or weekdays is None:
        told = days if weekdays is None else weekdays
        return list(every) if told is None else sorted(told)
    either = day_or and not fields.agree
    return sorted(days | weekdays if either else days & weekdays)


def _by_number(named: Named, begins: int, length: int) -> set[int]:
    found = {day for day in named.values if day <= length}
    found.update(length - back for back in named.from_end if back < length)
    return found | {_nearest(day, begins, length) for day in named.nearest}


def _nearest(day: int, begins: int, length: int) -> int:
    """The weekday nearest to a day, or to the last of a shorter month, within the month."""
    day = min(day, length)
    weekday = (begins + day - 1) % 7
    if weekday == 5:
        return day - 1 if day > 1 else 3
    if weekday == 6:
        return day + 1 if day < length else day - 2
    return day


def _by_weekday(named: Named, begins: int, length: int) -> set[int]:
    found = {day for day in range(1, length + 1) if (begins + day) % 7 in named.values}
    for weekday, count in named.nth:
        place = 1 + (weekday - begins - 1) % 7  # the first one of the month
        day = place + (length - place) // 7 * 7 if count < 0 else place + (count - 1) * 7
        if day <= length:
            found.add(day)
    return found


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
