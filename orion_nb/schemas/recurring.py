"""The schedule that is a recurrence rule, in the text of RFC 5545."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from orion_nb.errors import ScheduleError
from orion_nb.schemas import icaltimes, recurrence, rrules, rulewords, zones
from orion_nb.schemas.icaltimes import Property
from orion_nb.schemas.kinds import MISSING, ScheduleKind, Zone
from orion_nb.schemas.recurrence import Recurrence

#: A rule that names no DTSTART begins here: a Monday and the first of a year.
DEFAULT_START = "20010101T000000"

#: No rule is longer than so many characters.
LONGEST = 64 * 1024

PROPERTIES = ("DTSTART", "RRULE", "RDATE", "EXDATE", "EXRULE")

_NAME = rf"(?:{'|'.join(PROPERTIES)})(?=[;:])"
#: From the first blank on, and all of them: else every blank of many would be tried with the rest.
_APART = re.compile(rf"(?<!\s)\s++(?={_NAME})", re.IGNORECASE)
_BARE = re.compile(r"[A-Z]+\s*=", re.IGNORECASE)


def _plain(value: object) -> str:
    """The text with one property on each line."""
    if not isinstance(value, str) or not value.strip():
        raise rrules.wrong(f"{str(value)[:40]!r} is not a rule (try FREQ=WEEKLY;BYDAY=MO)")
    if len(value) > LONGEST:
        raise rrules.wrong(f"the text is longer than {LONGEST:,} characters")
    lines = icaltimes.unfold(_APART.sub("\n", value.strip()))
    lines = [f"RRULE:{line}" if _BARE.match(line) else line.strip() for line in lines]
    for line in lines:
        told = icaltimes.split(line)
        if told is None or told.name not in PROPERTIES:
            raise rrules.wrong(f"{line[:60]!r} is none of {', '.join(PROPERTIES)}")
    return "\n".join(lines)


class RRule(ScheduleKind):
    """Runs when recurrence rules of RFC 5545 say.

    Args:
        rrule: lines `DTSTART`, `RRULE`, `RDATE`, `EXDATE` and `EXRULE`, each but the first any
            number of times, or the value of one RRULE such as `FREQ=WEEKLY;BYDAY=MO;BYHOUR=9`.
            Without DTSTART a rule begins on Monday, 1 January 2001, at midnight.
        timezone: the IANA name of the zone of times that name none themselves; UTC by default.

    A local time that clocks skip is read with the offset before the change, and one that they
    show twice is the first (section 3.3.5). A start that no rule names is no occurrence.
    """

    kind: Literal["rrule"] = "rrule"
    rrule: Annotated[str, BeforeValidator(_plain)]
    timezone: Zone | None = None

    def __init__(self, rrule: str = MISSING, timezone: str | None = None, **more: Any) -> None:
        super().__init__(rrule=rrule, timezone=timezone, **more)

    @model_validator(mode="after")
    def _check(self) -> RRule:
        self._told()
        return self

    def _words(self) -> str:
        told = self._told()
        return rulewords.words(told, getattr(told.zone, "key", "UTC"))

    @classmethod
    def _zone_of(cls, told: Mapping[str, Any]) -> str | None:
        zone = _read(_plain(told.get("rrule")), told.get("timezone") or "UTC").zone
        return str(getattr(zone, "key", "UTC"))

    def _told(self) -> Recurrence:
        return _read(self.rrule, self.timezone or "UTC")

    def _instants(self, after: datetime) -> Iterator[datetime]:
        return self._told().instants(after)


@lru_cache(maxsize=256)
def _read(text: str, timezone: str) -> Recurrence:
    properties = [each for line in text.splitlines() if (each := icaltimes.split(line))]
    starts = any(known.name == "DTSTART" for known in properties)
    if not starts:
        properties.insert(0, Property("DTSTART", DEFAULT_START))
    try:
        told = recurrence.build(properties, recurrence.iana, zones.zone(timezone), with_start=False)
    except OverflowError as error:  # a time at the edge of the calendar, in another zone
        raise ScheduleError(f"rrule: {error}", field="rrule") from None
    if not starts and any(rule.count for rule in (*told.rules, *told.without)):
        raise rrules.wrong("COUNT needs a DTSTART to count from")
    return told
