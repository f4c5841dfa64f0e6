"""Schedules: when a deployment runs, as values that tell their next instants.

A new kind of schedule is one class here and its place in `Schedule`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from orion_nb.clock import EPOCH, micros, utc
from orion_nb.errors import InvalidInput, ScheduleError
from orion_nb.schemas import cron as crontab
from orion_nb.schemas import durations, instants, zones
from orion_nb.schemas.calendars import CalendarEvent
from orion_nb.schemas.kinds import MISSING, Instant, ScheduleKind, Zone, schedule_error
from orion_nb.schemas.recurring import RRule

Dst = Literal["once", "skip", "both"]

DAY = timedelta(days=1)
UNITS = {"h": "hour", "m": "minute", "s": "second", "ms": "millisecond", "us": "microsecond"}


def _every(value: Any) -> timedelta:
    try:
        every = durations.micros(value)
    except InvalidInput as error:
        raise ScheduleError(f"every: {error}", field="every") from None
    if not every:
        raise ScheduleError(f"every: {value!r} must be more than nothing", field="every")
    return timedelta(microseconds=every)


_Every = Annotated[
    timedelta,
    BeforeValidator(_every),
    PlainSerializer(
        lambda every: durations.text(durations.micros(every)), return_type=str, when_used="json"
    ),
    WithJsonSchema({"type": "string", "examples": ["15m", "1h30m"]}),
]


class Cron(ScheduleKind):
    """Runs when the clock on the wall in `timezone` agrees with a cron expression.

    Args:
        cron: five fields (minute hour day month weekday), six (… second) or seven (… second
            year), or an alias such as `@daily`.
        timezone: an IANA name.
        day_or: day of month *or* day of week is enough when both are given, unless one of them
            begins with `*`, as `*/2` does: then both must agree, as in crontab(5). False: both
            must agree in any case.
        dst: what a fixed time does when clocks change. `once`: a time that the change leaves out
            runs at the first instant after it, a time that comes twice runs the first time.
            `skip`: a time left out is skipped. `both`: a time that comes twice runs twice. A rule
            with `*` in hour or minute is not fixed: it runs whenever the clock agrees.
    """

    kind: Literal["cron"] = "cron"
    cron: Annotated[str, BeforeValidator(crontab.check)]
    timezone: Zone = "UTC"
    day_or: bool = True
    dst: Dst = "once"

    def __init__(
        self,
        cron: str = MISSING,
        timezone: str = "UTC",
        day_or: bool = True,
        dst: Dst = "once",
        **more: Any,
    ) -> None:
        super().__init__(cron=cron, timezone=timezone, day_or=day_or, dst=dst, **more)

    def _words(self) -> str:
        words, named = crontab.words(self.cron) or (self.cron, True)
        return f"{words} {self.timezone}" if named else words

    def _instants(self, after: datetime) -> Iterator[datetime]:
        zone = zones.zone(self.timezone)
        start = zones.earliest_wall(after, zone)
        walls = crontab.walls(self.cron, start, day_or=self.day_or)
        return instants.in_order(self._named(walls, zone), after)

    def _named(self, walls: Iterable[datetime], zone: ZoneInfo) -> Iterator[tuple[datetime, ...]]:
        """The instants of each time, until there was none for too many years."""
        wild = crontab.is_wild(self.cron)
        since: int | None = None
        for wall in walls:
            found = zones.occurrences(wall, zone)
            if not wild and not found and self.dst != "skip":
                found = (zones.first(wall, zone),)
            if not wild and self.dst != "both":
                found = found[:1]
            if found or since is None:
                since = wall.year
            if wall.year - since > crontab.HORIZON or wall.year not in instants.YEARS:
                return
            yield found


class Interval(ScheduleKind):
    """Runs at regular distances, exact to the microsecond.

    Whole days keep the time of day in `timezone`; all else is a distance in real time.

    Args:
        every: `"250ms"`, `"15m"`, `"1h30m"`, `"2d"`, a number of seconds or a timedelta.
        anchor: an instant that the grid goes through, in both directions; without an offset it is
            a time in `timezone`. By default the epoch, or local midnight for whole days.
        timezone: an IANA name.
    """

    kind: Literal["interval"] = "interval"
    every: _Every
    timezone: Zone = "UTC"
    anchor: Instant | None = None

    def __init__(
        self,
        every: str | float | timedelta = MISSING,
        anchor: datetime | str | None = None,
        timezone: str = "UTC",
        **more: Any,
    ) -> None:
        super().__init__(every=every, anchor=anchor, timezone=timezone, **more)

    @field_validator("anchor", mode="before")
    @classmethod
    def _read_anchor(cls, value: Any, info: ValidationInfo) -> datetime | None:
        return None if value is None else instants.read(value, "anchor", info.data["timezone"])

    def _words(self) -> str:
        if self.every % DAY:
            return f"every {_distance(durations.text(durations.micros(self.every)))}"
        days = "day" if self.every == DAY else f"{self.every // DAY} days"
        time = self._anchor_wall().time().isoformat()
        return f"every {days} at {time.removesuffix(':00')} {self.timezone}"

    def _instants(self, after: datetime) -> Iterator[datetime]:
        if not self.every % DAY:
            zone = zones.zone(self.timezone)
            named = ((zones.first(wall, zone),) for wall in self._walls(after, zone))
            return instants.in_order(named, after)
        every = durations.micros(self.every)
        anchor = 0 if self.anchor is None else micros(self.anchor)
        start = micros(after)
        start += (anchor - start) % every
        return map(utc, range(start, instants.END, every))

    def _walls(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """The wall-clock times on the grid of whole days, from the first that may name `after`."""
        anchor = self._anchor_wall()
        first = -((anchor - zones.earliest_wall(after, zone)) // self.every)
        last = (zones.wall(utc(instants.END), zone) - anchor) // self.every
        return (anchor + step * self.every for step in range(first, last + 1))

    def _anchor_wall(self) -> datetime:
        if self.anchor is None:
            return EPOCH.replace(tzinfo=None)
        return zones.wall(self.anchor, zones.zone(self.timezone))


class Once(ScheduleKind):
    """Runs once, at an instant: an aware datetime, or ISO 8601 with an offset or Z."""

    kind: Literal["once"] = "once"
    at: Instant

    def __init__(self, at: datetime | str = MISSING, **more: Any) -> None:
        super().__init__(at=at, **more)

    @classmethod
    def _zone_of(cls, told: Mapping[str, Any]) -> str | None:
        return None

    @field_validator("at", mode="before")
    @classmethod
    def _read_at(cls, value: Any) -> datetime:
        return instants.read(value, "at")

    def _words(self) -> str:
        return f"once at {self.at:%Y-%m-%d %H:%M:%S} UTC"

    def _instants(self, after: datetime) -> Iterator[datetime]:
        return iter((self.at,) if self.at >= after else ())


Schedule = Annotated[Cron | Interval | RRule | CalendarEvent | Once, Field(discriminator="kind")]

_SCHEDULE: TypeAdapter[Cron | Interval | RRule | CalendarEvent | Once] = TypeAdapter(Schedule)
_RRULE = re.compile(r"(DTSTART|RRULE|RDATE|EXDATE|EXRULE)[;:]|(?!TZ=)[A-Z]+\s*=", re.IGNORECASE)
_INSTANT = re.compile(r"\d{4}-", re.ASCII)
_EXAMPLES = "try '0 9 * * 1-5', '15m' or '2030-01-31T09:00Z'"


def parse_schedule(
    value: Mapping[str, Any] | str | Schedule, *, timezone: str | None = None
) -> Schedule:
    """The schedule that a value stands for.

    Args:
        value: a schedule; a mapping with its `kind`; or a text: a cron expression, a duration
            (`15m`: an interval), recurrence rules of RFC 5545 (`FREQ=WEEKLY;BYDAY=MO`) or an
            ISO 8601 instant (once).
        timezone: the zone in which to read a text; without it UTC.

    Raises:
        ScheduleError: the text names the field and what is wrong with it.
    """
    if isinstance(value, ScheduleKind):
        return value
    if isinstance(value, str):
        return _from_text(value.strip(), timezone)
    if not isinstance(value, Mapping):
        raise ScheduleError(f"{value!r} is not a schedule ({_EXAMPLES})")
    try:
        return _SCHEDULE.validate_python({str(name): value[name] for name in value})
    except ValidationError as error:
        raise schedule_error(error) from None


def parse_schedules(value: Any, *, timezone: str | None = None) -> tuple[Schedule, ...]:
    """The schedules that a value stands for: one, or several of them.

    `timezone` is as for `parse_schedule`.

    Raises:
        ScheduleError: as `parse_schedule`.
    """
    if isinstance(value, str | bytes | Mapping | ScheduleKind) or not isinstance(value, Iterable):
        value = (value,)
    return tuple(parse_schedule(each, timezone=timezone) for each in value)


def dump_schedule(schedule: Schedule) -> dict[str, Any]:
    """The schedule as JSON values, which `parse_schedule` reads back as the same schedule."""
    told = schedule.model_dump(mode="json")
    bounds = {name: told.pop(name) for name in ("starts", "ends")}
    return {**told, **{name: at for name, at in bounds.items() if at is not None}}


def within(schedule: Schedule, starts: Any, ends: Any, timezone: str | None = None) -> Schedule:
    """The schedule from a start on and until an end, where it names none itself.

    Args:
        schedule: what is to be cut off.
        starts: a date, a datetime or a text of ISO 8601, in the zone of the schedule if it has no
            offset; None for no start.
        ends: the same; a date alone is included.
        timezone: the zone of both where the schedule has none; for `Once` UTC by default.

    Raises:
        ScheduleError: one can't be read or has no zone, or they contradict.
    """
    given = {"starts": starts, "ends": ends}
    given = {name: at for name, at in given.items() if getattr(schedule, name) is None}
    given = {name: at for name, at in given.items() if at is not None}
    if not given:
        return schedule
    if schedule.zone is None:
        zone = timezone or ("UTC" if isinstance(schedule, Once) else None)
        given = {
            name: instants.bound(at, name, zone, last=name == "ends") for name, at in given.items()
        }
    return type(schedule)(**{**dict(schedule), **given})


def zone_of(schedules: Iterable[Schedule]) -> str:
    """The zone in which to show their times: that of the first that follows a clock, or UTC."""
    return next((zone for each in schedules if (zone := each.zone) and zone != "UTC"), "UTC")


def _from_text(text: str, timezone: str | None) -> Cron | Interval | RRule | CalendarEvent | Once:
    if _RRULE.match(text):
        return RRule(text, timezone=timezone)
    zone = timezone or "UTC"
    if text.startswith("@") or "*" in text or len(text.split()) >= 5:
        return Cron(text, timezone=zone)
    if _INSTANT.match(text):
        return Once(instants.read(text, "at", zone))
    try:
        durations.micros(text)
    except InvalidInput:
        raise ScheduleError(f"{text[:60]!r} is not a schedule ({_EXAMPLES})") from None
    return Interval(text, timezone=zone)


def _distance(text: str) -> str:
    """`15m` as `15 minutes`; what has several units stays as it is."""
    unit = UNITS.get(text.lstrip("0123456789"))
    if unit is None:
        return text
    count = text.rstrip("hmsu")
    return unit if count == "1" else f"{count} {unit}s"
