"""What every kind of schedule has: how it is asked for its instants, and how it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from orion_nb.clock import iso, micros
from orion_nb.errors import ScheduleError
from orion_nb.schemas import instants, zones

MISSING: Any = object()

KINDS = ("cron", "interval", "rrule", "ics", "once")


def _zone_name(name: object) -> str:
    return zones.zone(name).key


Zone = Annotated[str, BeforeValidator(_zone_name)]
Instant = Annotated[
    datetime, PlainSerializer(lambda at: iso(micros(at)), return_type=str, when_used="json")
]


class ScheduleKind(BaseModel, ABC):
    """What every kind of schedule can be asked.

    Args:
        starts: it names no instant before this one. Without an offset it is a time in `timezone`;
            a date alone is the midnight with which that day begins.
        ends: it names no instant after this one; a date alone is the end of that day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    starts: Instant | None = None
    ends: Instant | None = None

    def __init__(self, **data: Any) -> None:
        given = {name: value for name, value in data.items() if value is not MISSING}
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise schedule_error(error) from None

    def upcoming(
        self, after: datetime, *, n: int | None = None, until: datetime | None = None
    ) -> list[datetime]:
        """The instants of the schedule from `after` up to `until`, both included, in order.

        Args:
            after: an aware datetime.
            n: give at most so many; 1 when `until` is not given either.
            until: an aware datetime; no end when only `n` is given.

        Returns:
            Aware datetimes in UTC, each once; empty when the schedule does not fire any more
            (a rule that would not fire for 50 years is taken never to).

        Raises:
            ScheduleError: a datetime has no time zone or lies outside the years 1900 to 8999; or
                there are more than 10,000 instants to tell: give a smaller `n` or span.
        """
        n = 1 if n is None and until is None else n
        start = instants.read(after, "after")
        end = None if until is None else instants.read(until, "until")
        if self.starts is not None:
            start = max(start, self.starts)
        if self.ends is not None:
            end = self.ends if end is None else min(end, self.ends)
            if start > end:
                return instants.take((), n, end)
        return instants.take(self._instants(start), n, end)

    @property
    def zone(self) -> str | None:
        """The IANA name of the zone whose clock it follows; None if it follows none."""
        return self._zone_of(dict(self))

    def describe(self) -> str:
        """The schedule in short words."""
        zone = zones.zone(self.zone or "UTC")
        told = self._words()
        if self.starts is not None:
            told += f", from {_shown(self.starts.astimezone(zone), time.min)}"
        if self.ends is not None:
            told += f", until {_shown(self.ends.astimezone(zone), time.max)}"
        return told

    @model_validator(mode="before")
    @classmethod
    def _read_bounds(cls, told: Any) -> Any:
        if not isinstance(told, Mapping) or told.get("starts") is told.get("ends") is None:
            return told
        zone = cls._zone_of(told)
        bounds = {
            name: instants.bound(told[name], name, zone, last=name == "ends")
            for name in ("starts", "ends")
            if told.get(name) is not None
        }
        if len(bounds) == 2 and bounds["starts"] > bounds["ends"]:
            message = f"ends: {told['ends']} is before starts, {told['starts']}"
            raise ScheduleError(message, field="ends")
        return {**told, **bounds}

    @classmethod
    def _zone_of(cls, told: Mapping[str, Any]) -> str | None:
        """The zone that its fields name, in which `starts` and `ends` without offset are read."""
        return str(told.get("timezone") or "UTC")

    @abstractmethod
    def _words(self) -> str:
        """When it runs, in short words; from when and until when is not among them."""

    @abstractmethod
    def _instants(self, after: datetime) -> Iterator[datetime]:
        """Every instant at or after `after`, in order and each once."""


def _shown(at: datetime, of_day: time) -> str:
    """A moment as exact as it is; one at this time of the day is that day."""
    if at.time() == of_day:
        return f"{at:%Y-%m-%d}"
    exact = "minutes" if at.time() == at.time().replace(second=0, microsecond=0) else "auto"
    return f"{at.replace(tzinfo=None).isoformat(' ', exact)} {at:%Z}"


def schedule_error(error: ValidationError) -> ScheduleError:
    """The first thing that pydantic found, in words that name the field and the value."""
    first = error.errors(include_url=False)[0]
    *most, last = map(repr, KINDS)
    kinds = f"kind: a schedule is of kind {', '.join(most)} or {last}"
    field = str(first["loc"][-1]) if first["loc"] else "kind"
    match first["type"]:
        case "union_tag_not_found":
            return ScheduleError(f"{kinds}; none is given", field="kind")
        case "union_tag_invalid":
            return ScheduleError(f"{kinds}, got {first['input'].get('kind')!r}", field="kind")
        case "missing":
            return ScheduleError(f"{field}: a value is required", field=field)
        case "extra_forbidden":
            return ScheduleError(f"{field}: there is no such field", field=field)
    asked = first["msg"] if first["type"] == "literal_error" else first["msg"].split(",")[0]
    return ScheduleError(f"{field}: {asked}, got {first['input']!r}", field=field)
