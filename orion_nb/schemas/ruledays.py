"""The days and times of a recurrence rule on the clock on the wall, stepped through in order.

Each step is a period of the rule (a year, a month, a week or a day), not an occurrence, and the
first is found by arithmetic: a rule that began long ago is as fast as one that begins today.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import groupby
from typing import TypeAlias

from orion_nb.schemas.instants import YEARS
from orion_nb.schemas.rrules import DAILY, HOURLY, MINUTELY, MONTHLY, WEEKLY, YEARLY, Rule

#: Seconds of a day, in order.
Times: TypeAlias = Sequence[int]
#: A day as its ordinal, with the times of an occurrence on it.
Day: TypeAlias = tuple[int, Times]

#: After so many periods in a row without an occurrence a rule is taken never to fire again: 41
#: years of days that BYDAY and its like allow, 287 years of weeks, 1,250 years of months.
MOST_EMPTY = 15_000

#: With an INTERVAL up to this it is tried on all days that differ whether there is a time at all.
MOST_PHASES = 400

_LAST = date(YEARS.stop - 1, 12, 31).toordinal()
_DAY_SECONDS = 86_400


class RuleDays:
    """The days of one rule that starts at `start`, a time on the wall."""

    def __init__(self, rule: Rule, start: datetime) -> None:
        self.rule = _completed(rule, start)
        self.start = start
        self.first = start.toordinal()
        self._begin = start.hour * 3600 + start.minute * 60 + start.second
        self._types: dict[tuple[int, bool, bool], list[list[int]]] = {}
        self._years: dict[int, tuple[int, list[list[int]], frozenset[int]]] = {}
        self._phases: dict[int, Times] = {}
        self._fixed = _product(self.rule) if self.rule.freq <= DAILY else ()

    def days(self, since: int) -> Iterator[Day]:
        """The days from `since` on with their times; the first is never before the start."""
        if self.rule.count is None:
            yield from self._from_start(max(since, self.first))
            return
        left = self.rule.count
        for day, times in self._from_start(self.first):
            times = times[:left]
            left -= len(times)
            if day >= since:
                yield day, times
            if not left:
                return

    def _from_start(self, since: int) -> Iterator[Day]:
        for day, times in self._all(since):
            if day < since:
                continue
            if day == self.first:
                times = times[bisect_left(times, self._begin) :]
            if times:
                yield day, times

    def _all(self, since: int) -> Iterator[Day]:
        """The days of every period from the one that `since` lies in."""
        if not self._ever():
            return
        empty = 0
        for period in self._periods(since):
            found = False
            for day in self._picked(period):
                found = True
                yield day
            empty = 0 if found else empty + 1
            if empty > MOST_EMPTY:
                return

    def _picked(self, days: Sequence[int]) -> Iterator[Day]:
        """The days of one period with their times, of which BYSETPOS may choose some."""
        if self.rule.freq > DAILY:
            yield from ((day, times) for day in days if (times := self._times(day)))
        elif not self.rule.bysetpos:
            yield from ((day, self._fixed) for day in days)
        else:
            size = len(self._fixed)
            places = _places(self.rule.bysetpos, len(days) * size)
            for place, group in groupby(places, lambda each: each // size):
                yield days[place], tuple(self._fixed[each % size] for each in group)

    # -- days ------------------------------------------------------------------------------------

    def _periods(self, since: int) -> Iterator[Sequence[int]]:
        """The days that the rule allows, by period, of the periods that INTERVAL names."""
        rule, began = self.rule, self.start
        day = date.fromordinal(min(since, _LAST))
        if rule.freq == YEARLY:
            for year in _phase(began.year, day.year, rule.interval, YEARS.stop - 1):
                base, months, _ = self._year(year)
                yield [base + each for month in months for each in month]
        elif rule.freq == MONTHLY:
            start, now = (each.year * 12 + each.month - 1 for each in (began, day))
            for month in _phase(start, now, rule.interval, YEARS.stop * 12 - 1):
                base, months, _ = self._year(month // 12)
                yield [base + each for each in months[month % 12]]
        elif rule.freq == WEEKLY:
            start, now = (self._week(each) for each in (self.first, since))
            for week in _phase(start, now, rule.interval, self._week(_LAST)):
                monday = week * 7 + 1 + rule.wkst
                yield [each for each in range(monday, monday + 7) if self._allows(each)]
        else:
            for each in self._every_day(since):
                yield [each] if self._allows(each) else []

    def _every_day(self, since: int) -> Iterator[int]:
        """Each day that an occurrence may lie on, as far as INTERVAL is concerned."""
        per_day = _per_day(self.rule.freq)
        interval = self.rule.interval
        if interval <= per_day:
            for year in range(date.fromordinal(min(since, _LAST)).year, YEARS.stop):
                base, months, _ = self._year(year)
                days = (base + each for month in months for each in month)
                yield from (day for day in days if day >= since)
            return
        begin = self._begin * per_day // _DAY_SECONDS
        step = max(0, -(-((since - self.first) * per_day - begin) // interval))
        while (day := self.first + (begin + step * interval) // per_day) <= _LAST:
            yield day
            step += 1

    def _week(self, day: int) -> int:
        """The number of the week that a day lies in; ordinal 1 is a Monday."""
        return (day - 1 - self.rule.wkst) // 7

    def _allows(self, day: int) -> bool:
        base, _, allowed = self._year(date.fromordinal(day).year if day > 0 else 1)
        return day - base in allowed

    def _ever(self) -> bool:
        """Some kind of year has a day that the rule allows, and some day a time."""
        if not any(any(self._year(year)[1]) for year in range(1996, 2024)):
            return False
        days = range(self.first, self.first + min(self.rule.interval, MOST_PHASES))
        return (
            self.rule.freq <= DAILY
            or self.rule.interval > MOST_PHASES
            or any(self._times(day) for day in days)
        )

    def _year(self, year: int) -> tuple[int, list[list[int]], frozenset[int]]:
        """The ordinal before 1 January, and the days of the year allowed, by month and at once."""
        found = self._years.get(year)
        if found is None:
            base = date(year, 1, 1).toordinal() - 1
            kind = (base % 7, _leap(year), _leap(year - 1))
            months = self._types.get(kind)
            if months is None:
                months = self._types[kind] = self._months(year)
            found = base, months, frozenset(each for month in months for each in month)
            self._years[year] = found
        return found

    def _months(self, year: int) -> list[list[int]]:
        """The days of the year that each BY… part allows, by month."""
        rule = self.rule
        length = 365 + _leap(year)
        starts = [date(year, month, 1).toordinal() for month in range(1, 13)]
        base = starts[0] - 1
        ends = [*starts[1:], base + length + 1]
        months: list[list[int]] = []
        for month, (begin, end) in enumerate(zip(starts, ends, strict=True), 1):
            days = range(begin - base, end - base) if month in (rule.bymonth or (month,)) else ()
            months.append([day for day in days if self._fits(year, base, length, day, days)])
        return months

    def _fits(self, year: int, base: int, length: int, day: int, month: Sequence[int]) -> bool:
        rule = self.rule
        if rule.bymonthday and not _in(rule.bymonthday, day - month[0], len(month)):
            return False
        if rule.byyearday and not _in(rule.byyearday, day - 1, length):
            return False
        if rule.byweekno and not _in_week(rule, base + day):
            return False
        if not rule.byday:
            return True
        whole_year = rule.freq == YEARLY and not rule.bymonth
        place, size = (day - 1, length) if whole_year else (day - month[0], len(month))
        weekday = (base + day - 1) % 7
        nth = (0, place // 7 + 1, -((size - 1 - place) // 7) - 1)
        return any(wanted == weekday and ordinal in nth for ordinal, wanted in rule.byday)

    # -- times -----------------------------------------------------------------------------------

    def _times(self, day: int) -> Times:
        """The times of a day, for a rule whose period is shorter than a day."""
        per_day = _per_day(self.rule.freq)
        begin = self._begin * per_day // _DAY_SECONDS
        phase = (begin - (day - self.first) * per_day) % self.rule.interval
        if phase >= per_day:
            return ()
        found = self._phases.get(phase)
        if found is None:
            found = self._phases[phase] = self._of_phase(range(phase, per_day, self.rule.interval))
        return found

    def _of_phase(self, units: range) -> Times:
        rule = self.rule
        hours, minutes, seconds = (
            frozenset(each) for each in (rule.byhour, rule.byminute, rule.bysecond)
        )
        if rule.freq == HOURLY:
            inner = [m * 60 + s for m in rule.byminute for s in rule.bysecond]
            starts = [unit * 3600 for unit in units if not hours or unit in hours]
        elif rule.freq == MINUTELY:
            inner = list(rule.bysecond)
            starts = [
                unit * 60
                for unit in units
                if (not hours or unit // 60 in hours) and (not minutes or unit % 60 in minutes)
            ]
        else:
            if not (hours or minutes or seconds or rule.bysetpos):
                return units
            inner = [0]
            starts = [
                unit
                for unit in units
                if (not hours or unit // 3600 in hours)
                and (not minutes or unit // 60 % 60 in minutes)
                and (not seconds or unit % 60 in seconds)
            ]
        if rule.bysetpos:
            inner = [inner[place] for place in _places(rule.bysetpos, len(inner))]
        return tuple(start + each for start in starts for each in inner)


def _completed(rule: Rule, start: datetime) -> Rule:
    """What the rule does not say, its start does (RFC 5545 section 3.3.10)."""
    told: dict[str, tuple[int, ...] | tuple[tuple[int, int], ...]] = {}
    names_days = rule.byday or rule.bymonthday or rule.byyearday
    named_week = rule.freq == YEARLY and rule.byweekno
    if (rule.freq == WEEKLY and not rule.byday) or (named_week and not names_days):
        told["byday"] = ((0, start.weekday()),)
    elif rule.freq in (YEARLY, MONTHLY) and not names_days:
        told["bymonthday"] = (start.day,)
        if rule.freq == YEARLY and not rule.bymonth:
            told["bymonth"] = (start.month,)
    for place, (name, value) in enumerate(
        (("byhour", start.hour), ("byminute", start.minute), ("bysecond", start.second))
    ):
        if not getattr(rule, name) and rule.freq < HOURLY + place:
            told[name] = (value,)
    return replace(rule, **told)  # type: ignore[arg-type]


def _product(rule: Rule) -> Times:
    return tuple(
        hour * 3600 + minute * 60 + second
        for hour in rule.byhour
        for minute in rule.byminute
        for second in rule.bysecond
    )


def _phase(start: int, now: int, interval: int, last: int) -> range:
    """The numbers from `now` on that lie whole intervals from `start`, never before it."""
    return range(start + max(0, -(-(now - start) // interval)) * interval, last + 1, interval)


def _places(positions: Sequence[int], size: int) -> list[int]:
    """The places in a set of this size that BYSETPOS names, in order."""
    found = {each - 1 if each > 0 else size + each for each in positions}
    return sorted(each for each in found if 0 <= each < size)


def _per_day(freq: int) -> int:
    """Periods in a day."""
    return (1, 24, 1440, _DAY_SECONDS)[max(0, freq - DAILY)]


def _in(wanted: Sequence[int], place: int, size: int) -> bool:
    return place + 1 in wanted or place - size in wanted


def _in_week(rule: Rule, day: int) -> bool:
    """The week that the day lies in has a wanted number: the first has four days of the year."""
    week = (day - 1 - rule.wkst) // 7
    year = date.fromordinal(week * 7 + 4 + rule.wkst).year  # of its fourth day
    first, after = (
        (date(each, 1, 4).toordinal() - 1 - rule.wkst) // 7 for each in (year, year + 1)
    )
    return _in(rule.byweekno, week - first, after - first)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
