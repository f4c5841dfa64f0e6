"""Instants asked of a schedule: read from what is given, bounded in number, put in order."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orion_nb.clock import micros, utc
from orion_nb.errors import ScheduleError
from orion_nb.schemas import zones

#: At most so many instants are told at once.
MOST = 10_000

#: Years within which an instant must lie, and the microsecond after them.
YEARS = range(1900, 9000)
END = micros(datetime(YEARS.stop, 1, 1, tzinfo=UTC))

_DAY = re.compile(r"\s*\d{4}-?\d\d-?\d\d\s*", re.ASCII)


def read(value: Any, field: str, timezone: str | None = None) -> datetime:
    """The value as an aware datetime in UTC.

    Args:
        value: a datetime, or a text in ISO 8601.
        field: what the value is called in errors.
        timezone: the zone of a value without offset; when it is None, there must be an offset.

    Raises:
        ScheduleError: it is no date and time, has no time zone, or lies in an impossible year.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            message = f"{field}: {value[:60]!r} is not a date and time (try 2030-01-31T09:00Z)"
            raise ScheduleError(message, field=field) from None
    if not isinstance(value, datetime):
        raise ScheduleError(f"{field}: {value!r} is not a date and time", field=field)
    if value.year not in YEARS:
        raise ScheduleError(f"{field}: the year must be 1900 to 8999, got {value}", field=field)
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    if timezone is None:
        message = f"{field}: {value} has no time zone (end it with Z or an offset such as +02:00)"
        raise ScheduleError(message, field=field)
    return zones.first(value, zones.zone(timezone))


def bound(value: Any, field: str, timezone: str | None, *, last: bool = False) -> datetime:
    """The first instant that a value means, or the `last`: a date alone means all of that day.

    Args:
        value: a date or datetime, or a text in ISO 8601.
        field: what the value is called in errors.
        timezone: the zone of a value without offset; when it is None, there must be an offset.
        last: for 2030-01-31 the last microsecond of that day, instead of its midnight.

    Raises:
        ScheduleError: as `read`.
    """
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    if is_day:
        value = value.isoformat()
    is_day = is_day or (isinstance(value, str) and _DAY.fullmatch(value) is not None)
    found = read(value, field, timezone)
    if not (is_day and last and timezone):
        return found
    midnight = datetime.fromisoformat(value.strip()) + timedelta(days=1)
    return zones.first(midnight, zones.zone(timezone)) - zones.TICK


def take(instants: Iterable[datetime], n: int | None, until: datetime | None) -> list[datetime]:
    """The instants up to `until`, included, and at most `n`; one when neither is given.

    Raises:
        ScheduleError: there are more than 10,000, or `n` is no count.
    """
    limit = 1 if n is None and until is None else n
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise ScheduleError(f"n: {n!r} is not a number of instants", field="n")
    if limit is not None and limit > MOST:
        raise _too_many("n")
    found: list[datetime] = []
    for at in instants if limit != 0 else ():
        if until is not None and at > until:
            break
        if len(found) == MOST:
            raise _too_many("until")
        found.append(at)
        if len(found) == limit:
            break
    return found


def in_order(batches: Iterable[tuple[datetime, ...]], after: datetime) -> Iterator[datetime]:
    """The instants of all batches from `after` on, in order and each once.

    The first of a batch is never before the first of an earlier one, but the second may be later
    than the first ones of many: in the hour that comes twice.
    """
    waiting: list[datetime] = []
    last: datetime | None = None
    for batch in batches:
        while batch and waiting and waiting[0] < batch[0]:
            at = heapq.heappop(waiting)
            if at != last:
                yield at
            last = at
        for at in batch:
            if at >= after:
                heapq.heappush(waiting, at)
    yield from sorted(set(waiting) - {last})


def local(times: Iterable[int], zone: str) -> list[str]:
    """Microseconds UTC as ISO 8601 with the offset that holds in a zone: `…T09:00:00+01:00`."""
    there = zones.zone(zone)
    return [utc(at).astimezone(there).isoformat() for at in times]


def _too_many(field: str) -> ScheduleError:
    message = f"{field}: at most {MOST:,} instants are told at once; ask for fewer"
    return ScheduleError(message, field=field)
