"""The components of a calendar file (RFC 5545): what is between BEGIN and END, as plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from orion_nb.errors import ScheduleError
from orion_nb.schemas.icaltimes import Property

#: No file is longer, and none has more lines.
LONGEST = 10_000_000
MOST_LINES = 400_000

#: What a schedule needs of each component; all else (who is invited, notes) is left out.
NEEDED = {
    "VCALENDAR": ("X-WR-TIMEZONE", "METHOD"),
    "VTIMEZONE": ("TZID", "X-LIC-LOCATION"),
    "STANDARD": ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"),
    "DAYLIGHT": ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"),
    "VEVENT": (
        "UID", "SUMMARY", "DTSTART", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID",
        "STATUS", "SEQUENCE",
    ),
}  # fmt: skip

#: What a line that can't be read is called; it matters only in the event that is chosen.
UNREADABLE = "X-UNREADABLE"

_ZONE = re.compile("[^:]*?;TZID=", re.IGNORECASE)

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class Component:
    """A component: its name, its needed properties and the components within."""

    name: str
    properties: list[Property] = field(default_factory=list)
    parts: list[Component] = field(default_factory=list)

    def all(self, name: str) -> list[Property]:
        return [each for each in self.properties if each.name == name]

    def first(self, name: str) -> Property | None:
        return next(iter(self.all(name)), None)

    def text(self, name: str) -> str | None:
        """The value of a text, its escapes undone; None if it has none."""
        told = self.first(name)
        if told is None:
            return None
        return _ESCAPED.sub(lambda at: "\n" if at[1] in "nN" else at[1], told.value).strip()

    def lines(self) -> Iterator[str]:
        """The component as it is written in a file."""
        yield f"BEGIN:{self.name}"
        for each in self.properties:
            told = "".join(f';{name}="{value}"' for name, value in each.parameters.items())
            yield f"{each.name}{told}:{each.value}"
        for part in self.parts:
            yield from part.lines()
        yield f"END:{self.name}"


def read(text: str) -> list[Component]:
    """The calendars in a text.

    Raises:
        ScheduleError: it is no iCalendar.
    """
    if len(text) > LONGEST:
        raise wrong(f"the calendar is longer than {LONGEST:,} characters")
    root = Component("")
    open_parts = [root]
    for told in _properties(text):
        if told.name == "BEGIN":
            made = Component(told.value.strip().upper())
            open_parts[-1].parts.append(made)
            open_parts.append(made)
        elif told.name == "END":
            _close(open_parts, told.value.strip().upper())
        elif told.name in (*NEEDED.get(open_parts[-1].name, ()), UNREADABLE):
            open_parts[-1].properties.append(told)
    calendars = [part for part in root.parts if part.name == "VCALENDAR"]
    if not calendars:
        raise wrong("there is no BEGIN:VCALENDAR in it; is it an .ics file?")
    if len(open_parts) > 1:
        raise wrong(f"END:{open_parts[-1].name} is missing; the file is cut off")
    return calendars


def _close(open_parts: list[Component], name: str) -> None:
    """The component of this name ends; where the name is misspelt, the innermost one."""
    if len(open_parts) == 1:
        raise wrong(f"END:{name[:40]} ends nothing that has begun")
    names = [part.name for part in open_parts[1:]]
    inner = len(names) - 1 - names[::-1].index(name) if name in names else len(names) - 1
    del open_parts[inner + 1 :]


def _properties(text: str) -> Iterator[Property]:
    """The lines that a schedule needs; what can't be read among the others does not matter."""
    from icalendar.parser import Contentline

    needed = {name for names in NEEDED.values() for name in names} | {"BEGIN", "END"}
    for count, line in enumerate(_unfolded(text)):
        if count > MOST_LINES:
            raise wrong(f"the calendar has more than {MOST_LINES:,} lines")
        name = re.split("[:;]", line, maxsplit=1)[0].strip().upper()
        if name not in needed:
            continue
        try:
            line = _quoted(line)
            _, parameters, value = Contentline(line).raw_parts()  # type: ignore[no-untyped-call]
        except ValueError:
            yield Property(UNREADABLE, line)
            continue
        if not value.strip():
            continue
        told = {str(key).upper(): _one(each) for key, each in parameters.items()}
        wanted = ("TZID", "VALUE", "RANGE")
        yield Property(name, value, {key: told[key] for key in wanted if told.get(key)})


def _quoted(line: str) -> str:
    """A line whose TZID, such as (UTC+01:00) Amsterdam, Berlin, has the quotes that it needs."""
    head, _, value = line.rpartition(":")  # no time has a colon
    begins = _ZONE.match(head)
    if begins is None or '"' in line:
        return line
    name, semicolon, more = head[begins.end() :].partition(";")
    if not {":", ",", "\\"} & set(name):
        return line
    plain = _ESCAPED.sub(r"\1", name)
    return f'{head[: begins.end()]}"{plain}"{semicolon}{more}:{value}'


def _unfolded(text: str) -> Iterable[str]:
    from orion_nb.schemas import icaltimes

    return icaltimes.unfold(text.removeprefix("\ufeff"))


def _one(value: object) -> str:
    return str(value if isinstance(value, str) else next(iter(value), "")).strip()  # type: ignore[call-overload]


def wrong(message: str) -> ScheduleError:
    return ScheduleError(f"ics: {message}", field="ics")
