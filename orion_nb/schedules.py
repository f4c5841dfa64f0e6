"""The schedules of deployments: `Cron`, `Interval`, `RRule`, `CalendarEvent` and `Once`."""

from __future__ import annotations

from orion_nb.schemas.calendars import CalendarEvent, from_ics
from orion_nb.schemas.recurring import RRule
from orion_nb.schemas.schedules import (
    Cron,
    Interval,
    Once,
    Schedule,
    dump_schedule,
    parse_schedule,
)

__all__ = [
    "CalendarEvent",
    "Cron",
    "Interval",
    "Once",
    "RRule",
    "Schedule",
    "dump_schedule",
    "from_ics",
    "parse_schedule",
]
