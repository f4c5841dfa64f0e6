"""Durations: read from what people write, and shown so that they can be read at a glance."""

from __future__ import annotations

import math
import re
from datetime import timedelta

from orion_nb.errors import InvalidInput

#: Microseconds in one unit, largest first.
UNITS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
ALIASES = {"min": "m", "µs": "us"}

#: No duration is longer than what a timedelta holds: 2.7 million years.
LONGEST = timedelta.max // timedelta(microseconds=1)

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-zµ]+)\s*", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)


def seconds(value: str | float | timedelta, *, field: str | None = None) -> float:
    """The duration in seconds.

    Args:
        value: a text such as `"10s"`, `"1h30m"`, `"250ms"`, `"1.5h"` (units us ms s m h d w),
            a number of seconds, or a timedelta; not negative.
        field: the name to begin the error's text with.

    Raises:
        InvalidInput: `'10x' is not a duration (try 10s, 5m, 1h30m)`.
    """
    return micros(value, field=field) / 1_000_000


def micros(value: str | float | timedelta, *, field: str | None = None) -> int:
    """The duration in whole microseconds, exact for texts and timedeltas.

    Takes and raises what `seconds` does.
    """
    found = _read(value)
    if found is None or not 0 <= found <= LONGEST:
        start = f"{field}: " if field else ""
        raise InvalidInput(
            f"{start}{_brief(value)} is not a duration (try 10s, 5m, 1h30m)", field=field
        )
    return found


def text(micros: int) -> str:
    """The shortest text that `micros` reads back as the same duration: `1h30m`, `250ms`."""
    parts = []
    for unit, size in UNITS.items():
        count, micros = divmod(micros, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def show(seconds: float) -> str:
    """The duration in two units at most: `12.4 s`, `3 min 05 s`, `2 h 10 min`, `3 d 04 h`."""
    if seconds < 0.000_000_5:
        return "0 s"
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if round(seconds / size) < 1000:
            return f"{round(seconds / size)} {unit}"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    if round(seconds) < 3600:
        return "{} min {:02} s".format(*divmod(round(seconds), 60))
    if round(seconds / 60) < 24 * 60:
        return "{} h {:02} min".format(*divmod(round(seconds / 60), 60))
    return "{} d {:02} h".format(*divmod(round(seconds / 3600), 24))


def _read(value: object) -> int | None:
    """Whole microseconds, or None when there is no duration in the value."""
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, str):
        return _read_text(value.strip().lower()) if len(value) <= 100 else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value * 1_000_000
    if isinstance(value, float) and math.isfinite(value):
        return round(value * 1_000_000) if value >= 0 else None
    return None


def _read_text(text: str) -> int | None:
    """The sum of parts such as `1h` and `30m`, largest unit first; a bare number is seconds."""
    if _NUMBER.fullmatch(text):
        return _times(text, UNITS["s"])
    total, end, last = 0, 0, ""
    while end < len(text):
        part = _PART.match(text, end)
        unit = ALIASES.get(part[2], part[2]) if part else ""
        if part is None or unit not in UNITS or (last and UNITS[unit] >= UNITS[last]):
            return None
        total += _times(part[1], UNITS[unit])
        last, end = unit, part.end()
    return total if last else None


def _times(number: str, size: int) -> int:
    """A decimal number times a size, exact and rounded once; floats would be off by a hair."""
    whole, _, decimals = number.partition(".")
    scale = int("1" + "0" * len(decimals))
    return (int(whole + decimals) * size * 2 + scale) // (scale * 2)


def _brief(value: object) -> str:
    told = repr(value)
    return told if len(told) <= 60 else told[:57] + "..."
