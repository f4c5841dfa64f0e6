"""Recurrence sets of RFC 5545: a start, rules, dates to add and to leave out, as instants.

A local time that clocks skip is read with the offset before the change, and one that they show
twice is the first (section 3.3.5).
"""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property

from orion_nb.errors import ScheduleError
from orion_nb.schemas import icaltimes, rrules
from orion_nb.schemas.icaltimes import Property
from orion_nb.schemas.instants import YEARS
from orion_nb.schemas.rrules import Rule
from orion_nb.schemas.ruledays import MOST_EMPTY, RuleDays, Times

#: Zones that changed the side of the date line skipped a day.
LONGEST_GAP = timedelta(hours=25)

#: At most so many rules, to add and to leave out, make a set.
MOST_RULES = 10

#: Of so many kinds of days it is remembered what EXRULE leaves of them.
MOST_KNOWN = 128

#: To look a rule up at another day costs as much as to pass over so many.
REOPENED = 20

#: From the name of a zone, as TZID gives it, to the zone.
FindZone = Callable[[str], tzinfo]


@dataclass(frozen=True)
class Recurrence:
    """A recurrence set. `start` is what the clock in `zone` shows; `whole_day` if it is a date.

    `added` and `dropped` are instants, `dropped_days` days in `zone`. With `with_start` the start
    is an occurrence even when no rule names it, as an event in a calendar is.
    """

    start: datetime
    zone: tzinfo
    whole_day: bool = False
    rules: tuple[Rule, ...] = ()
    without: tuple[Rule, ...] = ()
    added: tuple[datetime, ...] = ()
    dropped: frozenset[datetime] = frozenset()
    dropped_days: frozenset[date] = frozenset()
    with_start: bool = False

    def instants(self, after: datetime) -> Iterator[datetime]:
        """Every occurrence at or after `after`, in UTC, in order and each once."""
        streams = [self._of_rule(days, after) for days in self._days]
        alone = [*self.added, *([self.instant(self.start)] if self.with_start else ())]
        streams.append(iter(self._left(at for at in alone if at >= after)))
        last: datetime | None = None
        for at in heapq.merge(*streams):
            if at != last and not self._is_dropped(at):
                yield at
            last = at

    def instant(self, wall: datetime) -> datetime:
        """The instant that a local time names."""
        return wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC)

    def wall(self, at: datetime) -> datetime:
        """What the clock of the set shows at an instant."""
        return at.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _left(self, alone: Iterable[datetime]) -> list[datetime]:
        """What EXRULE leaves of the instants that no rule names, in order."""
        told = sorted(alone)
        if not self.without or not told:
            return told
        walls = sorted((self.wall(at), at) for at in told)
        without = _Without(self, walls[0][0].toordinal())
        return sorted(
            at
            for wall, at in walls
            if self.instant(wall) != at or without.leave(wall.toordinal(), (_second(wall),))
        )

    def _is_dropped(self, at: datetime) -> bool:
        if at in self.dropped:
            return True
        return bool(self.dropped_days) and self.wall(at).date() in self.dropped_days

    @cached_property
    def _days(self) -> tuple[RuleDays, ...]:
        return tuple(RuleDays(rule, self.start) for rule in self.rules)

    @cached_property
    def days_without(self) -> tuple[RuleDays, ...]:
        return tuple(RuleDays(rule, self.start) for rule in self.without)

    def _of_rule(self, rule: RuleDays, after: datetime) -> Iterator[datetime]:
        """The occurrences of one rule. In a gap a later time may be an earlier instant."""
        waiting: list[datetime] = []
        until = rule.rule.until
        exact = until if isinstance(until, datetime) and until.tzinfo else None
        for wall in self._walls(rule, self._earliest(after)):
            at = self.instant(wall)
            sure = min(at, wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC))
            while waiting and waiting[0] <= sure:
                yield heapq.heappop(waiting)
            if at >= after and (exact is None or at <= exact):
                heapq.heappush(waiting, at)
        yield from sorted(waiting)

    def _earliest(self, after: datetime) -> datetime:
        """No local time before this one names `after` or a later instant, not even in a gap."""
        return (after.replace(tzinfo=None) + min(self._offsets(after))).replace(microsecond=0)

    def _offsets(self, at: datetime) -> tuple[timedelta, timedelta]:
        """The offsets at an instant, and before a change that may just have been."""
        now, before = (each.astimezone(self.zone).utcoffset() for each in (at, at - LONGEST_GAP))
        return now or timedelta(), before or timedelta()

    def _walls(self, rule: RuleDays, since: datetime) -> Iterator[datetime]:
        """The local times of a rule from `since` on, up to UNTIL, without those of EXRULE."""
        last = self.last_wall(rule.rule.until)
        first, begin = since.toordinal(), _second(since)
        without = _Without(self, first) if self.without else None
        empty = 0
        for day, times in rule.days(first):
            start = datetime.fromordinal(day)
            if start > last:
                return
            if without:
                times = without.leave(day, times)
                empty = 0 if times else empty + without.cost
                if empty > MOST_EMPTY:
                    return
            if day == first:
                times = times[bisect_left(times, begin) :]
            for second in times:
                wall = start + timedelta(seconds=second)
                if wall > last:
                    return
                yield wall

    def last_wall(self, until: date | datetime | None, *, exact: bool = False) -> datetime:
        """The last local time that UNTIL may allow."""
        if until is None:
            return datetime(YEARS.stop, 1, 1)
        if self.whole_day or not isinstance(until, datetime):  # a day begins at midnight
            return _midnight(until)
        if until.tzinfo is None:
            return until
        until = until.astimezone(UTC)
        return self.wall(until) if exact else until.replace(tzinfo=None) + max(self._offsets(until))


class _Without:
    """What EXRULE leaves of the times of a day; asked day by day, in rising order."""

    def __init__(self, whole: Recurrence, since: int) -> None:
        self._streams = [
            _Ahead(days, since, whole.last_wall(days.rule.until, exact=True))
            for days in whole.days_without
        ]
        self._known: dict[tuple[int, ...], tuple[list[Times], Times]] = {}
        #: What the last answer cost, in days that are looked at.
        self.cost = 1

    def leave(self, day: int, times: Times) -> Times:
        gone = [stream.of(day) for stream in self._streams]
        key = (id(times), *map(id, gone))  # days alike share their times; those kept stay alive
        known = self._known.get(key)
        self.cost = 4 + sum(stream.passed for stream in self._streams)
        if known is None:
            self.cost += (len(times) + sum(map(len, gone))) // 8
            out = frozenset().union(*gone)
            known = [times, *gone], tuple(each for each in times if each not in out)
            if len(self._known) < MOST_KNOWN:
                self._known[key] = known
        return known[1]


class _Ahead:
    """Days of a rule up to a local time, looked up in rising order."""

    def __init__(self, rule: RuleDays, since: int, last: datetime) -> None:
        self._rule = rule
        self._days = rule.days(since)
        self._next = next(self._days, None)
        self._last = (last.toordinal(), _second(last))
        #: What the last look-up cost, in days that it passed over.
        self.passed = 0

    def of(self, day: int) -> Times:
        self.passed = 0
        if self._next is not None and day - self._next[0] > 7 and self._rule.rule.count is None:
            self._days = self._rule.days(day)
            self._next = next(self._days, None)
            self.passed = REOPENED
        while self._next is not None and self._next[0] < day:
            self._next = next(self._days, None)
            self.passed += 1
        if self._next is None or self._next[0] != day or day > self._last[0]:
            return ()
        times = self._next[1]
        return times if day < self._last[0] else times[: bisect_right(times, self._last[1])]


def _second(wall: datetime) -> int:
    return wall.hour * 3600 + wall.minute * 60 + wall.second


def build(
    properties: Sequence[Property], find_zone: FindZone, local: tzinfo, *, with_start: bool,
    utc_is: tzinfo = UTC,
) -> Recurrence:  # fmt: skip
    """The set that DTSTART, RRULE, RDATE, EXDATE and EXRULE make.

    Args:
        properties: of these names; others are passed over.
        find_zone: from a TZID to its zone.
        local: the zone of times that name none, and of dates.
        with_start: the start is an occurrence in any case.
        utc_is: the zone in which a rule runs whose start is in UTC.

    Raises:
        ScheduleError: a value can't be read, or there are more rules than can be honoured.
    """
    starts = [each for each in properties if each.name == "DTSTART"]
    if len(starts) != 1:
        raise rrules.wrong(f"there must be one DTSTART, got {len(starts)}")
    start = icaltimes.read(starts[0].value, "DTSTART")
    zone = _zone_of(starts[0], start, find_zone, local, utc_is)
    whole_day = not isinstance(start, datetime)
    wall = _midnight(start) if not isinstance(start, datetime) else start
    wall = wall.astimezone(zone).replace(tzinfo=None) if wall.tzinfo else wall
    if wall.year not in YEARS:
        raise rrules.wrong(f"DTSTART: the year must be 1900 to 8999, got {wall.year}")

    def instants(name: str) -> Iterator[datetime | date]:
        for each in properties:
            if each.name == name:
                yield from values(each, zone, find_zone)

    dropped = list(instants("EXDATE"))
    exact = {at for at in dropped if isinstance(at, datetime)}
    days = {at for at in dropped if not isinstance(at, datetime)}
    if whole_day:  # some programs leave out a day by a time on it
        days = {day for told in properties if told.name == "EXDATE" for day in dates(told, zone)}
    added = tuple(
        at if isinstance(at, datetime)
        else datetime.combine(at, wall.time()).replace(tzinfo=zone).astimezone(UTC)
        for at in instants("RDATE")
    )  # fmt: skip
    rules, without = (_rules(properties, name) for name in ("RRULE", "EXRULE"))
    over = [rule.until and _before(rule.until, wall, zone) for rule in rules]
    with_start = with_start and not (over and all(over))
    if len(rules) + len(without) > MOST_RULES:
        raise rrules.wrong(f"more than {MOST_RULES} rules in one set")
    return Recurrence(
        wall.replace(fold=0), zone, whole_day, rules, without, added, frozenset(exact),
        frozenset(days), with_start or not (rules or added),
    )  # fmt: skip


def _before(until: date | datetime, start: datetime, zone: tzinfo) -> bool:
    """The rule has ended before its start."""
    if not isinstance(until, datetime):
        return until < start.date()
    return (until.astimezone(zone).replace(tzinfo=None) if until.tzinfo else until) < start


def _rules(properties: Sequence[Property], name: str) -> tuple[Rule, ...]:
    return tuple(rrules.read(each.value) for each in properties if each.name == name)


def _zone_of(
    start: Property, value: date, find_zone: FindZone, local: tzinfo, utc_is: tzinfo
) -> tzinfo:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return utc_is
    name = start.parameters.get("TZID")
    if name is None:
        return local
    try:
        return find_zone(name)
    except ScheduleError:
        if isinstance(value, datetime):
            raise
        return local  # a day needs no zone, but some programs say in which one it begins


def values(told: Property, zone: tzinfo, find_zone: FindZone) -> Iterator[datetime | date]:
    """The instants (in UTC) and the dates that RDATE or EXDATE lists; of a period its start."""
    name = told.parameters.get("TZID")
    local = find_zone(name) if name else zone
    for text in told.value.split(","):
        if not text.strip():
            continue
        value = icaltimes.read(text.partition("/")[0], told.name)
        if value.year not in YEARS:
            continue  # nobody asks for it
        if not isinstance(value, datetime) or value.tzinfo is not None:
            yield value
        else:
            yield value.replace(tzinfo=local).astimezone(UTC)


def dates(told: Property, zone: tzinfo) -> Iterator[date]:
    """The days that RDATE, EXDATE or RECURRENCE-ID names, whatever time it gives."""
    for text in filter(None, told.value.split(",")):
        value = icaltimes.read(text.partition("/")[0], told.name)
        if value.year not in YEARS:
            continue
        if isinstance(value, datetime):
            yield (value.astimezone(zone) if value.tzinfo else value).date()
        else:
            yield value


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def iana(name: str) -> tzinfo:
    """The zone of an IANA name, for texts that carry no zones of their own.

    Raises:
        ScheduleError: there is none of this name.
    """
    from orion_nb.schemas import zones

    try:
        return zones.zone(name.lstrip("/"))
    except ScheduleError as error:
        raise rrules.wrong(str(error).replace("timezone:", "TZID:", 1)) from None
