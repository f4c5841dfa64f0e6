"""The arguments of a flow: coerced by pydantic as annotated, and shown in short."""

from __future__ import annotations

import inspect
import math
import reprlib
import typing
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from orion_nb.errors import ParameterError
from orion_nb.secrets import redacted

SHOWN = 200


def coerced(fn: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments as the annotations say: `"2021-10-05"` for a `date` becomes one.

    What has no annotation, or one that pydantic can't read, passes untouched.

    Raises:
        ParameterError: `day: Input should be a valid date, got '2024-02-30'`.
        TypeError: the arguments don't fit the function, as Python itself says.
    """
    signature = _signature(fn)
    bound = signature.bind(*args, **kwargs)
    hints = _hints(fn) if _is_annotated(signature) else {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if name in hints and kind not in (kind.VAR_POSITIONAL, kind.VAR_KEYWORD):
            bound.arguments[name] = _coerce(name, hints[name], value)
    return bound.args, bound.kwargs


def coerced_named(fn: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The same for arguments that are given by name, and are known to fit the function.

    Raises:
        ParameterError: a value doesn't fit its annotation.
    """
    hints = _hints(fn)
    return {
        name: _coerce(name, hints[name], value) if name in hints else value
        for name, value in given.items()
    }


def preview(fn: Callable[..., Any], args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments as short JSON values, for people to read."""
    try:
        bound = _signature(fn).bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return {name: _short(value) for name, value in bound.arguments.items()}


def _signature(fn: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(fn)


def _is_annotated(signature: inspect.Signature) -> bool:
    return any(p.annotation is not p.empty for p in signature.parameters.values())


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except Exception:
        return dict(_readable_hints(inspect.unwrap(fn)))


def _readable_hints(fn: Any) -> Iterator[tuple[str, Any]]:
    """One annotation that can't be read, of a type imported for checkers only, spoils no other."""
    fn = getattr(fn, "__func__", fn)
    for name, annotation in getattr(fn, "__annotations__", {}).items():
        alone = SimpleNamespace(__annotations__={name: annotation})
        with suppress(Exception):
            names = {**getattr(fn, "__globals__", {}), **inspect.getclosurevars(fn).nonlocals}
            yield name, typing.get_type_hints(alone, names, include_extras=True)[name]


def _coerce(name: str, annotation: Any, value: Any) -> Any:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError

    if annotation is Any or inspect.isroutine(annotation):
        return value  # `threading.Lock` is a function: no type to check by
    try:
        adapter = _adapter(annotation, TypeAdapter, ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        return value
    try:
        return adapter.validate_python(value)
    except PydanticUserError:
        return value
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        raise ParameterError(f"{where}: {first['msg']}, got {_text(value)}", field=name) from None


def _adapter(annotation: Any, adapter: Any, config: Any) -> Any:
    from pydantic import PydanticUserError

    try:
        return adapter(annotation, config=config)
    except PydanticUserError:
        # Models, dataclasses and typed dicts bring their own configuration.
        return adapter(annotation)


def _short(value: Any) -> Any:
    """The value itself where JSON has it exactly, else its text."""
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int and abs(value) < 2**53:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, str):
        return _cut(str(value))
    return _text(value)


class _Brief(reprlib.Repr):
    """A long list is not written out whole only to be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 20
        self.maxlevel, self.maxstring, self.maxother = 4, SHOWN, SHOWN


_BRIEF = _Brief()


def _text(value: Any) -> str:
    try:
        return _cut(_BRIEF.repr(value))
    except Exception:
        return f"<{type(value).__name__}>"


def _cut(text: str) -> str:
    text = redacted(text)
    short = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return short.encode("utf-8", "replace").decode("utf-8")  # lone surrogates can't be stored
