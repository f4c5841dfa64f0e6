"""Cron expressions read: what each field of one names, as numbers and as days of a month."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from orion_nb.schemas.values import frozen

#: Minute, hour, day of month, month, day of week (Sunday is 0, and may be 7), second, year: the
#: least and the most.
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6), (0, 59), (1970, 2099))
DAY, MONTH, WEEKDAY, YEAR = 2, 3, 4, 6

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {
    MONTH: {name: place + 1 for place, name in enumerate(MONTHS)},
    WEEKDAY: {name: place for place, name in enumerate(DAYS)},
}

_VALUE = r"(\d{1,4}|[a-z]{3})"
_ITEM = re.compile(rf"(?:(\*)|{_VALUE}(?:-(?:{_VALUE}|(l)))?)(?:/(\d{{1,4}}))?", re.ASCII)
_FROM_END = re.compile(r"l(?:-(\d{1,2}))?", re.ASCII)
_NEAREST = re.compile(r"(\d{1,2})w|w(\d{1,2})|lw", re.ASCII)
_NTH = re.compile(r"(.+)#([1-5l])", re.ASCII)
_LAST = re.compile(r"l(\d|[a-z]{3})|(\d|[a-z]{3})l", re.ASCII)


@frozen
class Named:
    """What one field names. Only a field of days has more than `values`.

    `from_end` are days before the last of the month (0: the last), `nearest` the days whose nearest
    weekday is meant, `nth` pairs of a weekday and its place in the month, -1 for the last. `star`
    if it is `*` or has it in a list.
    """

    values: frozenset[int] = frozenset()
    from_end: frozenset[int] = frozenset()
    nearest: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()
    star: bool = False

    def is_plain(self) -> bool:
        return not (self.from_end or self.nearest or self.nth)


@frozen
class Fields:
    """What each field names: numbers in order, or None where it is any. Sunday is 0.

    With `agree` a day must be named by both fields of days; else by one of them, if both are given.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Named | None
    months: tuple[int, ...]
    weekdays: Named | None
    seconds: tuple[int, ...]
    years: tuple[int, ...] | None
    agree: bool = False


@lru_cache(maxsize=16_384)
def read(expression: str) -> Fields | None:
    """The fields of an expression of 5, 6 or 7 with single spaces; None if one can't be read."""
    texts = expression.split(" ")
    if not 5 <= len(texts) <= 7:
        return None
    found = []
    for place, text in enumerate(texts):
        named = field(place, text)
        if named is None:
            return None
        found.append(named)
    days, weekdays = found[DAY], found[WEEKDAY]
    told = [tuple(sorted(each.values)) for each in found]
    # As crontab(5) has it, a field of days that begins with * restricts the other one. All days by
    # another name than * stand beside the other field: either may hold.
    any_day = days.star or (len(days.values) == 31 and weekdays.star)
    any_weekday = weekdays.star or (len(weekdays.values) == 7 and days.star)
    return Fields(
        minutes=told[0],
        hours=told[1],
        days=None if any_day else days,
        months=told[MONTH],
        weekdays=None if any_weekday else weekdays,
        seconds=told[5] if len(told) > 5 else (0,),
        years=told[YEAR] if len(told) > YEAR and not found[YEAR].star else None,
        agree=texts[DAY].startswith("*") or texts[WEEKDAY].startswith("*"),
    )


def field(place: int, text: str) -> Named | None:
    """What a field names, None if it can't be read; `place` is its place in the expression."""
    text = text.lower()
    if text == "?" and place in (DAY, WEEKDAY):  # Quartz: not this field, but the other of days
        text = "*"
    found = Named()
    for item in text.split(","):
        if (values := _values(place, item)) is not None:
            star = found.star or item == "*"
            found = replace(found, values=found.values | values, star=star)
        elif (special := _special(place, item)) is not None:
            found = replace(
                found,
                from_end=found.from_end | special.from_end,
                nearest=found.nearest | special.nearest,
                nth=found.nth | special.nth,
            )
        else:
            return None
    return found


def _values(place: int, item: str) -> frozenset[int] | None:
    """The values of a number, a name, `*`, a range (which may wrap) or steps over these."""
    match = _ITEM.fullmatch(item)
    low, high = LIMITS[place]
    if match is None:
        return None
    star, begin, end, to_last, step = match.groups()
    if to_last and place != DAY:
        return None
    if star:
        first, last = low, high
    else:
        first = _number(place, begin)
        last = high if step or to_last else first  # 5/15 is 5-59/15, 29-L is 29-31
        last = 7 if step and place == WEEKDAY else last  # 1/2 is Monday to Sunday
        last = last if end is None else _number(place, end)
    if first < 0 or last < 0 or step in ("0", "00", "000", "0000"):
        return None
    if place == WEEKDAY and first == 7:
        first, last = 0, last % 7
    every = range(first, last + 1)
    if first <= last:
        told = list(every)
    elif place == YEAR:
        return None
    else:
        told = [*range(first, high + 1), *range(low, last + 1)]
    return frozenset(each % 7 if place == WEEKDAY else each for each in told[:: int(step or 1)])


def _number(place: int, text: str) -> int:
    """The number of digits or a name, -1 if it is none of this field. A Sunday may be 7."""
    if not text.isdigit():
        return NAMES.get(place, {}).get(text, -1)
    low, high = LIMITS[place]
    return int(text) if low <= int(text) <= high + (place == WEEKDAY) else -1


def _special(place: int, item: str) -> Named | None:
    """The days that are told by their place in a month: `L`, `L-3`, `15W`, `LW`; `1#2`, `5L`."""
    if place == DAY:
        if match := _FROM_END.fullmatch(item):
            back = int(match[1] or 0)
            return Named(from_end=frozenset({back})) if back < 31 else None
        if match := _NEAREST.fullmatch(item):
            day = int(match[1] or match[2] or 31)
            return Named(nearest=frozenset({day})) if 1 <= day <= 31 else None
    if place == WEEKDAY:
        nth = _NTH.fullmatch(item)
        last = _LAST.fullmatch(item)
        which = nth[1] if nth else last and (last[1] or last[2])
        weekdays = _values(place, which) if which and "/" not in which else None
        if weekdays is not None and which != "*":
            count = int(nth[2]) if nth and nth[2] != "l" else -1
            return Named(nth=frozenset((weekday, count) for weekday in weekdays))
    return None
