"""How two values differ, in a few lines: their types and shapes, and where they first differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from typing import Any

from orion_nb.store.previews import clean, preview

#: So many differences are told, each value in so many characters.
MOST, SHOWN = 10, 80
#: So many values of a column, a list or an array are looked at.
LOOKED_AT = 1_000_000
#: Texts of more lines are compared line by line: a diff takes the square of them.
LINES = 2000

_NOTHING: Any = object()


def described(value: Any) -> str:
    """The type of a value, and its shape or length: `DataFrame (3, 2)`, `list of 3`, `int 7`."""
    kind = type(value).__name__
    try:
        if _is_table(value) or _is_array(value) or _is_column(value):
            dtype = "" if _is_table(value) else f" {value.dtype}"
            return f"{kind}{dtype} {tuple(value.shape)}"
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return f"{kind} of {len(value)}"
    except Exception:  # a user's object may do anything when it is looked at
        return kind
    return "None" if value is None else f"{kind} {preview(value, SHOWN)}"


def differences(was: Any, now: Any) -> list[str]:
    """In what the second value differs from the first; nothing if it does not.

    At most 10 differences are told, the first ones; what lies behind the first million values of
    a column, a list or an array is not looked at.
    """
    try:
        found = list(islice(_between(was, now, ""), MOST + 1))
    except Exception as error:  # a user's object may do anything when it is compared
        return [f"they can't be compared: {type(error).__name__}: {preview(error, SHOWN)}"]
    return [*found[:MOST], "and more"] if len(found) > MOST else found


def _between(was: Any, now: Any, place: str) -> Iterator[str]:
    at = _at(place)
    if type(was) is not type(now):
        yield f"{at}{described(was)} is now {described(now)}"
    elif _is_table(was):
        yield from _tables(was, now, at)
    elif _is_column(was):
        yield from _columns(was, now, place)
    elif _is_array(was):
        yield from _arrays(was, now, at)
    elif isinstance(was, Mapping):
        yield from _mappings(was, now, place)
    elif isinstance(was, list | tuple):
        yield from _sequences(was, now, place)
    elif isinstance(was, set | frozenset):
        for word, only in (("only before", was - now), ("only now", now - was)):
            yield from (f"{at}{word}: {_shown(each)}" for each in only)
    elif isinstance(was, str) and ("\n" in was or "\n" in now):
        yield from _texts(was, now, place)
    elif not _is_same(was, now):
        shown = _shown(was), _shown(now)
        yield f"{at}{shown[0]} is now {shown[1]}" if len({*shown}) == 2 else f"{at}not equal"


def _mappings(was: Mapping[Any, Any], now: Mapping[Any, Any], place: str) -> Iterator[str]:
    at = _at(place)
    for key in was:
        if key not in now:
            yield f"{at}{_shown(key)} is gone, it was {described(was[key])}"
        else:
            yield from _between(was[key], now[key], f"{place}[{_shown(key)}]")
    yield from (f"{at}{_shown(key)} is new: {described(now[key])}" for key in now if key not in was)


def _sequences(was: Any, now: Any, place: str) -> Iterator[str]:
    if len(was) != len(now):
        yield f"{_at(place)}{described(was)} is now {described(now)}"
    pairs = zip(was[:LOOKED_AT], now[:LOOKED_AT], strict=False)
    for n, (one, other) in enumerate(pairs):
        if one is not other:
            yield from _between(one, other, f"{place}[{n}]")


def _texts(was: str, now: str, place: str) -> Iterator[str]:
    """Of texts with many lines, as a unified diff; long ones line by line."""
    if was == now:
        return
    before, after, at = was.splitlines(), now.splitlines(), _at(place)
    if before == after:
        yield f"{at}the lines end in another way"
    elif max(len(before), len(after)) <= LINES:
        names = f"before {place}".rstrip(), f"now {place}".rstrip()
        lines = difflib.unified_diff(before, after, *names, n=1, lineterm="")
        yield from (clean(line, 2 * SHOWN) for line in lines)
    else:
        if len(before) != len(after):
            yield f"{at}{len(before):,} lines are now {len(after):,}"
        pairs = enumerate(zip(before, after, strict=False), 1)
        changed = ((n, one, other) for n, (one, other) in pairs if one != other)
        yield from (f"{at}line {n}: {_shown(a)} is now {_shown(b)}" for n, a, b in changed)


def _columns(was: Any, now: Any, place: str) -> Iterator[str]:
    """Of one column: its type and length, then the values."""
    if (len(was), was.dtype) != (len(now), now.dtype):
        yield f"{_at(place)}{described(was)} is now {described(now)}"
    pairs = zip(_listed(was, LOOKED_AT), _listed(now, LOOKED_AT), strict=False)
    for n, (one, other) in enumerate(pairs):
        if not _is_same(one, other):
            yield f"{place}[{n}]: {_shown(one)} is now {_shown(other)}"


def _tables(was: Any, now: Any, at: str) -> Iterator[str]:
    """Of data frames: the shape, the columns and their types, then the rows."""
    if was.shape != now.shape:
        yield f"{at}shape {was.shape} is now {now.shape}"
    before, after = list(was.columns), list(now.columns)
    for word, some, others in (("gone", before, after), ("new", after, before)):
        if only := [_shown(each) for each in some if each not in others]:
            yield f"{at}columns {word}: {', '.join(only)}"
    types = dict(zip(before, was.dtypes, strict=True)), dict(zip(after, now.dtypes, strict=True))
    common = [name for name in before if name in types[1]]
    for name in common:
        if types[0][name] != types[1][name]:
            yield f"{at}column {_shown(name)}: {types[0][name]} is now {types[1][name]}"
    index: Any = getattr(was, "index", None)
    if len(was) == len(now) and hasattr(index, "equals") and not index.equals(now.index):
        yield f"{at}the index is another one"
    if len(set(before)) < len(before) or len(set(after)) < len(after):
        yield f"{at}columns share a name: their rows are not compared"
    else:
        first = LOOKED_AT // max(1, len(common))
        old, new = ([_listed(each[name], first) for name in common] for each in (was, now))
        yield from _rows(old, new, common, at)


def _listed(column: Any, first: int) -> list[Any]:
    """The first values of a column, as Python has them."""
    some = column.head(first)
    return list((some.to_list if hasattr(some, "to_list") else some.tolist)())


def _rows(was: list[list[Any]], now: list[list[Any]], names: list[Any], at: str) -> Iterator[str]:
    rows = zip_longest(_across(was), _across(now), fillvalue=_NOTHING)
    for n, (one, other) in enumerate(rows):
        if one is _NOTHING or other is _NOTHING:
            row = one if other is _NOTHING else other
            yield f"{at}row {n} is {'gone' if other is _NOTHING else 'new'}: {_shown(row)}"
            continue
        changed = [
            f"{_shown(name)} {_shown(a)} is now {_shown(b)}"
            for name, a, b in zip(names, one, other, strict=True)
            if not _is_same(a, b)
        ]
        if changed:
            yield f"{at}row {n}: {', '.join(changed)}"


def _across(columns: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
    length = len(columns[0]) if columns else 0
    return (tuple(column[n] for column in columns) for n in range(length))


def _arrays(was: Any, now: Any, at: str) -> Iterator[str]:
    if was.shape != now.shape or was.dtype != now.dtype:
        yield f"{at}{described(was)} is now {described(now)}"
    if was.shape != now.shape:
        return
    for n, (one, other) in enumerate(zip(_flat(was), _flat(now), strict=True)):
        if not _is_same(one, other):
            yield f"{at}{_index(n, was.shape)} {_shown(one)} is now {_shown(other)}"


def _flat(array: Any) -> list[Any]:
    """The first values of an array, as Python has them; times as text."""
    some = array.reshape(-1)[:LOOKED_AT]
    return list((some.astype(str) if some.dtype.kind in "mM" else some).tolist())


def _index(n: int, shape: tuple[int, ...]) -> str:
    found = []
    for length in reversed(shape):
        n, rest = divmod(n, length)
        found.append(str(rest))
    return f"[{', '.join(reversed(found))}]"


def _is_table(value: Any) -> bool:
    """A data frame, of pandas or polars, or whatever is used like one."""
    return _has(value, "columns", "dtypes", "shape", "head")


def _is_column(value: Any) -> bool:
    return _has(value, "dtype", "shape", "head") and not _is_table(value)


def _is_array(value: Any) -> bool:
    return _has(value, "dtype", "shape", "reshape") and not _is_column(value)


def _has(value: Any, *names: str) -> bool:
    return not isinstance(value, type) and all(hasattr(value, name) for name in names)


def _is_same(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(one == other) or (one != one and other != other)
    except Exception:  # tables and arrays answer for each of their values
        return type(one) is type(other) and repr(one) == repr(other)


def _at(place: str) -> str:
    return f"{place}: " if place else ""


def _shown(value: Any) -> str:
    return preview(value, SHOWN)
