"""Previews: a value as a little text, made once when it is kept, cheap however big the value is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from orion_nb.schemas.results import PREVIEW
from orion_nb.secrets import redacted

#: What passes through wherever the code of a user's classes is run.
Through = tuple[type[BaseException], ...]
THROUGH: Through = (KeyboardInterrupt,)

DEEP = 6
LONG_INT = 4000  # bits; Python refuses to print longer ones than 4300 digits
ROWS, COLUMNS, CELL = 5, 12, 40
#: Control characters, but for line feed and tab, are shown, not sent to a terminal.
_SHOWN = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}


def preview(value: object, limit: int = PREVIEW, *, through: Through = THROUGH) -> str:
    """The value as at most `limit` characters of text; never raises but for `through`."""
    kind = type(value)
    try:
        special = _special(kind)
        text = special(value, limit) if special else _built(value, limit)
    except through:
        raise
    except BaseException as error:
        text = f"<{kind.__name__}: {type(error).__name__} when it was to be shown>"
    return clean(text, limit)


def said(error: BaseException, limit: int = 300) -> str:
    """What an exception says in one safe line: its type, and its text if that can be had."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    name = type(error).__name__
    return clean(f"{name}: {text}" if text else name, limit)


def clean(text: str, limit: int) -> str:
    """The text as UTF-8 can hold it, without secrets or control characters, cut to `limit`."""
    text = redacted(text)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable() and text.isascii():
        return text
    text = text.translate(_SHOWN).encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[: limit - 1] + "…"


class _Full(Exception):
    """The preview is as long as it may be."""


class _Text:
    """Pieces of text, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.pieces: list[str] = []
        self.left = limit

    def add(self, piece: str) -> None:
        self.pieces.append(piece[: self.left])
        self.left -= len(piece)
        if self.left < 0:
            raise _Full


def _built(value: Any, limit: int) -> str:
    tail = f"… ({len(value):,} {_things(value)})" if isinstance(value, _SIZED) else "…"
    text = _Text(limit)
    try:
        _write(text, value, 0)
    except _Full:
        return "".join(text.pieces)[: limit - len(tail)] + tail
    return "".join(text.pieces)


_SIZED = (str, bytes, bytearray, list, tuple, dict, set, frozenset)


def _things(value: object) -> str:
    if isinstance(value, str):
        return "characters"
    return "bytes" if isinstance(value, bytes | bytearray) else "items"


def _write(text: _Text, value: Any, depth: int) -> None:
    kind = type(value)
    shown: Any = kind.__repr__
    if shown in (str.__repr__, bytes.__repr__, bytearray.__repr__):
        text.add(shown(value[: text.left + 1]))
    elif shown is int.__repr__ and value.bit_length() > LONG_INT:
        text.add(f"<{kind.__name__} of {value.bit_length():,} bits>")
    elif shown in _BRACKETS:
        _write_many(text, value, depth, *_BRACKETS[shown])
    elif kind.__module__ == "collections" and isinstance(value, dict):
        text.add(kind.__name__)
        _write_many(text, value, depth, "({", "})")
    elif dataclasses.is_dataclass(value) and _is_generated(shown):
        _write_fields(text, value, depth)
    elif special := _special(kind):
        text.add(special(value, 200).partition("\n")[0])
    else:
        text.add(repr(value))


_BRACKETS: dict[Any, tuple[str, str]] = {
    list.__repr__: ("[", "]"),
    tuple.__repr__: ("(", ")"),
    dict.__repr__: ("{", "}"),
    set.__repr__: ("{", "}"),
    frozenset.__repr__: ("frozenset({", "})"),
}


def _write_many(text: _Text, value: Any, depth: int, opens: str, closes: str) -> None:
    if not value and isinstance(value, set):
        text.add("set()")
        return
    text.add(opens)
    if depth >= DEEP and value:
        text.add("…" + closes)
        return
    some: Iterable[Any] = islice(value.items() if isinstance(value, dict) else value, text.left + 2)
    for at, item in enumerate(some):
        if at:
            text.add(", ")
        if isinstance(value, dict):
            _write(text, item[0], depth + 1)
            text.add(": ")
            item = item[1]
        _write(text, item, depth + 1)
    text.add("," + closes if isinstance(value, tuple) and len(value) == 1 else closes)


def _write_fields(text: _Text, value: Any, depth: int) -> None:
    text.add(type(value).__qualname__ + "(")
    if depth >= DEEP:
        text.add("…)")
        return
    shown = [field.name for field in dataclasses.fields(value) if field.repr]
    for at, name in enumerate(shown):
        text.add(f", {name}=" if at else f"{name}=")
        _write(text, getattr(value, name), depth + 1)
    text.add(")")


def _is_generated(shown: Any) -> bool:
    """This `__repr__` was made by `@dataclass`: one that a user wrote may leave out a secret."""
    shown = getattr(shown, "__wrapped__", shown)
    code = getattr(shown, "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _special(kind: type) -> Callable[[Any, int], str] | None:
    """How values of types that are not Python's own are shown; nothing is imported for it."""
    return _SPECIAL.get(((kind.__module__ or "").partition(".")[0], kind.__name__))


def _array(value: Any, limit: int) -> str:
    head = f"array {value.dtype} {value.shape}"
    if value.dtype.kind not in "biufcmMSU" or value.dtype.itemsize > 400:
        return head
    corner = value[tuple(slice(3) if size > 6 else slice(None) for size in value.shape)]
    text = str(corner if corner.size <= 200 else corner.ravel()[:6])
    return f"{head}\n{text if corner.size == value.size else text + ' …'}"[:limit]


def _frame(value: Any, limit: int) -> str:
    rows, columns = value.shape
    corner = value.iloc[:ROWS, :COLUMNS]
    text = corner.to_string(max_colwidth=CELL)
    return f"DataFrame {rows:,} rows × {columns:,} columns\n{text}"[:limit]


def _series(value: Any, limit: int) -> str:
    text = value.iloc[:ROWS].to_string()
    return f"Series {value.dtype} {len(value):,} rows\n{text}"[:limit]


def _table(value: Any, limit: int) -> str:
    names = ", ".join(
        f"{field.name}: {str(field.type)[:CELL]}" for field in islice(value.schema, COLUMNS)
    )
    return f"Table {value.num_rows:,} rows × {value.num_columns:,} columns\n{names}"[:limit]


_SPECIAL: dict[tuple[str, str], Callable[[Any, int], str]] = {
    ("numpy", "ndarray"): _array,
    ("pandas", "DataFrame"): _frame,
    ("pandas", "Series"): _series,
    ("pyarrow", "Table"): _table,
}
