"""Which runs the arguments of a call come from: by the futures among them, and by identity.

A value that a task returned is recognised when it is passed on, through lists, tuples, sets, dicts
and dataclasses. What Python shares among everybody (None, small numbers, short words) is not.
"""

from __future__ import annotations

import dataclasses
import sys
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import partial
from itertools import islice
from types import ModuleType
from typing import Any

from orion_nb.engine.futures import Inputs, TaskFuture, allow_failure

#: So many items of one container are looked at, so deep, and so many in all. Futures that are
#: beyond that are found all the same.
MOST_ITEMS = 1_000
DEEPEST = 8
MOST_LOOKED_AT = 10_000

#: The path of an argument begins so if its run may still go on, or may fail.
STREAMED, MAY_FAIL = "~", "?"
_SEARCHED = frozenset({TaskFuture, allow_failure, list, tuple, set, frozenset, dict})

#: Values that can't be referred to weakly, a list or a number, are held for as long as the code
#: still has them, but no more than so many.
MOST_HELD = 10_000
#: So many of them are looked at whenever another one comes.
SWEPT = 8


class Origins:
    """Which run each value came from that a task has returned lately."""

    def __init__(self) -> None:
        self._weak: dict[int, tuple[str, weakref.ref[Any]]] = {}
        self._held: OrderedDict[int, tuple[str, Any]] = OrderedDict()
        self._streams: dict[str, Any] = {}

    def note(self, value: Any, run_id: str) -> None:
        """The run returned this very object."""
        if value is None or _is_shared(value):
            return
        key = id(value)
        try:
            ref = weakref.ref(value, partial(self._forget, key))
        except TypeError:
            self._sweep()
            self._held[key] = (run_id, value)
        else:
            self._weak[key] = (run_id, ref)

    def stream(self, item: Any, run_id: str) -> None:
        """The run, which goes on, has yielded this item last."""
        self._streams[run_id] = item

    def ended(self, run_id: str) -> None:
        """The run yields nothing more."""
        self._streams.pop(run_id, None)

    def streamed(self, value: Any) -> str | None:
        """The id of the run that goes on and has yielded this very object last."""
        for run_id, item in self._streams.items():
            if item is value:
                return run_id
        return None

    def _forget(self, key: int, _: object) -> None:
        self._weak.pop(key, None)

    def _sweep(self) -> None:
        """The oldest that nobody but us has any more are given up; others are young again."""
        for _ in range(min(SWEPT, len(self._held))):
            try:
                key, entry = self._held.popitem(last=False)
            except KeyError:
                return  # another thread was faster
            if sys.getrefcount(entry[1]) > 2 and len(self._held) < MOST_HELD:
                self._held[key] = entry

    def of(self, value: Any) -> str | None:
        """The id of the run that returned this very object, if it is known."""
        key = id(value)
        found = self._weak.get(key) or self._held.get(key)
        return found[0] if found else None

    def clear(self) -> None:
        """Nothing is known any more."""
        for known in (self._weak, self._held, self._streams):
            known.clear()

    def __bool__(self) -> bool:
        return bool(self._weak or self._held or self._streams)


def inputs_of(
    names: Sequence[str], args: Sequence[Any], kwargs: dict[str, Any], origins: Origins | None
) -> Inputs:
    """The runs that the arguments come from; `names` are those of the positional parameters."""
    if not args and not kwargs:
        return ()
    walk = _Walk(origins or None)
    for place, value in enumerate(args):
        walk.into(value, names[place] if place < len(names) else f"args[{place}]", 0)
    for name, value in kwargs.items():
        walk.into(value, name, 0)
    return tuple(walk.found)


def sources_of(
    names: Sequence[str], args: Sequence[Any], kwargs: dict[str, Any], origins: Origins
) -> frozenset[str] | None:
    """The ids of the runs that the arguments come from; None if one of them does not, or in part.

    A call without arguments comes from nothing that is known.
    """
    found = {path: run for run, path in inputs_of(names, args, kwargs, origins)}
    given = [names[i] if i < len(names) else f"args[{i}]" for i in range(len(args))]
    if not (given or kwargs) or not found.keys() >= {*given, *kwargs}:
        return None
    return frozenset(found.values())


class _Walk:
    """Looks through the arguments of one call."""

    def __init__(self, origins: Origins | None) -> None:
        self.origins = origins
        self.found: dict[tuple[str, str], None] = {}
        self.left = MOST_LOOKED_AT

    def into(self, value: Any, path: str, depth: int) -> None:
        """The value, which is at this path, and what it contains, are looked at."""
        self.left -= 1
        found = self._run_of(value)
        if found is not None:
            mark, run_id = found
            self.found[run_id, mark + path] = None
        elif depth < DEEPEST:
            for step, item in _items(value, self.origins is not None and self.left > 0):
                self.into(item, path + step, depth + 1)

    def _run_of(self, value: Any) -> tuple[str, str] | None:
        if isinstance(value, TaskFuture):
            return "", value.run_id
        if isinstance(value, allow_failure):
            return MAY_FAIL, value.future.run_id
        if self.origins is None or self.left <= 0:
            return None
        if (origin := self.origins.streamed(value)) is not None:
            return STREAMED, origin
        origin = self.origins.of(value)
        return None if origin is None else ("", origin)


def _items(value: Any, is_known: bool) -> Iterable[tuple[str, Any]]:
    """What a container holds, by its place; all of it is of use only if origins are known."""
    kind = type(value)
    if kind is dict:
        items: Iterable[tuple[str, Any]] = ((f"[{key!r:.60}]", each) for key, each in value.items())
        values = value.values()
    elif kind in (list, tuple, set, frozenset):
        items, values = ((f"[{place}]", each) for place, each in enumerate(value)), value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return [(f".{name}", getattr(value, name, None)) for name in names]
    else:
        return ()
    if is_known and len(values) <= MOST_ITEMS:
        return items
    if not _SEARCHED.isdisjoint(map(type, values)):
        return (item for place, item in enumerate(items) if _is_wanted(place, item[1], is_known))
    return islice(items, MOST_ITEMS) if is_known else ()  # a long list of numbers is passed by fast


def _is_wanted(place: int, item: Any, is_known: bool) -> bool:
    return type(item) in _SEARCHED or (is_known and place < MOST_ITEMS)


def _is_shared(value: Any) -> bool:
    if isinstance(value, bool | type | Enum | ModuleType):
        return True
    if isinstance(value, int):
        return -6 < value < 257
    if isinstance(value, str):
        return len(value) < 2 or (len(value) <= 20 and value.isidentifier())
    return isinstance(value, tuple | bytes | frozenset) and not value
