"""The arguments of a flow: coerced by pydantic as annotated, and shown in short."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from orion_nb.errors import ParameterError

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
        return {}


def _coerce(name: str, annotation: Any, value: Any) -> Any:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError

    if annotation is Any:
        return value
    try:
        adapter = _adapter(annotation, TypeAdapter, ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        return value
    try:
        return adapter.validate_python(value)
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
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
    return _text(value)


def _text(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
