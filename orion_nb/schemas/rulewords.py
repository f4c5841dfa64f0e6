"""Recurrence rules in short words: `every 2 weeks on Monday and Friday at 09:00`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orion_nb.schemas.recurrence import Recurrence
from orion_nb.schemas.rrules import DAILY, HOURLY, MONTHLY, WEEKLY, YEARLY, Rule

UNITS = ("year", "month", "week", "day", "hour", "minute", "second")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
WORKDAYS = tuple((0, day) for day in range(5))


def words(told: Recurrence, zone: str) -> str:
    """The set in words; a rule that is not simple is given as it is written."""
    if not told.rules:
        count = len(told.added) + told.with_start
        what = f"on {count} dates" if count > 1 else f"once at {_first(told):%Y-%m-%d %H:%M:%S}"
        what = f"{what} {zone}"
    else:
        *most, last = told.rules
        what = "".join(f"{_rule(each, told)}{_end(each)}; " for each in most)
        what += f"{_rule(last, told)} {zone}{_end(last)}"
        if told.added:
            what += f", and on {_counted(len(told.added), 'more date')}"
    left_out = len(told.dropped) + len(told.dropped_days)
    if told.without:
        what += f", but not when {_counted(len(told.without), 'other rule')} say{_s(told.without)}"
    if left_out:
        what += f", but not on {_counted(left_out, 'date')}"
    return what


def _first(told: Recurrence) -> datetime:
    return told.start if told.with_start or not told.added else told.wall(min(told.added))


def _rule(rule: Rule, told: Recurrence) -> str:
    if _is_odd(rule):
        return _as_written(rule, told)
    unit = UNITS[rule.freq]
    text = f"every {unit}" if rule.interval == 1 else f"every {rule.interval} {unit}s"
    if rule.freq == DAILY and rule.byday == WORKDAYS and rule.interval == 1:
        text = "every weekday"
    else:
        text = " ".join(filter(None, (text, _days(rule, told.start))))
    if rule.freq < HOURLY and not told.whole_day:
        text += f" at {_times(rule, told.start)}"
    return text


def _is_odd(rule: Rule) -> bool:
    """There are parts that words would not make plainer."""
    if rule.bysetpos or rule.byweekno or rule.byyearday or (rule.byday and rule.bymonthday):
        return True
    if rule.freq >= HOURLY:
        return bool(
            rule.byhour or rule.byminute or rule.bysecond or rule.byday or rule.bymonthday
            or rule.bymonth
        )  # fmt: skip
    if any(ordinal not in ORDINALS for ordinal, _ in rule.byday if ordinal):
        return True
    mixed = {bool(ordinal) for ordinal, _ in rule.byday}
    times = max(len(rule.byhour), 1) * max(len(rule.byminute), 1)
    wild = any(day < 0 and day != -1 for day in rule.bymonthday)
    return len(mixed) > 1 or times > 4 or bool(rule.bysecond) or wild


def _days(rule: Rule, start: datetime) -> str:
    months = list_of([MONTHS[each - 1] for each in rule.bymonth])
    if rule.byday:
        named = [
            f"the {ORDINALS[ordinal]} {DAYS[day]}" if ordinal else DAYS[day]
            for ordinal, day in sorted(rule.byday, key=lambda each: (each[0] % 100, each[1]))
        ]
        days = "on weekdays" if rule.byday == WORKDAYS else f"on {list_of(named)}"
        return f"{days} of {months}" if months else days
    if rule.bymonthday:
        named = ["the last day" if day == -1 else f"day {day}" for day in rule.bymonthday]
        months = months or ("each month" if rule.freq == YEARLY else "")
        return f"on {list_of(named)}" + (f" of {months}" if months else "")
    if rule.freq == YEARLY:
        return f"on day {start.day} of {months or MONTHS[start.month - 1]}"
    if rule.freq == MONTHLY:
        return f"on day {start.day}" + (f" of {months}" if months else "")
    if rule.freq == WEEKLY:
        return f"on {DAYS[start.weekday()]}" + (f" in {months}" if months else "")
    return f"in {months}" if months else ""


def _times(rule: Rule, start: datetime) -> str:
    seconds = f":{start.second:02}" if start.second else ""
    return list_of(
        [
            f"{hour:02}:{minute:02}{seconds}"
            for hour in rule.byhour or (start.hour,)
            for minute in rule.byminute or (start.minute,)
        ]
    )


def _end(rule: Rule) -> str:
    if _is_odd(rule):  # as it is written it says so itself
        return ""
    if rule.count is not None:
        return f", {_counted(rule.count, 'time')}"
    if rule.until is None:
        return ""
    if isinstance(rule.until, datetime):
        return f", until {rule.until:%Y-%m-%d %H:%M}" + (" UTC" if rule.until.tzinfo else "")
    return f", until {rule.until}"


def _as_written(rule: Rule, told: Recurrence) -> str:
    return f"{rule.text} from {told.start:%Y-%m-%d %H:%M}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _s(items: Sequence[object]) -> str:
    return "s" if len(items) == 1 else ""


def list_of(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))
