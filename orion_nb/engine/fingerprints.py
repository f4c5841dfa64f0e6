"""Fingerprints: of any value, of a function's source, and of all that it reaches."""

from __future__ import annotations

import functools
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from orion_nb.engine.prints import join
from orion_nb.engine.reach import Reach, hex_of, inner_of
from orion_nb.schemas.values import frozen


@frozen
class Part:
    """One part of a key: what a person would call it, and its print, 64 hex digits."""

    name: str
    print: str


@frozen
class Reached:
    """What a function reaches: parts by name, and notes on what counts by its type only."""

    parts: dict[str, str]
    notes: tuple[str, ...] = ()


def fingerprint(value: Any) -> str:
    """64 hex digits: the same for equal values in any process, others for any other value.

    `True`, `1` and `1.0` are others, and so are `0.0` and `-0.0`. Equal dicts have one print
    whatever their order. A function, a class of the user's and an instance of one count by
    their source and all that it reaches. An object may tell what it is known by itself:
    `__orion_fingerprint__()` answers any value that has a print.

    Raises:
        Unhashable: a member has no content to know it by: a lock, a connection, a generator, an
            object that tells of itself differently each time. The text leads to it.
    """
    reach = Reach()
    made = reach.given.root(value)
    reach.follow()
    return hex_of(join("value", made, *reach.told()) if reach.has_parts else made)


def source_of(fn: Any) -> Part:
    """The source of a function or of what wraps one: without layout, comments and docstrings.

    Decorators of ours don't count. Where there is no source, the bytecode does.

    Raises:
        Unhashable: it is an object that can be called and has no content to know it by.
    """
    reach, (root, _) = Reach(), unwrapped(fn)
    return Part("source", hex_of(reach.source(root)))


def reached(fn: Any) -> Reached:
    """What a function reaches: helper functions, classes, globals, modules, and what those reach.

    - Code that is not in an installed package, or is in the function's own, counts by its source:
      cells, modules beside the notebook, packages installed to be edited in place.
    - Code of an installed package counts by the package's version.
    - Globals, closed-over variables and defaults of helpers count by content.
    - Of these, a tool without content (a lock, a connection, a client) counts by its type, with a
      note: an answer is cached although its connection can't be compared.
    - Data without content (a generator, an open file, a lazy query, an object that tells of itself
      differently each time) makes the key unavailable: a stale answer would be worse than none.

    What code asks the world outside for (files, the environment, the time) is not seen.

    Raises:
        Unhashable: a global or a closed-over variable has no content; the text names it.
    """
    root, _ = unwrapped(fn)
    reach = Reach(root)
    reach.source(root)
    reach.follow()
    return Reached(reach.as_text(), tuple(reach.notes))


def unwrapped(fn: Any) -> tuple[Any, dict[str, Any]]:
    """The function within flows, tasks, partials, methods and objects that are called.

    With it: what it is bound to, by the name of the part.
    """
    bound: dict[str, Any] = {}
    while True:
        if (inner := inner_of(fn)) is not None:
            fn = inner
        elif isinstance(fn, functools.partial):
            bound.setdefault("bound by partial", []).append((fn.args, fn.keywords))
            fn = fn.func
        elif isinstance(fn, MethodType):
            bound["argument self"], fn = fn.__self__, fn.__func__
        elif _is_data(fn) and isinstance(call := _call_of(type(fn)), FunctionType):
            bound["argument self"], fn = fn, call
        else:
            return fn, bound


def _call_of(kind: type) -> Any:
    return next((vars(each)["__call__"] for each in kind.__mro__ if "__call__" in vars(each)), None)


def _is_data(thing: Any) -> bool:
    return not isinstance(thing, FunctionType | BuiltinFunctionType | type)
