"""The cache key of a call: what it is made of, by name, and what changed between two keys."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from string import Formatter
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from orion_nb.engine.fingerprints import unwrapped
from orion_nb.engine.prints import Unhashable as Unhashable  # what callers catch
from orion_nb.engine.reach import Reach, hex_of
from orion_nb.engine.walk import Walk
from orion_nb.errors import InvalidInput
from orion_nb.schemas import durations
from orion_nb.schemas.values import frozen

SHOWN = 16  # hex digits of a part's print


@frozen
class CachePolicy:
    """How long an answer may be used again: `expires` in seconds, None for ever."""

    expires: float | None = None


@frozen
class CacheKey:
    """Calls with the same key have the same answer.

    `key` has 64 hex digits. `parts` says what it is made of: `argument x`, `function clean`,
    `global THRESHOLD`, `source`, each with 16 hex digits; `package pandas` with its version.
    `notes` says what counts by its type only, in sentences.
    """

    key: str
    parts: dict[str, str]
    notes: tuple[str, ...] = ()


def read_cache(value: bool | str | float | timedelta | None) -> CachePolicy | None:
    """The policy that a `cache=` option asks for; None when nothing is to be cached.

    Args:
        value: True for ever; `"1w"`, a number of seconds or a timedelta for so long; None or
            False for no caching.

    Raises:
        InvalidInput: `cache: '10x' is not a duration (try 10s, 5m, 1h30m)`.
    """
    if value is None or value is False:
        return None
    if value is True:
        return CachePolicy()
    expires = durations.seconds(value, field="cache")
    if expires == 0:
        raise InvalidInput(f"cache: {value!r} keeps no answer at all", field="cache")
    return CachePolicy(expires)


def key_for(
    fn: Callable[..., Any],
    name: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
) -> CacheKey:
    """The key of a call, from the function's source, its arguments and all that it reaches.

    Arguments are bound to their names and defaults applied: `f(1)` and `f(x=1)` have one key.

    Args:
        fn: the function, or a task, partial, method or object that is called.
        name: what the task is called.
        args: as the function is called with.
        kwargs: likewise.
        extra: more values that the answer depends on, by what a person would call them.

    Raises:
        Unhashable: an argument or a global has no content to know it by, or the arguments don't
            fit the function. Then there is no key: call the function without caching, and say so.
    """
    root, held = unwrapped(fn)
    reach = Reach(root)
    source = reach.source(root)
    parts = {"task": hex_of(name.encode()), "source": hex_of(source)}
    given = _each(fn, arguments_of(fn, args, kwargs))
    for label, value in {**held, **given, **(extra or {})}.items():
        parts[label] = _print(reach.given, label, value)
    reach.follow()
    return _key({**parts, **reach.as_text()}, (*reach.given.notes, *reach.notes))


def key_for_custom(
    name: str,
    custom: str | Callable[[dict[str, Any]], Any],
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
) -> CacheKey:
    """The key of a call as its author wants it: neither source nor arguments count of themselves.

    Args:
        name: what the task is called; two tasks with the same text have two keys.
        custom: a text, in which `{day}` or `{day:%Y-%m}` stands for an argument; or a function of
            the dict of arguments by name, whose answer is the key. It may answer None: this call
            is not cached.
        fn: the function.
        args: as the function is called with.
        kwargs: likewise.
        extra: more values that the answer depends on, by what a person would call them.

    Raises:
        Unhashable: the text can't be filled, the function raised or answered None, or what it
            answered has no content to know it by.
    """
    reach = Reach()
    chosen = _chosen(custom, arguments_of(fn, args, kwargs))
    parts = {"task": hex_of(name.encode())}
    for label, value in {"custom key": chosen, **(extra or {})}.items():
        parts[label] = _print(reach.given, label, value)
    reach.follow()
    return _key({**parts, **reach.as_text()}, (*reach.given.notes, *reach.notes))


def check_custom(custom: Any, fn: Callable[..., Any]) -> None:
    """A `cache_key=` option can be read: what is wrong with it is said where it is written.

    Raises:
        InvalidInput: naming the field that is no argument, and the arguments there are.
    """
    if custom is None or (callable(custom) and not isinstance(custom, str)):
        return
    if not isinstance(custom, str) or not custom:
        says = "a text such as '{day}', or a function of the arguments"
        raise InvalidInput(f"cache_key: {custom!r} is not {says}", field="cache_key")
    try:
        fields = [each[1] for each in Formatter().parse(custom) if each[1] is not None]
        signature = _signature(fn)
    except ValueError as error:
        raise InvalidInput(
            f"cache_key: {custom!r} can't be read: {error}", field="cache_key"
        ) from None
    if signature is None or any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        return
    for each in fields:
        first = each.partition(".")[0].partition("[")[0]
        if first not in signature.parameters:
            raise _unknown(custom, first, list(signature.parameters))


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What changed between the parts of two keys, in sentences: `argument x changed`."""
    told = []
    for name in dict.fromkeys([*new, *old]):
        if name not in old:
            told.append(f"{name} is new")
        elif name not in new:
            told.append(f"{name} is gone")
        elif old[name] != new[name]:
            versions = f" ({old[name]} → {new[name]})" if name.startswith("package ") else ""
            told.append(f"{name} changed{versions}")
    return told


def arguments_of(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by name, defaults applied.

    Raises:
        Unhashable: they don't fit; the call itself says how.
    """
    signature = _signature(fn)
    if signature is None:
        return {**{str(at): value for at, value in enumerate(args)}, **kwargs}
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise Unhashable(f"the arguments don't fit: {error}") from None
    bound.apply_defaults()
    return dict(bound.arguments)


def _each(fn: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as parts; those of `**options` one by one, as `argument options.x`."""
    signature = _signature(fn)
    listed = signature.parameters.values() if signature else ()
    several = [each.name for each in listed if each.kind is each.VAR_KEYWORD]
    parts = {f"argument {name}": value for name, value in arguments.items() if name not in several}
    for name in several:
        for key, value in sorted(arguments[name].items()):
            parts[f"argument {name}.{key}"] = value
    return parts


def _key(parts: dict[str, str], notes: tuple[str, ...]) -> CacheKey:
    text = "\n".join(f"{name}\t{made}" for name, made in sorted(parts.items()))
    shown = {
        name: made if name.startswith("package ") else made[:SHOWN] for name, made in parts.items()
    }
    return CacheKey(sha256(text.encode()).hexdigest(), shown, notes)


def _print(walk: Walk, label: str, value: Any) -> str:
    try:
        return hex_of(walk.root(value))
    except Unhashable as error:
        raise error.within(label) from None


def _chosen(custom: str | Callable[[dict[str, Any]], Any], arguments: dict[str, Any]) -> Any:
    try:
        chosen = custom.format_map(arguments) if isinstance(custom, str) else custom(arguments)
    except Exception as error:  # a user's function, or a user's __format__
        raise Unhashable(f"cache_key: {type(error).__name__}: {error}") from error
    if chosen is None:
        raise Unhashable("cache_key answered None")
    return chosen


def _unknown(custom: str, name: str, there_are: list[str]) -> InvalidInput:
    told = f"there are {', '.join(there_are)}" if there_are else "there are none"
    return InvalidInput(
        f"cache_key: {name!r} of {custom!r} is no argument; {told}", field="cache_key"
    )


def _signature(fn: Any) -> inspect.Signature | None:
    """The signature, remembered while the function and its defaults stay; None if it has none."""
    is_plain = isinstance(fn, FunctionType)
    if is_plain and (known := _signatures.get(fn)) and known[0] is fn.__defaults__:
        return known[1]
    try:
        found = inspect.signature(fn)
    except (ValueError, TypeError):
        return None
    if is_plain:
        _signatures[fn] = fn.__defaults__, found
    return found


_signatures: WeakKeyDictionary[FunctionType, tuple[Any, inspect.Signature]] = WeakKeyDictionary()
