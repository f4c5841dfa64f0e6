"""The print of one function or class as it was written, without what it reaches."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from orion_nb.engine.prints import Unhashable, join, name_of
from orion_nb.engine.sources import print_of_code
from orion_nb.engine.walk import Walk

#: What Python and pydantic keep in a class beside what its author wrote; some of it grows in use.
UNTOLD = frozenset(
    "__dict__ __weakref__ __doc__ __module__ __qualname__ __firstlineno__ __static_attributes__"
    " __annotate__ __annotate_func__ __annotations_cache__ __abstractmethods__ _abc_impl"
    " __signature__ __orig_bases__ __parameters__ __type_params__ __dataclass_fields__"
    " __dataclass_params__ __classcell__ __annotations__ __class_vars__"
    " _value2member_map_ _hashable_values_ _unhashable_values_ _unhashable_values_map_".split()
)
#: Made by C code from what is told elsewhere in the class.
SLOTS = ("member_descriptor", "getset_descriptor", "_tuplegetter", "wrapper_descriptor")


def print_of_function(walk: Walk, fn: FunctionType) -> bytes:
    parts = [name_of(fn).encode(), print_of_code(fn.__code__, fn.__globals__)]
    defaults = enumerate(fn.__defaults__ or ())
    held = [*closed_over(fn), *defaults, *sorted((fn.__kwdefaults__ or {}).items())]
    with lenient(walk):
        for name, value in held:
            try:
                parts.append(join(str(name), walk.of(value)))
            except Unhashable as error:
                raise error.within(f"<{name}>") from None
    return join("function", *parts)


def print_of_class(walk: Walk, cls: type) -> bytes:
    parts = [name_of(cls).encode(), *map(walk.of, (type(cls), *cls.__bases__))]
    with lenient(walk):
        for name, value in sorted(_members(cls), key=lambda member: member[0]):
            try:
                parts.append(join(name, walk.of(value)))
            except Unhashable as error:
                if walk.code.is_own(type(value).__module__) or type(value).__module__ == "builtins":
                    raise error.within(f".{name}") from None
                parts.append(walk.by_type(type(value)))  # an ORM's column, a framework's registry
        parts.append(_annotations(walk, cls))
    return join("class", *parts)


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(cls).items():
        if name == "__pydantic_fields__" or not _is_untold(name, value):
            yield name, value


def _annotations(walk: Walk, cls: type) -> bytes:
    """They count where a library reads them; what can't be told of them, it hardly could."""
    try:
        return walk.of(dict(cls.__annotations__))
    except (AttributeError, NameError, Unhashable):
        return b""


def _is_untold(name: str, value: Any) -> bool:
    is_made = type(value).__name__ in SLOTS or name.startswith("__pydantic")
    return is_made or name in UNTOLD


def closed_over(fn: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def insides_of(thing: Any) -> tuple[Any, ...]:
    """The functions that a class keeps in a descriptor."""
    match thing:
        case staticmethod() | classmethod():
            return (thing.__func__,)
        case property():
            return thing.fget, thing.fset, thing.fdel
        case functools.cached_property():
            return (thing.func,)
    return ()


def module_of(thing: Any) -> str:
    """Where code was written; a decorator may have given it the name of another module."""
    if isinstance(thing, FunctionType):
        return str(thing.__globals__.get("__name__") or thing.__module__ or "")
    return str(getattr(thing, "__module__", None) or type(thing).__module__)


@contextmanager
def lenient(walk: Walk) -> Iterator[None]:
    """What code holds, unlike what it is given, may be a tool that counts by its type."""
    before, walk.is_lenient = walk.is_lenient, True
    try:
        yield
    finally:
        walk.is_lenient = before
