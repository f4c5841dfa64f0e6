"""One event of a calendar file: its rule, and what was moved or deleted of it, as instants."""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo

from orion_nb.errors import ScheduleError
from orion_nb.schemas import recurrence, rulewords, zones
from orion_nb.schemas.icaltimes import Property
from orion_nb.schemas.icscomponents import UNREADABLE, Component, wrong
from orion_nb.schemas.icszones import FileZones
from orion_nb.schemas.recurrence import Recurrence

DAY = timedelta(days=1)

#: Of the events to choose from, an error lists so many.
LISTED = 10

#: No rule counts backwards, some programs write COUNT=-1 for no end; they have parts of their own,
#: and parts without a value.
_NO_PART = re.compile(r"(?:^|;)\s*(?:COUNT=-\d+|X-[A-Z0-9-]+=[^;]*|[A-Z]+=)(?=;|$)", re.IGNORECASE)


#: Such as W2 TU TH #27, from before there was iCalendar.
_VCALENDAR = re.compile(r"(?:D|W|M|MP|MD|YM|YD)\d+\b.*")


@dataclass(frozen=True)
class Shift:
    """From an occurrence on, all later ones are so much later: RANGE=THISANDFUTURE."""

    since: datetime
    by: timedelta


@dataclass(frozen=True)
class Event:
    """An event: `series` without what was moved or deleted, `moved` to where it was moved."""

    summary: str
    series: Recurrence | None
    moved: tuple[datetime, ...] = ()
    shifts: tuple[Shift, ...] = ()
    later: tuple[tuple[datetime, Recurrence], ...] = field(default=())
    changed: int = 0
    deleted: int = 0

    def instants(self, after: datetime) -> Iterator[datetime]:
        """Every occurrence at or after `after`, in UTC, in order and each once."""
        streams = [iter(sorted(at for at in self.moved if at >= after)), self._series(after)]
        for place, (since, series) in enumerate(self.later):
            ends = self.later[place + 1][0] if place + 1 < len(self.later) else None
            found = series.instants(max(after, since))
            streams.append(_until(found, ends))
        last: datetime | None = None
        for at in heapq.merge(*streams):
            if at != last:
                yield at
            last = at

    @property
    def rule(self) -> Recurrence | None:
        """What it repeats by: its series, or the rule from one occurrence on if that is all."""
        return self.series or next((series for _, series in self.later), None)

    def words(self) -> str:
        """Its summary and when it is, in words."""
        series = self.rule
        if series is None:
            dates = f"{len(self.moved)} dates" if len(self.moved) > 1 else "one date"
            what = f"on {dates}" if self.moved else "cancelled"
        else:
            zone = str(series.zone)
            plain = replace(series, dropped=frozenset(), dropped_days=frozenset())
            what = rulewords.words(plain, zone)
            counts = ((self.changed, "moved"), (self.deleted, "left out"))
            what += "".join(f", {_times(count)} {done}" for count, done in counts if count)
        return f"{self.summary}: {what}" if self.summary else what

    def _series(self, after: datetime) -> Iterator[datetime]:
        if self.series is None:
            return iter(())
        end = self.later[0][0] if self.later else None
        if not self.shifts:
            return _until(self.series.instants(after), end)
        return self._shifted(self.series, after, end)

    def _shifted(
        self, series: Recurrence, after: datetime, end: datetime | None
    ) -> Iterator[datetime]:
        """The occurrences where shifts put them; one may come to lie before an earlier one."""
        steps = [timedelta(), *(shift.by for shift in self.shifts)]
        waiting: list[datetime] = []
        for at in _until(series.instants(after - max(steps) - DAY), end):
            while waiting and waiting[0] < at + min(steps) - DAY:
                yield heapq.heappop(waiting)
            passed = [shift.by for shift in self.shifts if shift.since < at]
            moved = series.instant(series.wall(at) + passed[-1]) if passed else at
            if moved >= after:
                heapq.heappush(waiting, moved)
        yield from sorted(waiting)


def choose(calendars: Sequence[Component], wanted: str | None) -> list[Component]:
    """The calendars reduced to one event, chosen by UID or summary, and the zones it may need.

    Raises:
        ScheduleError: there is none, or it is not said which of several; the message lists them.
    """
    groups: dict[str, list[Component]] = {}
    for calendar in calendars:
        for place, part in enumerate(calendar.parts):
            if part.name == "VEVENT":
                uid = part.text("UID") or f"event {place + 1} of the file"
                groups.setdefault(uid, []).append(part)
    if not groups:
        raise wrong("there is no event in it")
    summaries = {uid: _summary(parts) for uid, parts in groups.items()}
    found = _named(summaries, wanted)
    if len(found) != 1:
        raise _which(summaries, found, wanted)
    for part in groups[found[0]]:
        if (line := part.first(UNREADABLE)) is not None:
            raise wrong(f"{line.value[:60]!r} can't be read")
    chosen = {id(part) for part in groups[found[0]]}
    named = {
        told.parameters["TZID"]
        for part in groups[found[0]]
        for told in part.properties
        if "TZID" in told.parameters
    }
    return [_reduced(each, chosen, named) for each in calendars if _has(each, chosen)]


def read(calendars: Sequence[Component], timezone: str | None) -> Event:
    """The one event in these calendars.

    Args:
        calendars: as `choose` gives them.
        timezone: the IANA name of the zone of days and of times that name none; by default the
            calendar's own (X-WR-TIMEZONE), or UTC.

    Raises:
        ScheduleError: it says what can't be honoured.
    """
    parts = [part for each in calendars for part in each.parts if part.name == "VEVENT"]
    defined = {
        part.text("TZID") or "": part
        for each in calendars
        for part in each.parts
        if part.name == "VTIMEZONE"
    }
    told = next((name for each in calendars if (name := each.text("X-WR-TIMEZONE"))), None)
    file_zones = FileZones(defined)
    own = file_zones.find(told) if told else None
    local: tzinfo = zones.zone(timezone) if timezone else own or UTC
    cancelled = any((each.text("METHOD") or "").upper() == "CANCEL" for each in calendars)
    return _Reader(file_zones, local, own or UTC).event(parts, cancelled=cancelled)


@dataclass(frozen=True)
class _Reader:
    zones: FileZones
    local: tzinfo
    utc_is: tzinfo

    def event(self, parts: Sequence[Component], *, cancelled: bool) -> Event:
        masters = [part for part in parts if part.first("RECURRENCE-ID") is None]
        master = max(masters, key=_sequence) if masters else None  # of those alike the first
        series = None if master is None else self._recurrence(master)
        newest: dict[datetime | date, Component] = {}
        for part in parts:
            told = part.first("RECURRENCE-ID")
            if told is not None:
                at = self._instant(told, series)
                if master is not None and series is not None and _is_old(part, master, series, at):
                    continue
                known = newest.get(at)
                newest[at] = part if known is None else max(known, part, key=_sequence)
        if cancelled or (master is not None and _is_cancelled(master)):
            series = None
        event = Event(_summary(parts), series)
        return event if cancelled else self._changed(event, newest)

    def _changed(self, event: Event, changes: dict[datetime | date, Component]) -> Event:
        series = event.series
        gone = series.dropped if series else frozenset()
        days = series.dropped_days if series else frozenset()
        dropped, dropped_days = set(gone), set(days)
        moved: list[datetime] = []
        shifts: list[Shift] = []
        later: list[tuple[datetime, Recurrence]] = []
        deleted = 0
        for at, part in sorted(changes.items(), key=lambda each: str(each[0])):
            if not isinstance(at, datetime):
                dropped_days.add(at)
            elif at not in gone:
                dropped.add(at)
            if _is_cancelled(part):
                deleted += 1
                if self._is_range(part) and series is not None and isinstance(at, datetime):
                    later.append((at, replace(series, rules=(), added=(), with_start=False)))
                continue
            if at in gone or (
                isinstance(at, datetime) and series and series.wall(at).date() in days
            ):
                continue
            own = self._recurrence(part)
            since = at if isinstance(at, datetime) else own.instant(own.start)
            if self._is_range(part) and (own.rules or own.added):
                later.append((since, replace(own, with_start=True)))
                continue
            if self._is_range(part) and series is not None:
                shifts.append(Shift(since, own.start - series.wall(since)))
            moved.append(own.instant(own.start))
        if series is not None:
            series = replace(
                series, dropped=frozenset(dropped), dropped_days=frozenset(dropped_days)
            )
        return replace(
            event, series=series, moved=tuple(sorted(moved)), shifts=tuple(shifts),
            later=tuple(later), changed=len(changes) - deleted,
            deleted=deleted + len(gone) + len(days),
        )  # fmt: skip

    def _recurrence(self, part: Component) -> Recurrence:
        if part.first("DTSTART") is None:
            raise wrong(f"the event {_summary([part])[:60]!r} has no DTSTART")
        if (old := part.first("RRULE")) is not None and _VCALENDAR.fullmatch(old.value):
            raise wrong(f"{old.value[:40]!r} is a rule of vCalendar 1.0; save it as iCalendar 2.0")
        properties = [
            replace(told, value=_NO_PART.sub("", told.value)) if told.name == "RRULE" else told
            for told in part.properties
        ]
        try:
            return recurrence.build(
                properties, self.zones.find, self.local, with_start=True, utc_is=self.utc_is
            )
        except ScheduleError as error:
            raise wrong(str(error).removeprefix("rrule: ").removeprefix("ics: ")) from None

    def _instant(self, told: Property, series: Recurrence | None) -> datetime | date:
        """The occurrence that a RECURRENCE-ID means; a day if it only names a day."""
        zone = series.zone if series else self.local
        day = next(recurrence.dates(told, zone), None)
        if day is None:
            raise wrong(f"RECURRENCE-ID: {told.value[:40]!r} is not in the years 1900 to 8999")
        if series is not None and series.whole_day:
            return series.instant(_midnight(day))
        at = next(recurrence.values(told, zone, self.zones.find))
        if isinstance(at, datetime) or series is None:
            return at
        return series.instant(datetime.combine(at, series.start.time()))

    def _is_range(self, part: Component) -> bool:
        told = part.first("RECURRENCE-ID")
        kind = told.parameters.get("RANGE", "").upper() if told else ""
        if kind not in ("", "THISANDFUTURE"):
            raise wrong(f"RANGE={kind[:40]} of a RECURRENCE-ID is not supported")
        return bool(kind)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time())


def _is_old(part: Component, master: Component, series: Recurrence, at: datetime | date) -> bool:
    """An earlier state of the whole event, which some programs leave behind as a change of it."""
    if not any(part.first(name) for name in ("RRULE", "RDATE", "EXDATE")):
        return False
    if _sequence(part) >= _sequence(master) or not isinstance(at, datetime):
        return False
    return next(series.instants(at), None) != at


def _day(series: Recurrence, at: datetime | date) -> date:
    return series.wall(at).date() if isinstance(at, datetime) else at


def _until(found: Iterator[datetime], end: datetime | None) -> Iterator[datetime]:
    for at in found:
        if end is not None and at >= end:
            return
        yield at


def _is_cancelled(part: Component) -> bool:
    return (part.text("STATUS") or "").upper() == "CANCELLED"


def _sequence(part: Component) -> int:
    told = part.text("SEQUENCE") or ""
    return int(told) if re.fullmatch(r"-?\d{1,9}", told, re.ASCII) else -1


def _summary(parts: Sequence[Component]) -> str:
    own = [part for part in parts if part.first("RECURRENCE-ID") is None]
    return next((told for part in (*own, *parts) if (told := part.text("SUMMARY"))), "")


def _named(summaries: dict[str, str], wanted: str | None) -> list[str]:
    if wanted is None:
        return list(summaries)
    if wanted in summaries:
        return [wanted]
    word = wanted.strip().casefold()
    return [uid for uid, summary in summaries.items() if summary.casefold() == word]


def _which(summaries: dict[str, str], found: list[str], wanted: str | None) -> ScheduleError:
    told = found or list(summaries)
    listed = ", ".join(f"{summaries[uid] or 'no summary'!r} ({uid})"[:120] for uid in told[:LISTED])
    more = f" and {len(told) - LISTED} more" if len(told) > LISTED else ""
    if found:
        what = f"{len(found)} events" + (f" are called {wanted!r}" if wanted else " are in it")
        message = f"{what}; choose one by its UID or summary: {listed}{more}"
    else:
        near = difflib.get_close_matches(wanted or "", summaries.values(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        message = f"no event {wanted!r}{hint} (there are {listed}{more})"
    return ScheduleError(f"event: {message}", field="event")


def _has(calendar: Component, chosen: set[int]) -> bool:
    return any(id(part) in chosen for part in calendar.parts)


def _reduced(calendar: Component, chosen: set[int], named: set[str]) -> Component:
    told = calendar.text("X-WR-TIMEZONE")
    keep = [
        part
        for part in calendar.parts
        if id(part) in chosen or (part.name == "VTIMEZONE" and part.text("TZID") in {*named, told})
    ]
    known = [told for told in calendar.properties if told.name != UNREADABLE]
    return Component("VCALENDAR", known, [_bare(part) for part in keep])


def _bare(part: Component) -> Component:
    """Without what is within an event: its alarms."""
    inner = part.parts if part.name == "VTIMEZONE" else []
    known = [told for told in part.properties if told.name != UNREADABLE]
    return Component(part.name, known, inner)


def _times(count: int) -> str:
    return f"{count} occurrence{'s' * (count != 1)}"
