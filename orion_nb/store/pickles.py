"""Pickling that stops at a size, and that tells which member of a value can't be pickled."""

from __future__ import annotations

import functools
import sys
import types
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from itertools import islice
from typing import Any

from orion_nb.store.previews import THROUGH, Through, said

#: Types of these packages are measured by their `nbytes` before anything of them is copied.
MEASURED = frozenset(("cupy", "jaxlib", "numpy", "pyarrow", "torch"))
#: So many members are looked at to find the path of the one that can't be pickled.
LOOKED_AT = 20_000
GLANCE = 30  # members
NAMED = 40  # characters of a key within a path


class TooLarge(Exception):
    """The value would be bigger than the limit."""


class Unpicklable(Exception):
    """The value can't be pickled; the text names the first member that is to blame."""


def dumps(value: object, limit: int | None, through: Through = THROUGH) -> bytes:
    """The value as cloudpickle writes it, protocol 5.

    Raises:
        TooLarge: as soon as it is known, before big buffers are copied.
        Unpicklable: the value, or something within it, can't be pickled.
        BaseException: one of `through`.
    """
    sink = _Sink(limit)
    pickler = _pickler()(sink)
    try:
        sink.look_over(value)
        pickler.dump(value)
    except TooLarge:
        raise
    except through:
        raise
    except BaseException as error:
        blame = said(error)
        if isinstance(error.__cause__ or error, RecursionError):
            blame = "nested too deeply"
        blame = blame.removeprefix("TypeError: ").removeprefix("PicklingError: ")
        raise Unpicklable(f"{_place(value, pickler.last)}: {blame}") from None
    return b"".join(sink.parts)


class _Sink:
    """A file that counts what is written before keeping it."""

    __slots__ = ("left", "parts")

    def __init__(self, limit: int | None) -> None:
        self.parts: list[bytes] = []
        self.left = sys.maxsize if limit is None else limit

    def write(self, data: Any) -> int:
        self.foresee(size := len(data))
        self.left -= size
        self.parts.append(bytes(data))
        return size

    def foresee(self, size: int) -> None:
        if size > self.left:
            raise TooLarge

    def look_over(self, value: object) -> None:
        """Long texts among the first members are refused before the pickler copies them."""
        if type(value) not in (dict, list, tuple):
            return  # others may not have all that they hold pickled
        for _, member in islice(_members(value), GLANCE):
            if isinstance(member, str | bytes | bytearray):
                self.foresee(len(member))

    def measure(self, buffer: Any) -> bool:
        """Called with a big buffer before it is copied; True: it becomes part of the stream."""
        self.foresee(buffer.raw().nbytes)
        return True


@functools.cache
def _pickler() -> Any:
    ancestor: Any = import_module("cloudpickle").Pickler

    class BoundedPickler(ancestor):  # type: ignore[misc]
        """Remembers what it looked at last: when pickling fails, that is to blame."""

        def __init__(self, sink: _Sink) -> None:
            super().__init__(sink, protocol=5, buffer_callback=sink.measure)
            self.sink = sink
            self.last: Any = None

        def reducer_override(self, found: Any) -> Any:
            kind = type(found)
            self.last = found
            if kind.__module__.partition(".")[0] in MEASURED:
                size = getattr(found, "nbytes", 0)
                self.sink.foresee(size if isinstance(size, int) else 0)
            elif kind is TextIOWrapper and found not in (sys.stdout, sys.stderr, sys.stdin):
                # cloudpickle would read the file, and make another thing of it.
                raise TypeError("cannot pickle an open file")
            return super().reducer_override(found)

    return BoundedPickler


def _place(value: object, culprit: object) -> str:
    """Where in the value the culprit is: `value['a'][3].lock`."""
    if culprit is None or culprit is value:
        return "value"
    try:
        path = _path(value, culprit)
    except Exception:
        path = None
    return f"value{path}" if path else f"value (a {type(culprit).__name__} within it)"


def _path(value: object, culprit: object) -> str | None:
    """The shortest path to the very object, through containers, attributes and closures."""
    seen, ahead = {id(value)}, deque([("", value)])
    while ahead:
        path, one = ahead.popleft()
        for step, member in islice(_members(one), LOOKED_AT):
            if member is culprit:
                return path + step
            if id(member) not in seen and not isinstance(member, _LEAVES):
                if len(seen) > LOOKED_AT:
                    return None
                seen.add(id(member))
                ahead.append((path + step, member))
    return None


_LEAVES = (str, bytes, bytearray, int, float, complex, types.NoneType, types.ModuleType)


def _members(one: Any) -> Iterator[tuple[str, Any]]:
    kind = type(one)
    if isinstance(one, dict):
        for key, member in dict.items(one):
            yield f"[{_named(key)}]", member
            yield f" (its key {_named(key)})", key
    elif isinstance(one, list | tuple | deque):
        yield from ((f"[{at}]", member) for at, member in enumerate(one))
    elif isinstance(one, set | frozenset):
        yield from ((" (a member)", member) for member in one)
    elif isinstance(one, types.FunctionType):
        yield from _reached(one)
    elif isinstance(one, types.MethodType):
        yield ".__self__", one.__self__
    elif isinstance(one, functools.partial):
        yield from ((".func", one.func), (".args", one.args), (".keywords", one.keywords))
    if kind.__module__ in ("builtins", "types"):
        return
    for name, member in _attributes(one):
        yield f".{name}", member


def _reached(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What is pickled along with a function."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f".__closure__[{name!r}]", cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield f".__globals__[{name!r}]", function.__globals__[name]
    yield ".__defaults__", function.__defaults__
    yield ".__kwdefaults__", function.__kwdefaults__


def _attributes(one: Any) -> Iterator[tuple[str, Any]]:
    """Attributes as they are stored; no code of the object's class is run."""
    with suppress(AttributeError):
        yield from object.__getattribute__(one, "__dict__").items()
    for kind in type(one).__mro__:
        for name, slot in vars(kind).items():
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    yield name, slot.__get__(one)
                except AttributeError:  # not set
                    continue


def _named(key: object) -> str:
    if type(key) in (str, int, float, bool, types.NoneType):
        text = repr(key)
        return text if len(text) <= NAMED else text[:NAMED] + "…"
    return f"a {type(key).__name__}"
