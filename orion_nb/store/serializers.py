"""Serializers: which bytes stand for a value, exactly, and how they become the value again.

| name | for | safe to decode |
| --- | --- | --- |
| `json` | None, bool, int, finite float, str, and lists and str-keyed dicts of those | yes |
| `npy` | numpy arrays of numbers, dates and fixed texts | yes |
| `table` | pyarrow tables, as Arrow IPC | yes |
| `frame` | pandas frames that Arrow gives back exactly, as Arrow IPC | yes |
| `pickle` | everything else, by cloudpickle | only what we signed ourselves |

The first that gives the value back exactly is taken. Nobody decodes before the signature of the
envelope was verified, whatever the serializer.
"""

from __future__ import annotations

import json
import pickle
from importlib import import_module
from io import BytesIO
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

from orion_nb.schemas.results import INLINE
from orion_nb.schemas.values import frozen
from orion_nb.store import frames, pickles
from orion_nb.store.pickles import TooLarge
from orion_nb.store.previews import THROUGH, Through, preview, said

#: Bigger values than this (bytes) are not kept, unless the task says otherwise.
LIMIT = 1024 * 1024
DEEP = 100  # levels of JSON
LONGEST_INT = 1 << 1024  # longer ones are slow to read as decimals, or refused


@frozen
class Serialized:
    """A value as bytes; `inline` is its JSON text when that is short."""

    serializer: str
    body: bytes
    preview: str = ""
    inline: str | None = None


@frozen
class Unserializable:
    """A value that is not kept, and why."""

    reason: str
    preview: str = ""


def serialize(
    value: object, limit: int | None = LIMIT, *, through: Through = THROUGH
) -> Serialized | Unserializable:
    """The value as at most `limit` bytes (None: any number), or why it can't be had so.

    Never raises but for `through`, whatever the value's own code does. Arrays and tables are
    measured as they are in memory.
    """
    try:
        if (text := _atom(value)) is not None and (limit is None or len(text) <= limit):
            return Serialized("json", text.encode(), "", text)
        serializer, body = _pick(value, limit, through)
        _foresee(len(body), limit)
        if serializer == "json" and len(body) <= INLINE:
            return Serialized("json", body, "", body.decode())
        return Serialized(serializer, body, preview(value, through=through))
    except through:
        raise
    except TooLarge:
        reason = f"larger than {size_text(limit or 0)}"
    except pickles.Unpicklable as error:
        reason = str(error)
    except BaseException as error:
        reason = f"value: {said(error)}"
    return Unserializable(reason, preview(value, through=through))


def deserialize(serializer: str, body: bytes) -> Any:
    """The value again. The body must come out of an envelope that was verified.

    Raises:
        Exception: whatever the decoder, or the code of a pickled class, raises.
    """
    if serializer == "json":
        return json.loads(body.decode())
    if serializer == "npy":
        array: Any = import_module("numpy.lib.format").read_array(BytesIO(body), allow_pickle=False)
        return array
    if serializer == "table":
        return frames.read_table(body)
    if serializer == "frame":
        return frames.read_frame(body)
    if serializer == "pickle":
        return pickle.loads(body)
    raise ValueError(f"serializer {serializer!r} is not known; a newer orion_nb wrote it")


def size_text(size: int) -> str:
    """A number of bytes as people read it: `1 MiB`, `1.5 KiB`, `10 bytes`."""
    for unit, step in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= step:
            return f"{size / step:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} bytes"


def _pick(value: Any, limit: int | None, through: Through) -> tuple[str, bytes]:
    kind = type(value)
    if kind in _PLAIN and is_exact_json(value, limit) and (body := _json(value)) is not None:
        return "json", body
    package = (kind.__module__ or "").partition(".")[0]
    if package == "numpy" and kind.__name__ == "ndarray":
        _foresee(value.nbytes, limit)
        if value.dtype.kind in "biufcmMSU" and value.dtype.metadata is None:
            return "npy", _npy(value)
    elif package in ("pandas", "pyarrow") and (size := frames.size(value)) is not None:
        _foresee(size, limit)
        if (made := frames.write(value)) is not None:
            return made
    elif kind in (bytes, bytearray):
        _foresee(len(value), limit)
    return "pickle", pickles.dumps(value, limit, through)


def _foresee(size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise TooLarge


# -- JSON ------------------------------------------------------------------------------------------

_PLAIN = frozenset((type(None), bool, int, float, str, list, dict))
_CONTAINERS = (list, dict)
_SHORT = 1000
_CONSTANTS = {None: "null", True: "true", False: "false"}
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode


def _atom(value: Any) -> str | None:
    """The JSON of a short plain value, fast; None: look closer."""
    kind = type(value)
    if kind is str:
        return encode_basestring(value) if len(value) <= _SHORT and value.isascii() else None
    if kind is int:
        return int.__repr__(value) if -LONGEST_INT < value < LONGEST_INT else None
    if value is None or kind is bool:
        return _CONSTANTS[value]
    if kind is float and isfinite(value):
        return float.__repr__(value)
    return None


def _json(value: Any) -> bytes | None:
    """The JSON of an exact value; None where UTF-8 can't hold it (a lone surrogate), or NaN."""
    try:
        return _encode(value).encode()
    except (ValueError, RecursionError):
        return None


def is_exact_json(value: Any, limit: int | None = None) -> bool:
    """JSON gives the value back as it is: no subclass, no key but str, no object twice in it.

    Raises:
        TooLarge: its JSON would surely be longer than `limit` bytes.
    """
    level: list[Any] = [[value]]
    seen, size = set[int](), 0
    for _ in range(DEEP):
        inner: list[Any] = []
        for container in level:
            _foresee(size := size + len(container), limit)  # before its members are looked at
            members: Any = container.values() if isinstance(container, dict) else container
            kinds = set(map(type, members))
            if not kinds <= _PLAIN or not _has_text_keys(container):
                return False
            size += len(container) + _length(members, kinds)
            size += sum(map(len, container)) if type(container) is dict else 0
            _foresee(size, limit)
            if int in kinds and not _are_short(members, kinds):
                return False
            if not kinds.isdisjoint(_CONTAINERS):
                inner.extend(member for member in members if type(member) in _CONTAINERS)
        ids = set(map(id, inner))
        # The same list twice would come back as two, and a cycle never end.
        if len(ids) < len(inner) or not ids.isdisjoint(seen):
            return False
        seen |= ids
        level = inner
        if not level:
            return True
    return False


def _length(members: Any, kinds: set[type]) -> int:
    """The characters of the strings among the members."""
    if str not in kinds:
        return 0
    if len(kinds) == 1:
        return sum(map(len, members))
    return sum(len(member) for member in members if type(member) is str)


def _has_text_keys(container: Any) -> bool:
    return type(container) is not dict or set(map(type, container)) <= {str}


def _are_short(members: Any, kinds: set[type]) -> bool:
    """The integers among the members are not extremely long."""
    numbers = members if len(kinds) == 1 else [one for one in members if type(one) is int]
    return bool(min(numbers) > -LONGEST_INT and max(numbers) < LONGEST_INT)


# -- numpy -----------------------------------------------------------------------------------------


def _npy(array: Any) -> bytes:
    out = BytesIO()
    import_module("numpy.lib.format").write_array(out, array, allow_pickle=False)
    return out.getvalue()
