"""Time zones: checked by name, and from wall-clock time to the instants it names and back.

A wall-clock time is a naive datetime, an instant an aware one in UTC. When clocks go forward
the times in the gap name no instant; when they go back the times in the fold name two.
"""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from orion_nb.errors import ScheduleError

TICK = timedelta(microseconds=1)


def zone(name: object) -> ZoneInfo:
    """The time zone of this IANA name.

    Raises:
        ScheduleError: no zone has this name; the text offers the nearest one.
    """
    try:
        return ZoneInfo(name)  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError, AttributeError, OSError):
        # OSError: the name is a folder of the zone database, as in ZoneInfo("Europe").
        message = f"timezone: {name!r:.100} is not a time zone{_suggestion(str(name)[:100])}"
        if not _names():
            message = "timezone: there are no time zones on this system; pip install tzdata"
        raise ScheduleError(message, field="timezone") from None


def spelt(name: str) -> str:
    """The IANA name that this one differs from in capitals and blanks only, or the name itself."""
    if name in _names().values():
        return name
    return _names().get(name.lower().replace(" ", "_"), name)


def called(place: str) -> list[str]:
    """The IANA names of the zones that are called after this place, such as `Hong Kong`."""
    wanted = place.strip().lower().replace(" ", "_")
    return [known for name, known in _names().items() if name.rpartition("/")[2] == wanted]


def wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows at this instant."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def occurrences(wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants at which the clock shows this time: one, two in a fold, none in a gap."""
    before, after = _offsets(wall, zone)
    if before < after:
        return ()
    first = (wall - before).replace(tzinfo=UTC)
    return (first,) if before == after else (first, (wall - after).replace(tzinfo=UTC))


def first(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock shows this time, or has just passed it in a gap."""
    found = occurrences(wall, zone)
    return found[0] if found else _end_of_gap(wall, zone)


def earliest_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """No time before this one can name `instant` or a later one, not even in a fold or gap."""
    shown = wall(instant, zone)
    offsets = (*_offsets(shown, zone), (instant - TICK).astimezone(zone).utcoffset() or timedelta())
    return instant.replace(tzinfo=None) + min(offsets)


def _offsets(wall: datetime, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """The offsets before and after a change that this time lies in; alike when in none."""
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    after = wall.replace(tzinfo=zone, fold=1).utcoffset()
    return before or timedelta(), after or timedelta()


@lru_cache(maxsize=1024)
def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of the change, found by halving: zoneinfo doesn't tell when it is."""
    before, after = _offsets(wall, zone)
    low = (wall - after).replace(tzinfo=UTC)
    high = (wall - before).replace(tzinfo=UTC)
    while high - low > TICK:
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


#: What people call the time on their clocks, and a zone with that time: a name is no zone, for it
#: says nothing of when clocks change.
SHORT = {
    "cest": "Europe/Berlin", "eest": "Europe/Athens", "west": "Europe/Lisbon",
    "bst": "Europe/London", "edt": "America/New_York", "cst": "America/Chicago",
    "cdt": "America/Chicago", "mdt": "America/Denver", "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles", "ist": "Asia/Kolkata", "jst": "Asia/Tokyo",
    "aest": "Australia/Sydney", "aedt": "Australia/Sydney", "msk": "Europe/Moscow",
}  # fmt: skip


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {known.lower(): known for known in sorted(zoneinfo.available_timezones())}


def _suggestion(name: str) -> str:
    """`; did you mean 'Europe/Prague'?`, or where to look when nothing is near."""
    names = _names()
    wanted = name.lower().replace(" ", "_")
    near = [SHORT[wanted].lower()] if SHORT.get(wanted, "").lower() in names else []
    near += [known.lower() for known in called(name)]
    near += difflib.get_close_matches(wanted, names, n=1)
    if near:
        return f"; did you mean {names[near[0]]!r}?"
    return " (try 'UTC' or an IANA name such as 'Europe/Prague')"
