"""Frozen dataclasses that are made as fast as open ones, and whose classes are made faster, too.

A frozen dataclass sets each field through a function call: 26 of them cost more than the rest of a
run's bookkeeping. Here an instance is filled while it belongs to an open twin of its class, with
the same slots, and becomes one of its class when it is full. And `dataclass` compiles six methods a
class: of fifty classes that was a third of the time in which the library is imported. Here they
share all but the constructor. What users see is an ordinary frozen dataclass.
`benchmarks/task_overhead.py` and `import_cost.py` show what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

C = TypeVar("C")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[C]) -> type[C]:
    """The class is a dataclass, frozen and with slots; it has no base and no `__post_init__`."""
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    for name, method in _SHARED.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    made.__dataclass_params__.frozen = True  # so that a subclass can be frozen, too
    all_fields = fields(made)
    _twins[made] = type(cls.__name__, (), {"__slots__": tuple(each.name for each in all_fields)})
    made.__init__ = _constructor(made, all_fields)
    done: type[C] = made
    return done


def _constructor(cls: type, all_fields: Iterable[Field[Any]]) -> Callable[..., None]:
    scope: dict[str, Any] = {"cls": cls, "twin": _twins[cls], "hand": _hand, "missing": MISSING}
    heads, sets = ["self"], []
    for each in all_fields:
        if each.kw_only and "*" not in heads:
            heads.append("*")
        value = each.name
        if each.default is not MISSING:
            scope[f"default_{each.name}"] = each.default
            heads.append(f"{each.name}=default_{each.name}")
        elif each.default_factory is not MISSING:
            scope[f"make_{each.name}"] = each.default_factory
            heads.append(f"{each.name}=missing")
            value = f"make_{each.name}() if {each.name} is missing else {each.name}"
        else:
            heads.append(each.name)
        sets.append(f"    self.{each.name} = {value}\n")
    return _compiled(
        cls,
        "__init__",
        f"def __init__({', '.join(heads)}):\n    hand(self, '__class__', twin)\n{''.join(sets)}"
        "    self.__class__ = cls\n",
        scope,
    )


def evolve(value: C, **changes: Any) -> C:
    """The value with some fields changed: `dataclasses.replace`, for those made `frozen`."""
    kind: Any = type(value)
    changed: C = _evolving(kind)(value, changes)
    return changed


@cache
def _evolving(cls: type) -> Callable[..., Any]:
    copies = "".join(f"    new_one.{each.name} = self.{each.name}\n" for each in _fields(cls))
    return _compiled(
        cls,
        "evolved",
        f"def evolved(self, changes):\n    new_one = new(twin)\n{copies}"
        "    for name, value in changes.items():\n        setattr(new_one, name, value)\n"
        "    new_one.__class__ = cls\n    return new_one\n",
        {"cls": cls, "twin": _twins[cls], "new": object.__new__},
    )


@cache
def evolver(cls: type[C], *names: str) -> Callable[..., C]:
    """`evolve` for these fields: a function of the value and of what they are to be, in order.

    It is made once, which takes as long as 200 values do, and is twice as fast then.
    """
    sets = "".join(
        f"    new_one.{each.name} = {'' if each.name in names else 'self.'}{each.name}\n"
        for each in _fields(cls)
    )
    return _compiled(
        cls,
        "evolved",
        f"def evolved(self, {', '.join(names)}):\n    new_one = new(twin)\n{sets}"
        "    new_one.__class__ = cls\n    return new_one\n",
        {"cls": cls, "twin": _twins[cls], "new": object.__new__},
    )


def names_of(cls: type) -> tuple[str, ...]:
    """The names of the fields, in order."""
    return tuple(each.name for each in _fields(cls))


def as_dict(value: object) -> dict[str, Any]:
    """The fields by name; what is in them stays as it is."""
    return {each.name: getattr(value, each.name) for each in _fields(type(value))}


def complete(value: object, name: str, known: object) -> None:
    """A field is set of a value that was just made and that nobody else has seen yet."""
    _hand(value, name, known)


def _compiled(cls: type, name: str, source: str, scope: dict[str, Any]) -> Callable[..., Any]:
    exec(source, scope)
    made: Callable[..., Any] = scope[name]
    made.__qualname__ = f"{cls.__qualname__}.{name}"
    return made


def _fields(cls: type) -> tuple[Field[Any], ...]:
    found: Any = cls
    return fields(found)


@cache
def _weighed(cls: type) -> Callable[[Any], Any]:
    """What two of them are compared by."""
    return attrgetter(*[each.name for each in _fields(cls) if each.compare])


def _shown(self: Any) -> str:
    told = [
        f"{each.name}={getattr(self, each.name)!r}" for each in _fields(type(self)) if each.repr
    ]
    return f"{type(self).__qualname__}({', '.join(told)})"


def _equals(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    weigh = _weighed(self.__class__)
    return weigh(self) == weigh(other)


def _hashed(self: Any) -> int:
    return hash(_weighed(self.__class__)(self))


def _not_set(_: Any, name: str, __: Any) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _not_deleted(_: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _taken_apart(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in _fields(type(self))]


def _put_together(self: Any, state: list[Any]) -> None:
    for each, value in zip(_fields(type(self)), state, strict=True):
        _hand(self, each.name, value)


_SHARED = {
    "__repr__": _shown,
    "__eq__": _equals,
    "__hash__": _hashed,
    "__setattr__": _not_set,
    "__delattr__": _not_deleted,
    "__getstate__": _taken_apart,
    "__setstate__": _put_together,
}
_hand = object.__setattr__
_twins: dict[type, type] = {}
