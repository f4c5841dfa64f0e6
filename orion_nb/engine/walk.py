"""Walks through a value and makes its print: equal values have the same one, in any process.

A print is made of bytes: a short value's own bytes, or `#` and a digest. Nothing of a process goes
into it: no address, no order of a set, no sharing of equal parts.
"""

from __future__ import annotations

import copyreg
import datetime
import io
import marshal
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from enum import Enum
from hashlib import sha256
from types import BuiltinFunctionType, FunctionType, MappingProxyType, ModuleType
from typing import Any, Protocol

from orion_nb.engine import arrays
from orion_nb.engine.prints import (
    HOSTS,
    MARSHAL,
    SIMPLE,
    Unhashable,
    is_tool,
    join,
    name_of,
    short,
    simple,
)


class Code(Protocol):
    """Prints what is code, not data."""

    def is_own(self, module: str) -> bool:
        """The module is written by the user: its source counts, not its version."""
        ...

    def refer(self, walk: Walk, thing: Any) -> bytes | None:
        """The print of a function, class, module or what wraps one; None for data."""
        ...


class Walk:
    """Makes prints of values.

    Args:
        code: prints the functions, classes and modules met.
        is_lenient: a lock, a connection or another tool counts by its type, with a note, when it
            has no content. Otherwise it raises.
        beside: another walk over the same objects, whose prints are not made again.
    """

    def __init__(self, code: Code, *, is_lenient: bool = False, beside: Walk | None = None) -> None:
        self.code, self.is_lenient = code, is_lenient
        self.notes: dict[str, None] = {}
        self._done: dict[tuple[int, bool], tuple[Any, bytes]] = beside._done if beside else {}
        self._open: dict[int, int] = {}
        self._lowest = sys.maxsize
        self._told: list[bytes] = []
        self._unsteady: set[int] = set()

    def root(self, value: Any) -> bytes:
        """The print of a whole value, made twice where its objects tell of themselves.

        Raises:
            Unhashable: it has no content to know it by, or a different one each time.
        """
        try:
            return self._steady(value)
        except RecursionError:
            raise Unhashable("it is nested too deeply") from None
        except Unhashable:
            raise
        except Exception as error:  # a user's object may do anything when it is looked at
            raise Unhashable(f"it can't be read ({error!r})") from error

    def of(self, value: Any) -> bytes:
        """The print of a part of the value being walked through."""
        kind = type(value)
        if kind in SIMPLE:
            return simple(kind, value)
        if kind in (list, tuple) and SIMPLE.issuperset(map(type, value)):
            try:
                return short(marshal.dumps(value, MARSHAL))
            except ValueError:  # more than 2 GB
                pass
        return self.node(value, _EXACT.get(kind) or Walk._other)

    def node(self, value: Any, make: Callable[[Walk, Any], bytes]) -> bytes:
        """What `make` makes of it, once; a value that holds itself is cut where it begins anew."""
        key, known = id(value), (id(value), self.is_lenient)
        if known in self._done:
            return self._done[known][1]
        depth = len(self._open)
        if key in self._open:
            self._lowest = min(self._lowest, self._open[key])
            return b"^%d" % (depth - self._open[key])
        self._open[key] = depth
        outer, self._lowest = self._lowest, sys.maxsize
        try:
            made = make(self, value)
        finally:
            del self._open[key]
            inner, self._lowest = self._lowest, min(outer, self._lowest)
        if inner >= depth:  # it refers to nothing above itself: the same wherever it is met
            self._done[known] = value, made  # held, so that its id is not given away
            self._lowest = outer
        return made

    def reference(self, thing: Any) -> bytes:
        """The print of the class or function that an object is made by."""
        if not isinstance(thing, type | FunctionType | BuiltinFunctionType):
            return self.of(thing)
        if not isinstance(owner := getattr(thing, "__self__", None), type | ModuleType | None):
            return self.of(thing)
        module = str(getattr(thing, "__module__", None) or getattr(owner, "__module__", ""))
        return self.of(thing) if self.code.is_own(module) else _named(thing)

    def items(self, tag: str, values: Iterable[Any]) -> bytes:
        """The print of values in their order."""
        parts = []
        for at, value in enumerate(values):
            try:
                parts.append(self.of(value))
            except Unhashable as error:
                raise error.within(f"[{at}]") from None
        return join(tag, *parts)

    def buffer(self, tag: str, view: Any) -> bytes:
        """The print of contiguous memory, read where it is."""
        return join(tag, sha256(view).digest())

    def pairs(self, tag: str, value: Any, step: str = "[{!r}]") -> bytes:
        """The print of a mapping, whatever its order."""
        keys, values = set(map(type, value)), map(type, value.values())
        if keys <= {str} and SIMPLE.issuperset(values):
            flat = [each for key in sorted(value) for each in (key, value[key])]
            return join(tag, b"flat", marshal.dumps(flat, MARSHAL))
        return join(tag, *sorted(self._pairs(value.items(), step)))

    def _pairs(self, items: Iterable[tuple[Any, Any]], step: str) -> list[bytes]:
        made = []
        for key, value in items:
            try:
                made.append(join("pair", self.of(key), self.of(value)))
            except Unhashable as error:
                raise error.within(step.format(key)) from None
        return made

    def _steady(self, value: Any) -> bytes:
        first = self._once(value)
        if not self._told:
            return first
        first, told = self._anew(value), self._told
        while True:
            again, told_again = self._anew(value), self._told
            if first == again:
                return first
            both = zip(told, told_again, strict=False)
            differing = [at for at, (a, b) in enumerate(both) if a != b]
            if len(told) != len(told_again) or not differing:
                raise Unhashable("it changes while it is read")
            # The last of them holds no other that differs: walked through again, it is refused.
            self._unsteady.add(differing[-1])
            first, told = self._anew(value), self._told

    def _anew(self, value: Any) -> bytes:
        self._done.clear()
        return self._once(value)

    def _once(self, value: Any) -> bytes:
        self._open, self._told = {}, []
        return self.of(value)

    def _other(self, value: Any) -> bytes:
        kind: Any = type(value)
        if not isinstance(value, type):
            if own := getattr(kind, "__orion_fingerprint__", None):
                return join("own", name_of(kind).encode(), self.of(_told_by(own, value)))
            if printer := arrays.printer_of(kind):
                return printer(self, value)
        made = self.code.refer(self, value)
        if made is not None:
            return made
        if isinstance(value, Enum):
            return join("enum", self.reference(kind), repr(value.name).encode())
        if isinstance(value, set | frozenset):
            return join("set", self.reference(kind), _set(self, value), self.of(vars_of(value)))
        if _is_read_once(kind):
            raise Unhashable(f"a {name_of(kind)} can be read once only")
        return self._instance(value)

    def _instance(self, value: Any) -> bytes:
        kind, at = type(value), None
        if not _is_plain(kind):
            at = len(self._told)
            self._told.append(b"")
        is_unsteady = at in self._unsteady
        made = self._tool(kind, value, is_unsteady) or self._object(value, is_unsteady)
        if at is not None:
            self._told[at] = made
        return made

    def _object(self, value: Any, is_unsteady: bool) -> bytes:
        return self._reduced(value, *_reduce(value, is_unsteady))

    def _tool(self, kind: type, value: Any, is_unsteady: bool) -> bytes | None:
        if not self.is_lenient or not is_tool(kind) or self.code.is_own(kind.__module__):
            return None
        self.is_lenient = False
        try:
            return self._object(value, is_unsteady)
        except Unhashable:
            return self.by_type(kind)
        finally:
            self.is_lenient = True

    def by_type(self, kind: type) -> bytes:
        """The print of something of which no more is known, with a note."""
        self.notes[f"a {name_of(kind)} counts by its type only"] = None
        return join("tool", name_of(kind).encode())

    def _reduced(
        self,
        value: Any,
        make: Any,
        args: Any = (),
        state: Any = None,
        items: Any = None,
        pairs: Any = None,
        setter: Any = None,
    ) -> bytes:
        if hasattr(type(value), "__pydantic_core_schema__") and isinstance(state, dict):
            # Which fields were given and which left to their defaults makes no difference.
            state = {**state, **state.get("__dict__", {}), "__dict__": None}
            state.pop("__pydantic_fields_set__", None)
        is_new = isinstance(make, FunctionType) and make in _NEW
        parts = [b"new" if is_new else self.reference(make)]
        classes = [each for each in args[:1] if isinstance(each, type)]
        parts += [*map(self.reference, classes), self.items("made of", args[len(classes) :])]
        states = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        for each in states:
            named = type(each) is dict
            parts.append(self.pairs("state", each, ".{}") if named else self.of(each))
        listed = self.items("items", items) if items is not None else b""
        if pairs is None:
            return join("object", listed, *parts)
        made = self._pairs(pairs, "[{!r}]")
        order = made if isinstance(value, OrderedDict) else sorted(made)
        return join("object", listed, join("pairs", *order), *parts)


def _named(thing: Any) -> bytes:
    return join("name", name_of(thing).encode())


def vars_of(value: Any) -> dict[str, Any]:
    """The attributes that an instance has of its own."""
    return dict(getattr(value, "__dict__", {}))


def _set(walk: Walk, value: Any) -> bytes:
    if SIMPLE.issuperset(map(type, value)):
        return join("items", *sorted(marshal.dumps(each, MARSHAL) for each in value))
    try:
        return join("items", *sorted(map(walk.of, value)))
    except Unhashable as error:
        raise error.within("{…}") from None


def _told_by(own: Any, value: Any) -> Any:
    try:
        return own(value)
    except Exception as error:
        raise Unhashable(f"__orion_fingerprint__ raised {error!r}") from None


def _is_read_once(kind: type) -> bool:
    is_iterator = hasattr(kind, "__next__") or hasattr(kind, "__anext__")
    return is_iterator and not issubclass(kind, io.BytesIO | io.StringIO)


def _is_plain(kind: Any) -> bool:
    """Instances are told by Python itself, or by its library: the same way each time."""
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
        return True
    return (
        kind not in copyreg.dispatch_table
        and kind.__reduce_ex__ is _OBJECT.__reduce_ex__
        and kind.__reduce__ is _OBJECT.__reduce__
        and kind.__getstate__ is _OBJECT.__getstate__
    )


def _reduce(value: Any, is_unsteady: bool) -> tuple[Any, ...]:
    """What an object is made of, as it would tell pickle."""
    name = name_of(type(value))
    if type(value).__module__.partition(".")[0] in HOSTS:
        raise Unhashable(f"a {name} is the notebook itself")
    if is_unsteady:
        raise Unhashable(f"a {name} tells of itself differently each time")
    make = copyreg.dispatch_table.get(type(value))
    try:
        told: Any = make(value) if make else value.__reduce_ex__(4)
    except Exception as error:
        says = str(error).partition("\n")[0]
        raise Unhashable(f"a {name} has no content to know it by ({says})") from None
    return (str, (name, told)) if isinstance(told, str) else tuple(told)


def _datetime(walk: Walk, value: Any) -> bytes:
    return join("datetime", value.isoformat().encode(), b"%d" % value.fold, walk.of(value.tzinfo))


_OBJECT: Any = object
_NEW = {getattr(copyreg, name) for name in ("__newobj__", "__newobj_ex__")}
_EXACT: dict[type, Callable[[Walk, Any], bytes]] = {
    list: lambda walk, value: walk.items("list", value),
    tuple: lambda walk, value: walk.items("tuple", value),
    dict: lambda walk, value: walk.pairs("dict", value),
    MappingProxyType: lambda walk, value: walk.pairs("proxy", value),
    set: lambda walk, value: join("set", _set(walk, value)),
    frozenset: lambda walk, value: join("frozenset", _set(walk, value)),
    deque: lambda walk, value: walk.items(f"deque {value.maxlen}", value),
    bytearray: lambda walk, value: walk.buffer("bytearray", value),
    memoryview: lambda walk, value: walk.buffer(f"memoryview {value.format}", bytes(value)),
    datetime.date: lambda walk, value: join("date", value.isoformat().encode()),
    datetime.time: _datetime,
    datetime.datetime: _datetime,
    datetime.timedelta: lambda walk, value: join("timedelta", repr(value).encode()),
}
