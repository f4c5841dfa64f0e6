"""What every kind of schedule has: how it is asked for its instants, and how it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

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
    """What every kind of schedule can be asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        end = None if until is None else instants.read(until, "until")
        return instants.take(self._instants(instants.read(after, "after")), n, end)

    @abstractmethod
    def describe(self) -> str:
        """The schedule in short words."""

    @abstractmethod
    def _instants(self, after: datetime) -> Iterator[datetime]:
        """Every instant at or after `after`, in order and each once."""


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
