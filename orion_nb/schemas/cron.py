"""Cron expressions: checked, put into words, and stepped through on the clock on the wall.

Five fields are minute, hour, day of month, month, day of week; a sixth is the second, a seventh
the year. The second comes after the day of week, not first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from orion_nb.errors import ScheduleError
from orion_nb.schemas import cronfields, cronwalls
from orion_nb.schemas.cronfields import Fields, Named

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

#: The fields in their order, and what each takes.
FIELDS = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31, L, L-3, 15W, LW"),
    ("month", "1-12 or jan-dec"),
    ("day of week", "0-7 or sun-sat, 1#2, 5L"),
    ("second", "0-59"),
    ("year", "1970-2099"),
)

#: A rule that has not fired for so many years is taken never to fire again. The rarest that
#: does, 29 February on a given weekday, has gaps of 40 years around 2100.
HORIZON = 50

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

LAST_DAY = Named(from_end=frozenset({0}))

# What separates fields; other blanks of Unicode do not.
_APART = re.compile(r"[ \t\r\n\f\v]+")

# As crontabs and Kubernetes write it.
_TZ = re.compile(r"(CRON_)?TZ=", re.IGNORECASE)


def check(text: object) -> str:
    """The expression with single spaces between its fields.

    Raises:
        ScheduleError: it can't be read; the text names the field that is wrong.
    """
    if not isinstance(text, str) or len(text) > 200:
        raise _error(f"{str(text)[:40]!r} is not a cron expression (try '0 9 * * 1-5')")
    told = _APART.sub(" ", text).strip(" ")
    fields = expand(told).split(" ") if told else []
    if told.lower().startswith("@every "):
        raise _error(f"{told!r} is an interval: give {told[7:]!r} as that (every)")
    if _TZ.match(told):
        raise _error(f"{told!r}: the time zone is told apart from the expression (timezone)")
    if told.startswith("@") and told.lower() not in ALIASES:
        raise _error(f"{told!r} is not known (known are {', '.join(ALIASES)})")
    if not 5 <= len(fields) <= 7:
        raise _error(
            f"{told!r} has {len(fields)} field{'s' * (len(fields) != 1)}; it takes 5 (minute hour "
            "day month weekday), 6 (… second) or 7 (… second year)"
        )
    for place, field in enumerate(fields):
        _check_field(told, place, field)
    return told


def expand(expression: str) -> str:
    """The expression that an alias such as `@daily` stands for, or the expression itself."""
    return ALIASES.get(expression.lower(), expression)


def is_wild(expression: str) -> bool:
    """The hour or the minute has a `*`: the rule speaks of every hour or minute, not of one."""
    minute, hour = expand(expression).split()[:2]
    return "*" in minute + hour


def walls(expression: str, start: datetime, *, day_or: bool) -> Iterator[datetime]:
    """The wall-clock times of the rule at or after `start`, in order."""
    told = cronfields.read(expand(expression))
    if told is not None:
        yield from cronwalls.walls(told, start, day_or=day_or, horizon=HORIZON)


def words(expression: str) -> tuple[str, bool] | None:
    """The rule in short words, and whether they name a time of day; None when it is not simple."""
    told = cronfields.read(expand(expression))
    if told is None or told.years is not None:
        return None
    free = told.days is told.weekdays is None and len(told.months) == 12
    if free and len(told.hours) == 24:
        return _cycle(told.minutes, told.seconds)
    if free and told.seconds == told.minutes == (0,) and (step := _step(told.hours, 24)):
        return f"every {step} hours", True
    times = _times(told) if told.seconds == (0,) else None
    which = _days(told) if len(told.months) == 12 else None
    return (f"{which} at {times}", True) if which and times else None


def _check_field(told: str, place: int, field: str) -> None:
    name, takes = FIELDS[place]
    if cronfields.field(place, field) is None:
        order = "; of six fields the second is the last" if len(told.split()) == 6 else ""
        raise _error(
            f"{name} {field!r} in {told!r} can't be read: it takes {takes}, *, lists, ranges "
            f"and steps{order}"
        )


def _error(message: str) -> ScheduleError:
    return ScheduleError(f"cron: {message}", field="cron")


def _cycle(minutes: Sequence[int], seconds: Sequence[int]) -> tuple[str, bool] | None:
    if len(minutes) == 60:
        if seconds == (0,):
            return "every minute", False
        if len(seconds) == 60:
            return "every second", False
        step = _step(seconds, 60)
        return (f"every {step} seconds", False) if step else None
    if seconds != (0,):
        return None
    if step := _step(minutes, 60):
        return f"every {step} minutes", False
    if len(minutes) > 1:
        return None
    return ("every hour" if minutes == (0,) else f"every hour at :{minutes[0]:02}"), False


def _step(values: Sequence[int], size: int) -> int | None:
    """The step of values that divide the cycle evenly from its start, as `*/15` does."""
    step = size // len(values)
    return step if len(values) > 1 and values == tuple(range(0, size, step)) else None


def _times(told: Fields) -> str | None:
    if len(told.hours) * len(told.minutes) > 4:
        return None
    return _list([f"{hour:02}:{minute:02}" for hour in told.hours for minute in told.minutes])


def _days(told: Fields) -> str | None:
    """Which days the fields of days name, in words."""
    match told.days, told.weekdays:
        case None, None:
            return "every day"
        case None, Named() as weekdays if weekdays.is_plain():
            if weekdays.values == {1, 2, 3, 4, 5}:
                return "every weekday"
            ordered = sorted(weekdays.values, key=lambda day: day or 7)
            return "every " + _list([DAYS[day] for day in ordered])
        case (days, None) if days == LAST_DAY:
            return "on the last day of every month"
        case Named(values=days) as plain, None if plain.is_plain() and len(days) < 5:
            return f"on day {_list([str(day) for day in sorted(days)])} of every month"
    return None


def _list(items: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
