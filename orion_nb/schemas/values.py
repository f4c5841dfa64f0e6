"""Frozen dataclasses that are made as fast as open ones.

A frozen dataclass sets each field through a function call: 26 of them cost more than the rest of a
run's bookkeeping. Here an instance is filled while it belongs to an open twin of its class, with
the same slots, and becomes one of its class when it is full. What users see is an ordinary frozen
dataclass. `benchmarks/task_overhead.py` shows what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, TypeVar, cast

C = TypeVar("C")


def quick(cls: type[C]) -> type[C]:
    """A frozen dataclass with slots is made, and evolved, about five times as fast.

    For classes whose only base is `object`, without `__post_init__`.
    """
    names = [field.name for field in fields(cast("Any", cls))]
    twin = type(cls.__name__, (), {"__slots__": tuple(names)})
    scope: dict[str, Any] = {"cls": cls, "twin": twin, "new": object.__new__, "hand": _hand}
    heads, sets = ["self"], []
    for field in fields(cast("Any", cls)):
        if field.kw_only and "*" not in heads:
            heads.append("*")
        value = field.name
        if field.default is not MISSING:
            scope[f"default_{field.name}"] = field.default
            heads.append(f"{field.name}=default_{field.name}")
        elif field.default_factory is not MISSING:
            scope[f"make_{field.name}"] = field.default_factory
            scope["missing"] = MISSING
            heads.append(f"{field.name}=missing")
            value = f"make_{field.name}() if {field.name} is missing else {field.name}"
        else:
            heads.append(field.name)
        sets.append(f"    self.{field.name} = {value}\n")
    copies = "".join(f"    new_one.{name} = self.{name}\n" for name in names)
    _twins[cls] = twin
    source = (
        f"def __init__({', '.join(heads)}):\n    hand(self, '__class__', twin)\n{''.join(sets)}"
        "    self.__class__ = cls\n"
        f"def evolved(self, changes):\n    new_one = new(twin)\n{copies}"
        "    for name, value in changes.items():\n        setattr(new_one, name, value)\n"
        "    new_one.__class__ = cls\n    return new_one\n"
    )
    exec(source, scope)
    for name in ("__init__", "evolved"):
        scope[name].__qualname__ = f"{cls.__qualname__}.{name}"
    cls.__init__ = scope["__init__"]  # type: ignore[method-assign]
    _evolved[cls] = scope["evolved"]
    return cls


def evolve(value: C, **changes: Any) -> C:
    """The value with some fields changed: `dataclasses.replace`, for classes made `quick`."""
    changed: C = _evolved[type(value)](value, changes)
    return changed


@cache
def evolver(cls: type[C], *names: str) -> Callable[..., C]:
    """`evolve` for these fields: a function of the value and of what they are to be, in order.

    It is made once, which takes as long as 200 values do, and is twice as fast then.
    """
    sets = "".join(
        f"    new_one.{field.name} = {'' if field.name in names else 'self.'}{field.name}\n"
        for field in fields(cast("Any", cls))
    )
    scope: dict[str, Any] = {"cls": cls, "twin": _twins[cls], "new": object.__new__}
    exec(
        f"def evolved(self, {', '.join(names)}):\n    new_one = new(twin)\n{sets}"
        "    new_one.__class__ = cls\n    return new_one\n",
        scope,
    )
    made: Callable[..., C] = scope["evolved"]
    return made


def complete(value: object, name: str, known: object) -> None:
    """A field is set of a value that was just made and that nobody else has seen yet."""
    _hand(value, name, known)


_hand = object.__setattr__
_evolved: dict[type, Any] = {}
_twins: dict[type, type] = {}
