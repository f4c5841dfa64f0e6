"""The schedules that a deployment takes: `Cron`, `Interval`, `RRule` and `Once`."""

from __future__ import annotations

from orion_nb.schemas.recurring import RRule
from orion_nb.schemas.schedules import (
    Cron,
    Interval,
    Once,
    Schedule,
    dump_schedule,
    parse_schedule,
)

__all__ = ["Cron", "Interval", "Once", "RRule", "Schedule", "dump_schedule", "parse_schedule"]
