"""Cron expressions: checked, put into words, and stepped through on the clock on the wall.

Five fields are minute, hour, day of month, month, day of week; a sixth is the second, a seventh
the year. The second comes after the day of week, not first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from croniter import croniter

from orion_nb.errors import ScheduleError
from orion_nb.schemas import cronfields

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
    ("day of month", "1-31 or L"),
    ("month", "1-12 or jan-dec"),
    ("day of week", "0-7 or sun-sat"),
    ("second", "0-59"),
    ("year", "1970-2099"),
)

#: A rule that has not fired for so many years is taken never to fire again. The rarest that
#: does, 29 February on a given weekday, has gaps of 40 years around 2100.
HORIZON = 50

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

# croniter draws a random value for `R` each time it reads it, and wants a key for `H`.
_DRAWN = re.compile(r"(^|,)[hr]($|[/(,])", re.IGNORECASE)
# croniter takes 9-9 for the whole cycle, others for 9.
_RANGE_OF_ONE = re.compile(r"(?:^|,)(\w+)-\1(?:$|[/,])", re.IGNORECASE)


def check(text: object) -> str:
    """The expression with single spaces between its fields.

    Raises:
        ScheduleError: it can't be read; the text names the field that is wrong.
    """
    if not isinstance(text, str) or len(text) > 200:
        raise _error(f"{str(text)[:40]!r} is not a cron expression (try '0 9 * * 1-5')")
    told = " ".join(text.split())
    if cronfields.read(expand(told)) is not None:
        return told
    fields = expand(told).split()
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
    plain = cronfields.read(expand(expression))
    if plain is not None:
        yield from cronfields.walls(plain, start, day_or=day_or, horizon=HORIZON)
        return
    second = timedelta(seconds=1)
    named_years = len(expand(expression).split()) == 7
    horizon = cronfields.LAST_YEAR if named_years else HORIZON
    # croniter gives what comes after its start, and knows no fractions of a second.
    before = (start + second - timedelta(microseconds=1)).replace(microsecond=0) - second
    steps = croniter(
        expand(expression),
        before,
        ret_type=datetime,
        day_or=day_or,
        max_years_between_matches=horizon,
    )
    while True:
        try:
            yield steps.get_next()
        except (ValueError, OverflowError):  # nothing within the horizon, or in the calendar
            return


def words(expression: str) -> tuple[str, bool] | None:
    """The rule in short words, and whether they name a time of day; None when it is not simple."""
    told = expand(expression)
    fields, nth = croniter.expand(told)
    minutes, hours, days, months, weekdays = fields[:5]
    seconds = fields[5] if len(fields) > 5 else [0]
    if nth or "w" in told.lower().split()[2] or fields[6:] not in ([], [["*"]]):
        return None
    free = days == months == weekdays == ["*"]
    if free and hours == ["*"]:
        return _cycle(minutes, seconds)
    times = _times(hours, minutes) if seconds == [0] else None
    if free and seconds == minutes == [0] and (step := _step(hours, 24)):
        return f"every {step} hours", True
    which = _days(days, months, weekdays)
    return (f"{which} at {times}", True) if which and times else None


def _check_field(told: str, place: int, field: str) -> None:
    name, takes = FIELDS[place]
    alone = ["*"] * max(5, place + 1)
    alone[place] = field
    if one := _RANGE_OF_ONE.search(field):
        raise _error(f"{name} {field!r} in {told!r} has a range of one value: write {one[1]}")
    if _DRAWN.search(field) or not croniter.is_valid(" ".join(alone)):
        order = "; of six fields the second is the last" if len(told.split()) == 6 else ""
        raise _error(
            f"{name} {field!r} in {told!r} can't be read: it takes {takes}, *, lists, ranges "
            f"and steps{order}"
        )


def _error(message: str) -> ScheduleError:
    return ScheduleError(f"cron: {message}", field="cron")


def _cycle(minutes: Sequence[object], seconds: Sequence[object]) -> tuple[str, bool] | None:
    if minutes == ["*"]:
        if seconds in ([0], ["*"]):
            return ("every minute" if seconds == [0] else "every second"), False
        step = _step(seconds, 60)
        return (f"every {step} seconds", False) if step else None
    if seconds != [0]:
        return None
    if step := _step(minutes, 60):
        return f"every {step} minutes", False
    if len(minutes) > 1:
        return None
    return ("every hour" if minutes == [0] else f"every hour at :{minutes[0]:02}"), False


def _step(values: Sequence[object], size: int) -> int | None:
    """The step of values that divide the cycle evenly from its start, as `*/15` does."""
    step = size // len(values)
    return step if len(values) > 1 and values == list(range(0, size, step)) else None


def _times(hours: Sequence[object], minutes: Sequence[object]) -> str | None:
    if "*" in (*hours, *minutes) or len(hours) * len(minutes) > 4:
        return None
    return _list([f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])


def _days(
    days: Sequence[object], months: Sequence[object], weekdays: Sequence[object]
) -> str | None:
    if months != ["*"] or (days != ["*"] and weekdays != ["*"]) or "l" in days[1:]:
        return None
    if weekdays != ["*"]:
        if weekdays == [1, 2, 3, 4, 5]:
            return "every weekday"
        numbers = [day for day in weekdays if isinstance(day, int)]
        return "every " + _list([DAYS[day] for day in sorted(numbers, key=lambda day: day or 7)])
    if days == ["*"]:
        return "every day"
    if days == ["l"]:
        return "on the last day of every month"
    return f"on day {_list([str(day) for day in days])} of every month" if len(days) < 5 else None


def _list(items: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
