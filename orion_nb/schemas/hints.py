"""The types that a notebook's annotations name, read from their syntax."""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from orion_nb.errors import InvalidInput
from orion_nb.schemas import durations, enums
from orion_nb.schemas.literals import SecretName, simple_name

#: What names a secret: as an environment variable is called, mostly.
SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}", re.ASCII)


def _no_number(name: str) -> BeforeValidator:
    """Pydantic takes a number for seconds since the epoch; as a parameter it is a slip."""

    def check(value: Any) -> Any:
        number = isinstance(value, int | float)
        if number or (isinstance(value, str) and value.strip().lstrip("+-").isdecimal()):
            raise PydanticCustomError(f"{name}_type", "{name}", {"name": name})
        return value

    return BeforeValidator(check)


def _told_apart(kind: type, name: str) -> Any:
    """A number or a bool, each of its own kind; pydantic takes True for 1."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) != (kind is bool) and isinstance(value, int | float):
            message = "Input should be a valid {name}"
            raise PydanticCustomError(f"{kind.__name__}_type", message, {"name": name})
        return value

    return Annotated[kind, BeforeValidator(check)]


#: Types that pydantic would take for each other.
EXACT = {
    int: _told_apart(int, "integer"),
    float: _told_apart(float, "number"),
    bool: _told_apart(bool, "boolean"),
}


def _duration(value: Any) -> Any:
    if isinstance(value, bool):
        return None  # no number of seconds
    try:
        return _signed(value)
    except InvalidInput:
        return value  # pydantic reads ISO 8601, or says that it can't


def _signed(value: Any) -> timedelta:
    """A timedelta may be negative, where a timeout may not: `-90s` and -90 are a minute and a half.

    Raises:
        InvalidInput: it is no duration of ours.
    """
    match value:
        case str() if value.lstrip().startswith("-"):
            value, sign = value.lstrip()[1:], -1
        case int() | float() if value < 0:
            value, sign = -value, -1
        case _:
            sign = 1
    return timedelta(microseconds=sign * durations.micros(value))


def _secret_name(value: Any) -> SecretName:
    if not isinstance(value, str) or not SECRET_NAME.fullmatch(value):
        raise PydanticCustomError("secret_name", "Give the name of a secret, never its value")
    return SecretName(value)


def of_enum(kind: type[Enum]) -> Any:
    """The enum, whose members are also meant by their names and by the texts of their values."""
    return Annotated[kind, BeforeValidator(lambda value: enums.find(kind, value))]


SECRET = Annotated[
    str,
    AfterValidator(_secret_name),
    WithJsonSchema(
        {
            "type": "string",
            "format": "secret-name",
            "pattern": f"^{SECRET_NAME.pattern}$",
            "description": "The name of a secret, never its value.",
        }
    ),
]

SIMPLE: dict[str, Any] = {
    "Any": Any,
    "object": Any,
    "None": None,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "date": Annotated[date, _no_number("date")],
    "datetime": Annotated[datetime, _no_number("datetime")],
    "time": Annotated[time, _no_number("time")],
    "timedelta": Annotated[
        timedelta,
        BeforeValidator(_duration),
        WithJsonSchema({"type": "string", "examples": ["15m"]}),
    ],
    "Decimal": Decimal,
    "Path": Path,
    "list": list[Any],
    "List": list[Any],
    "dict": dict[Any, Any],
    "Dict": dict[Any, Any],
    "tuple": tuple[Any, ...],
    "Tuple": tuple[Any, ...],
    "set": set[Any],
    "Set": set[Any],
    "frozenset": frozenset[Any],
    "FrozenSet": frozenset[Any],
    "Secret": SECRET,
}

#: Annotations are not followed further than this.
DEEPEST = 20

#: The type of a parameter that has a default but no annotation.
BY_DEFAULT: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    date: "date",
    datetime: "datetime",
    time: "time",
    timedelta: "timedelta",
    Decimal: "Decimal",
    list: "list",
    dict: "dict",
    tuple: "tuple",
    set: "set",
}


def read(node: ast.expr, names: Mapping[str, Any] = SIMPLE, depth: int = 0) -> Any:
    """The type that an annotation names; Any for what is not known here, or nested too deep.

    `names` are the types that can be named.
    """
    match node:
        case _ if depth > DEEPEST:
            return Any
        case ast.Constant(None):
            return None
        case ast.Constant(str() as text):
            return read_text(text, names, depth + 1)
        case ast.BinOp(left, ast.BitOr(), right):
            return _either((read(left, names, depth + 1), read(right, names, depth + 1)))
        case ast.Subscript(of, inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _generic(simple_name(of), parts, names, depth + 1)
    return names.get(simple_name(node) or "", Any)


def read_text(text: str, names: Mapping[str, Any] = SIMPLE, depth: int = 0) -> Any:
    """The type that the text of an annotation names."""
    try:
        return read(ast.parse(text.strip(), mode="eval").body, names, depth)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Any


def of_default(value: Any) -> Any:
    """The type of a default: what is given instead must be of the same."""
    if isinstance(value, Enum):
        return of_enum(type(value))
    if hasattr(value, "joinpath"):
        return Path
    return SIMPLE.get(BY_DEFAULT.get(type(value), "Any"))


def leaves(kind: Any) -> Iterator[Any]:
    """The classes that a type is a choice of: `str` and `list` for `str | list[int]`.

    What `Literal` lists is told by `members`.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        for each in inner:
            yield from leaves(each)
    elif origin is Annotated:
        yield from leaves(inner[0])
    elif origin is not Literal:
        yield origin or kind


def members(kind: Any) -> list[Any]:
    """The values that a type lists by `Literal`, in any of its choices."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return list(inner)
    choices = inner if origin in (Union, types.UnionType) else ()
    return [value for each in choices for value in members(each)]


def exact(kind: Any) -> Any:
    """The type, taking no bool for a number and no number for a bool, as JSON Schema does."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in EXACT:
        return EXACT[kind]
    if origin in (Union, types.UnionType):
        return reduce(or_, map(exact, inner))
    if origin in (list, dict, tuple, set, frozenset):
        return origin[tuple(part if part is ... else exact(part) for part in inner)]
    return kind


def optional(kind: Any) -> Any:
    return _either((kind, None))


def _either(kinds: tuple[Any, ...]) -> Any:
    return Any if Any in kinds else reduce(or_, (kind or types.NoneType for kind in kinds))


def _generic(name: str | None, parts: list[ast.expr], names: Mapping[str, Any], depth: int) -> Any:
    match name, parts:
        case "Literal", [_, *_]:
            return _literal(parts)
        case "Annotated", [one, *_]:
            return read(one, names, depth)
        case "Secret", [_]:
            return SECRET
        case "Optional", [one]:
            return optional(read(one, names, depth))
        case "Union", [_, *_]:
            return _either(tuple(read(part, names, depth) for part in parts))
        case (("list" | "List"), [one]):
            return list[read(one, names, depth)]  # type: ignore[misc]
        case (("set" | "Set"), [one]):
            return set[_hashable(read(one, names, depth))]  # type: ignore[misc]
        case (("frozenset" | "FrozenSet"), [one]):
            return frozenset[_hashable(read(one, names, depth))]  # type: ignore[misc]
        case (("dict" | "Dict"), [key, value]):
            return dict[_hashable(read(key, names, depth)), read(value, names, depth)]  # type: ignore[misc]
        case (("tuple" | "Tuple"), [one, ast.Constant(value)]) if value is ...:
            return tuple[read(one, names, depth), ...]  # type: ignore[misc]
        case (("tuple" | "Tuple"), [_, *_]):
            return tuple[tuple(read(part, names, depth) for part in parts)]  # type: ignore[misc]
    return Any


def _literal(parts: list[ast.expr]) -> Any:
    values = [part.value for part in parts if isinstance(part, ast.Constant)]
    sound = all(isinstance(value, str | int | None) for value in values)
    return Literal[tuple(values)] if sound and len(values) == len(parts) else Any


def _hashable(kind: Any) -> Any:
    return Any if {list, dict, tuple, set} & set(leaves(kind)) else kind
