"""The schedule that is an event of a calendar: an .ics file, as calendar programs export it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ValidationInfo, field_validator, model_validator

from orion_nb.errors import ScheduleError
from orion_nb.schemas import icscomponents, icsevents
from orion_nb.schemas.icscomponents import wrong
from orion_nb.schemas.icsevents import Event
from orion_nb.schemas.kinds import MISSING, ScheduleKind, Zone

#: What a schedule keeps of a calendar is no longer.
LONGEST = 256 * 1024

_FOLD = re.compile(rb"\r?\n[ \t]")


class CalendarEvent(ScheduleKind):
    """Runs when an event of a calendar begins (RFC 5545), moved and deleted occurrences included.

    Args:
        ics: the text of a calendar. Only what tells the times of the event is kept of it.
        event: the UID or the summary of the event, if there are several.
        timezone: the IANA name of the zone of whole days, which begin at midnight, and of times
            that name none; by default the calendar's own, or UTC.
    """

    kind: Literal["ics"] = "ics"
    event: str | None = None
    timezone: Zone | None = None
    ics: str

    def __init__(
        self,
        ics: str = MISSING,
        event: str | None = None,
        timezone: str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(ics=ics, event=event, timezone=timezone, **more)

    @field_validator("ics", mode="before")
    @classmethod
    def _reduce(cls, value: Any, info: ValidationInfo) -> str:
        return _reduced(value, info.data.get("event"))

    @model_validator(mode="after")
    def _check(self) -> CalendarEvent:
        self._told()
        return self

    def _words(self) -> str:
        return self._told().words()

    @classmethod
    def _zone_of(cls, told: Mapping[str, Any]) -> str | None:
        given = str(told["timezone"]) if told.get("timezone") else None
        series = _read(_reduced(told.get("ics"), told.get("event")), given).rule
        if series is None or series.zone is UTC:
            return given or "UTC"
        return series.zone.key if isinstance(series.zone, ZoneInfo) else given  # the file's own

    def _told(self) -> Event:
        return _read(self.ics, self.timezone)

    def _instants(self, after: datetime) -> Iterator[datetime]:
        return self._told().instants(after)


def from_ics(
    path_or_text: str | Path, event: str | None = None, *, timezone: str | None = None
) -> CalendarEvent:
    """The schedule of an event in a calendar file, or in the text of one.

    Args:
        path_or_text: a path, or text with `BEGIN:VCALENDAR`.
        event: the UID or the summary of the event; needed if there are several.
        timezone: the zone of whole days and of times that name none.

    Raises:
        ScheduleError: the file can't be read, does not say which event, or says what can't be
            honoured.
    """
    text = str(path_or_text)
    if isinstance(path_or_text, Path) or "BEGIN:VCALENDAR" not in text.upper():
        text = read_file(Path(path_or_text))
    return CalendarEvent(text, event, timezone)


def from_file(text: str, *, timezone: str | None = None) -> CalendarEvent:
    """The event that `file.ics#EVENT` names, by UID or summary, or the only one of `file.ics`.

    Raises:
        ScheduleError: as `from_ics` does.
    """
    path, event = Path(text).expanduser(), None
    if "#" in text and not path.is_file():
        name, _, event = text.partition("#")
        path = Path(name).expanduser()
    return from_ics(path, event, timezone=timezone)


def read_file(path: Path) -> str:
    """The text of a calendar file: UTF-8 or UTF-16, or Windows-1252 as old programs write it.

    Raises:
        ScheduleError: there is no such file, or it is too long.
    """
    try:
        if path.stat().st_size > icscomponents.LONGEST:
            raise wrong(f"{str(path)!r} is longer than {icscomponents.LONGEST:,} bytes")
        data = path.read_bytes()
    except (OSError, ValueError):
        raise ScheduleError(f"ics: {str(path)[:200]!r} can't be read", field="ics") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    for told in (data, _FOLD.sub(b"", data)):  # a fold may be within a character: section 3.1
        try:
            return told.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    return data.decode("cp1252", errors="replace")


def _reduced(value: Any, event: str | None) -> str:
    """What tells the times of one event, as the text of a calendar."""
    if not isinstance(value, str):
        raise wrong(f"{str(value)[:40]!r} is not the text of a calendar")
    chosen = icsevents.choose(icscomponents.read(value), event)
    text = "\n".join(line for calendar in chosen for line in calendar.lines())
    if len(text) > LONGEST:
        raise wrong(f"the event is longer than {LONGEST:,} characters")
    return text


@lru_cache(maxsize=256)
def _read(text: str, timezone: str | None) -> Event:
    try:
        return icsevents.read(icscomponents.read(text), timezone)
    except OverflowError as error:
        raise wrong(str(error)) from None
