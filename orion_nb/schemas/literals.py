"""Values in Python source: read from an expression, and written as one, without running any."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any


class SecretName(str):
    """The name of a secret, which stands for its value wherever that could be read."""

    __slots__ = ()


#: What the written expressions need, under names that hide nothing of the notebook's own.
IMPORTS = {
    "_datetime.": "import datetime as _datetime",
    "_Decimal(": "from decimal import Decimal as _Decimal",
    "_Path(": "from pathlib import Path as _Path",
    "_secret(": "from orion_nb import secret as _secret",
}

#: What may be called in a default, with plain literals only.
CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "date": date,
    "datetime": datetime,
    "time": time,
    "timedelta": timedelta,
    "Decimal": Decimal,
    "Path": Path,
    "frozenset": frozenset,
}
MODULES = ("datetime", "dt", "decimal", "pathlib", "typing", "t", "enum", "orion_nb")


def read(node: ast.expr) -> Any:
    """The value of an expression that `write` could have written, in any of its spellings.

    Raises:
        ValueError: the expression is anything else.
    """
    try:
        value = _call(node) if isinstance(node, ast.Call) else ast.literal_eval(node)
        write(value)
    except (TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from None
    return value


def simple_name(node: ast.expr) -> str | None:
    """`date` for `date`, `datetime.date` and `dt.date`; None for what is not a plain name."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(ast.Name(module), name) if module in MODULES:
            return name
    return None


def write(value: Any) -> str:
    """A literal of the value, or a call that makes it from literals: a date, Decimal, Path, enum.

    Raises:
        ValueError: it can't be written so.
    """
    match value:
        case None | bool():
            return repr(value)
        case SecretName() | Enum():
            return _write_call(value)
        case str():
            return repr(str.__str__(value))  # a subclass may call itself anything
        case int():
            return int.__repr__(value)
        case float() if math.isfinite(value):
            return float.__repr__(value)
        case list():
            return f"[{', '.join(map(write, value))}]"
        case tuple():
            return f"({', '.join(map(write, value))}{',' * (len(value) == 1)})"
        case frozenset():
            return f"frozenset({write(set(value)) if value else ''})"
        case set():
            return f"{{{', '.join(sorted(map(write, value)))}}}" if value else "set()"
        case Mapping():
            return f"{{{', '.join(f'{write(key)}: {write(value[key])}' for key in value)}}}"
    return _write_call(value)


def _call(node: ast.Call) -> Any:
    make = CONSTRUCTORS.get(simple_name(node.func) or "")
    if make is None or any(each.arg is None for each in node.keywords):
        raise ValueError("not a literal")
    named = {str(each.arg): _argument(each.value) for each in node.keywords}
    return make(*map(_argument, node.args), **named)


def _argument(node: ast.expr) -> Any:
    match node:
        case ast.Attribute(zone, "utc") if simple_name(zone) == "timezone":
            return UTC
        case _ if simple_name(node) == "UTC":
            return UTC
    return ast.literal_eval(node)


def _write_call(value: Any) -> str:
    match value:
        case SecretName():
            return f"_secret({str.__str__(value)!r})"
        case Enum() if type(value).__name__.isidentifier():
            return f"{type(value).__name__}({write(value.value)})"
        case datetime():
            return f"_datetime.datetime.fromisoformat({value.isoformat()!r})"
        case date():
            return f"_datetime.date({value.year}, {value.month}, {value.day})"
        case time():
            return f"_datetime.time.fromisoformat({value.isoformat()!r})"
        case timedelta():
            parts = {
                "days": value.days,
                "seconds": value.seconds,
                "microseconds": value.microseconds,
            }
            told = ", ".join(f"{name}={count}" for name, count in parts.items() if count)
            return f"_datetime.timedelta({told})"
        case Decimal() if value.is_finite():
            return f"_Decimal({str(value)!r})"
        case Path():
            return f"_Path({str(value)!r})"
    raise ValueError(f"{value!r:.60} can't be written as a literal")
