"""Time zones of a calendar file: by IANA or Windows name, or as its VTIMEZONE defines them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from orion_nb.errors import ScheduleError
from orion_nb.schemas import icaltimes, recurrence, rrules, zones
from orion_nb.schemas.icscomponents import Component
from orion_nb.schemas.recurrence import Recurrence

#: Changes of a zone that a file defines are known in these years.
FROM, TO = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

#: A zone that a file defines has no more changes: there are two in a year, or some by decree.
MOST_CHANGES = 5_000

#: What began before has always held; there is room to shift it by an offset.
EARLIEST = datetime(2, 1, 1)  # noqa: DTZ001 - a local time

_UTC_NAMES = ("UTC", "GMT", "Z", "Etc/UTC", "Etc/GMT")

# As programs write offsets: UTC+01, GMT+0200, (GMT +05:30), +0100. East is +, as in ISO 8601.
_OFFSET = re.compile(r"\(?(?:UTC|GMT)? ?([+-])(\d{1,2})(?:[:.]?(\d\d))?\)?", re.ASCII)
_MICROSOFT_UTC = "tzone://Microsoft/Utc"

# As Windows shows a zone in its settings: (UTC+01:00) Amsterdam, Berlin; some leave the offset out.
_SHOWN = re.compile(r"(\((?:UTC|GMT)(?:([+-]\d\d)[:.]?(\d\d))?\))?\s*(.+)", re.ASCII)


class FileZone(tzinfo):
    """A time zone as a VTIMEZONE of RFC 5545 defines it, for which no name is known."""

    def __init__(self, key: str, changes: list[tuple[datetime, timedelta, timedelta]]) -> None:
        self.key = key
        changes = sorted(changes, key=lambda change: change[0])
        self._before = changes[0][1]
        self._offsets = [after for _, _, after in changes]
        # Of a change that leaves out or repeats times, the first reading is the offset before.
        self._first = [at + max(before, after) for at, before, after in changes]
        self._second = [at + min(before, after) for at, before, after in changes]
        self._instants = [at for at, _, _ in changes]

    def __str__(self) -> str:
        return self.key

    def utcoffset(self, moment: datetime | None) -> timedelta:
        if moment is None:
            return self._before
        walls = self._second if moment.fold else self._first
        return self._at(bisect_right(walls, moment.replace(tzinfo=None, fold=0)))

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return self.key

    def fromutc(self, moment: datetime) -> datetime:
        place = bisect_right(self._instants, moment.replace(tzinfo=None, fold=0))
        shown = moment + self._at(place)
        again = place > 0 and shown.replace(tzinfo=None) < self._first[place - 1]
        return shown.replace(fold=int(again and self._at(place - 1) > self._at(place)))

    def _at(self, place: int) -> timedelta:
        return self._offsets[place - 1] if place else self._before


class FileZones:
    """From the TZIDs of a calendar to zones."""

    def __init__(self, defined: Mapping[str, Component]) -> None:
        self._defined = defined
        self._known: dict[str, tzinfo] = {}

    def find(self, name: str) -> tzinfo:
        """The zone of this TZID.

        Raises:
            ScheduleError: nobody knows it, and the file does not define it.
        """
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> tzinfo:
        defined = self._defined.get(name)
        # A short name such as EST is what the file says it is.
        if defined is None or "/" in name or name in _UTC_NAMES:
            known = iana(name)
            if known is not None:
                return known
        found: tzinfo | None = _windows(name)
        if found is None and defined is not None:
            place = defined.text("X-LIC-LOCATION")
            found = (iana(place) if place else None) or _defined(name, defined)
        found = found or iana(name) or _by_offset(name) or _shown(name)
        if found is None:
            raise _wrong(
                f"the time zone {name[:60]!r} is no IANA and no Windows name, and the file does "
                "not define it"
            )
        return found


def iana(name: str) -> ZoneInfo | None:
    """The zone whose name this is or ends with, as in `/mozilla.org/20050126_1/Europe/Berlin`."""
    parts = name.strip().strip("/").split("/")
    for size in (len(parts), 3, 2, 1):
        tail = "/".join(parts[-size:])
        if size > len(parts) or (size == 1 and len(parts) > 1 and tail not in _UTC_NAMES):
            continue
        try:
            return zones.zone(zones.spelt(tail))
        except ScheduleError:
            continue
    return None


def _by_offset(name: str) -> tzinfo | None:
    if name in (_MICROSOFT_UTC, "(UTC)", "(GMT)"):
        return UTC
    match = _OFFSET.fullmatch(name)
    told = match and icaltimes.seconds(f"{match[1]}{match[2]:0>2}{match[3] or '00'}")
    return None if told is None else timezone(told, name)


def _windows(name: str) -> ZoneInfo | None:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    known = WINDOWS_TO_OLSON.get(name)
    return iana(known) if known else None


def _shown(name: str) -> ZoneInfo | None:
    """The zone that Windows shows as its offset and what lies in it, by the first that is known."""
    match = _SHOWN.fullmatch(name.strip())
    if match is None or not (match[1] or "," in name):
        return None
    offset = icaltimes.seconds(f"{match[2] or '+00'}{match[3] or '00'}")
    for place in re.split("[,:/]", re.sub(r"\(.*?\)", "", match[4])):
        zone = _windows(f"{place.strip().removesuffix(' Time')} Standard Time")
        for found in [zone] if zone else map(zones.zone, zones.called(place)):
            if not match[1] or _standard(found) == offset:
                return found
    return iana("UTC") if match[4] == "Coordinated Universal Time" else None


def _standard(zone: ZoneInfo) -> timedelta:
    """The offset of a zone without its summer time."""
    seasons = (datetime(2026, month, 1, tzinfo=zone) for month in (1, 7))
    return min(season.utcoffset() or timedelta() for season in seasons)


def _defined(name: str, zone: Component) -> tzinfo | None:
    changes: list[tuple[datetime, timedelta, timedelta]] = []
    for part in zone.parts:
        changes += _changes(name, part)
        if len(changes) > MOST_CHANGES:
            raise _wrong(f"the file's time zone {name[:60]!r} changes too often")
    if not changes:
        return None
    if all(before == after for _, before, after in changes):
        return timezone(changes[0][2], name)
    return FileZone(name, changes)


def _changes(name: str, part: Component) -> list[tuple[datetime, timedelta, timedelta]]:
    """When one STANDARD or DAYLIGHT begins: a naive UTC time, the offsets before and after."""
    before, after = (
        icaltimes.seconds(part.text(each) or "") for each in ("TZOFFSETFROM", "TZOFFSETTO")
    )
    told = icaltimes.read(part.text("DTSTART") or "", "DTSTART")
    begin = told if isinstance(told, datetime) else datetime.combine(told, datetime.min.time())
    if before is None or after is None:
        raise _wrong(f"the file's time zone {name[:60]!r} can't be read")
    begin = begin.replace(tzinfo=None)
    fixed = timezone(before)
    whole = Recurrence(
        begin,
        fixed,
        rules=tuple(rrules.read(each.value) for each in part.all("RRULE")),
        added=tuple(
            at for each in part.all("RDATE") for at in recurrence.values(each, fixed, lambda _: UTC)
            if isinstance(at, datetime)
        ),
        with_start=begin.year >= FROM.year,
    )  # fmt: skip
    found = islice(takewhile(lambda at: at < TO, whole.instants(FROM)), MOST_CHANGES + 1)
    starts = [at.replace(tzinfo=None) for at in found]
    if begin.year < FROM.year:  # such as 1601: what was then still holds
        starts.append(max(begin, EARLIEST))
    return [(at, before, after) for at in starts]


def _wrong(message: str) -> ScheduleError:
    return ScheduleError(f"ics: {message}", field="ics")
