"""Which runs the arguments of a call come from: by the futures among them, and by identity.

A value that a task returned is recognised when it is passed on, through lists, tuples, sets, dicts
and dataclasses. What Python shares among everybody (None, small numbers, short words) is not.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from orion_nb.engine.futures import Inputs, TaskFuture, allow_failure

#: So many items of one container are looked at, and so deep.
MOST_ITEMS = 1_000
DEEPEST = 8

#: The path of an argument begins so if its run may still go on, or may fail.
STREAMED, MAY_FAIL = "~", "?"
_SEARCHED = frozenset({TaskFuture, allow_failure, list, tuple, set, frozenset, dict})

#: Values that can't be referred to weakly are held until so many others have come.
MOST_HELD = 16
MOST_SCALARS = 512


class Origins:
    """Which run each value came from that a task has returned lately."""

    def __init__(self) -> None:
        self._weak: dict[int, tuple[str, weakref.ref[Any]]] = {}
        self._held: OrderedDict[int, tuple[str, Any]] = OrderedDict()
        self._scalars: OrderedDict[int, tuple[str, Any]] = OrderedDict()
        self._streams: dict[str, Any] = {}

    def note(self, value: Any, run_id: str) -> None:
        """The run returned this very object."""
        if value is None or _is_shared(value):
            return
        key = id(value)
        if isinstance(value, (int, float, complex, str)):
            _keep(self._scalars, key, (run_id, value), MOST_SCALARS)
            return
        try:
            ref = weakref.ref(value, partial(self._forget, key))
        except TypeError:
            _keep(self._held, key, (run_id, value), MOST_HELD)
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

    def of(self, value: Any) -> str | None:
        """The id of the run that returned this very object, if it is known."""
        key = id(value)
        found = self._weak.get(key) or self._held.get(key) or self._scalars.get(key)
        return found[0] if found else None

    def clear(self) -> None:
        """Nothing is known any more."""
        for known in (self._weak, self._held, self._scalars, self._streams):
            known.clear()

    def __bool__(self) -> bool:
        return bool(self._weak or self._held or self._scalars or self._streams)


def inputs_of(
    names: Sequence[str], args: Sequence[Any], kwargs: dict[str, Any], origins: Origins | None
) -> Inputs:
    """The runs that the arguments come from; `names` are those of the positional parameters."""
    if not args and not kwargs:
        return ()
    found: dict[tuple[str, str], None] = {}
    known = origins if origins else None
    for place, value in enumerate(args):
        name = names[place] if place < len(names) else f"args[{place}]"
        found |= dict.fromkeys(_walk(value, name, known, 0))
    for name, value in kwargs.items():
        found |= dict.fromkeys(_walk(value, name, known, 0))
    return tuple(found)


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


def _walk(value: Any, path: str, origins: Origins | None, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, TaskFuture):
        yield value.run_id, path
        return
    if isinstance(value, allow_failure):
        yield value.future.run_id, MAY_FAIL + path
        return
    if origins is not None:
        if (origin := origins.streamed(value)) is not None:
            yield origin, STREAMED + path
            return
        if (origin := origins.of(value)) is not None:
            yield origin, path
            return
    if depth < DEEPEST:
        for step, item in _items(value, all_of_it=origins is None):
            yield from _walk(item, path + step, origins, depth + 1)


def _items(value: Any, all_of_it: bool) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        if all_of_it and _SEARCHED.isdisjoint(map(type, value)):
            return  # a long list of numbers is passed by fast
        for place, item in enumerate(value):
            if place >= MOST_ITEMS and not isinstance(item, TaskFuture):
                continue
            yield f"[{place}]", item
    elif kind is dict:
        for place, (key, item) in enumerate(value.items()):
            if place < MOST_ITEMS or isinstance(item, TaskFuture):
                yield f"[{key!r:.60}]", item
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield f".{field.name}", getattr(value, field.name, None)


def _is_shared(value: Any) -> bool:
    if isinstance(value, bool | type):
        return True
    if isinstance(value, int):
        return -6 < value < 257
    if isinstance(value, str):
        return len(value) < 2 or (len(value) <= 20 and value.isidentifier())
    return isinstance(value, tuple | bytes | frozenset) and not value


def _keep(
    kept: OrderedDict[int, tuple[str, Any]], key: int, entry: tuple[str, Any], most: int
) -> None:
    kept[key] = entry
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
