"""The JSON Schema of a value: read off it, or declared and then checked (JSON Schema 2020-12)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from orion_nb.errors import InvalidInput

Schema = dict[str, Any]

#: Bytes of a schema that is declared, and of one that is read off a value.
DECLARED, INFERRED = 64 * 1024, 4096
#: So many members of a value are looked at, and of one object so many names told.
LOOKED_AT, NAMES = 10_000, 100
DEEP = 8

_NAMES: dict[type, str] = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string",
}  # fmt: skip
#: What a schema tells of values of one type alone.
_TOLD_OF = {"array": ("items",), "object": ("properties", "required")}


def inferred(value: Any) -> Schema | None:
    """A schema that the value fits; None if it is none of JSON's own types.

    What is too long to be looked at, or to be told, is left open: an array without `items`, say.
    """
    for deep in range(DEEP, -1, -1):
        try:
            found = _of(value, deep, _Room(LOOKED_AT))
        except TypeError:
            return None
        if len(json.dumps(found)) <= INFERRED:
            return found
    return None


class _Room:
    """How many more members may be looked at."""

    def __init__(self, left: int) -> None:
        self.left = left


def _of(value: Any, deep: int, room: _Room) -> Schema:
    kind = type(value)
    room.left -= 1
    if kind in _NAMES:
        return {"type": _NAMES[kind]}
    if kind is dict:
        if not all(type(name) is str for name in value):
            raise TypeError("JSON names the members of an object by texts")
        told: Schema = {"type": "object"}
        if deep and len(value) <= min(NAMES, room.left):
            told["properties"] = {name: _of(each, deep - 1, room) for name, each in value.items()}
            told["required"] = list(value)
        return told
    if kind is list:
        if not deep or not value or len(value) > room.left:
            return {"type": "array"}
        items = _both(_of(each, deep - 1, room) for each in value)
        return {"type": "array", "items": items}
    raise TypeError(f"JSON has no {kind.__name__}")


def _both(found: Iterable[Schema]) -> Schema:
    """A schema that fits whatever one of these fits."""
    kinds: dict[str, Schema] = {}
    for each in found:
        for kind in _types(each):
            known = kinds.get(kind)
            told_of = {name: each[name] for name in _TOLD_OF.get(kind, ()) if name in each}
            of_this: Schema = {"type": kind, **told_of}
            kinds[kind] = of_this if known is None else _merged(known, of_this)
    if "number" in kinds:
        kinds.pop("integer", None)
    told: Schema = {}
    for each in kinds.values():
        told |= {name: value for name, value in each.items() if name != "type"}
    types = list(kinds)
    return {"type": types[0] if len(types) == 1 else types, **told}


def _types(schema: Schema) -> list[str]:
    found = schema["type"]
    return [found] if isinstance(found, str) else found


def _merged(one: Schema, other: Schema) -> Schema:
    """Of two schemas of one type."""
    told: Schema = {"type": one["type"]}
    if "properties" in one and "properties" in other:
        here, there = one["properties"], other["properties"]
        names = [*here, *(name for name in there if name not in here)]
        told["properties"] = {
            name: _both(each[name] for each in (here, there) if name in each) for name in names
        }
        told["required"] = [name for name in one["required"] if name in other["required"]]
    if "items" in one and "items" in other:
        told["items"] = _both((one["items"], other["items"]))
    return told


def declared(schema: Any, value: Any, field: str = "result") -> tuple[Any, Schema]:
    """The value as JSON, and the schema that it was found to fit.

    Args:
        schema: a JSON Schema (a dict); or a type, an annotation, a pydantic model: its schema.
        value: anything that JSON can hold, or that pydantic makes so: a model, a dataclass, a date.
        field: what the value is called in errors.

    Raises:
        InvalidInput: the schema is none; or the value doesn't fit: it names the place,
            `result.rows: Input should be a valid integer, got '41'`.
    """
    plain = _as_json(value, field)
    if isinstance(schema, dict):
        made, wrong = dict(schema), _wrong_by_schema(schema, plain)
    else:
        made, wrong = _schema_and_wrong(schema, plain)
    if (size := len(json.dumps(made))) > DECLARED:
        raise InvalidInput(f"schema: {size:,} bytes, at most {DECLARED:,} are kept", field="schema")
    if wrong is not None:
        place, says = wrong
        raise InvalidInput(f"{'.'.join((field, *place))}: {says}", field=field)
    return plain, made


def annotated(annotation: Any, value: Any) -> Schema | None:
    """The schema of an annotation, if the value is JSON that fits it and it says anything."""
    if inferred(value) is None:
        return None
    try:
        return declared(annotation, value)[1] or None
    except InvalidInput:
        return None


def brief(schema: Mapping[str, Any] | bool) -> str:
    """A schema in a line, for people: `{rows: integer, names?: [string]}`."""
    if isinstance(schema, bool):  # within others: anything fits, or nothing
        return "any" if schema else "nothing"
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(brief(each) for each in choices)
    if "enum" in schema:
        return " | ".join(json.dumps(each, ensure_ascii=False) for each in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    types = schema.get("type", "any")
    return " | ".join(
        _brief(kind, schema) for kind in ([types] if isinstance(types, str) else types)
    )


def _brief(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array" and isinstance(items := schema.get("items"), dict):
        return f"[{brief(items)}]"
    if kind == "object" and (members := schema.get("properties")):
        required = schema.get("required", ())
        told = (
            f"{name}{'' if name in required else '?'}: {brief(members[name])}" for name in members
        )
        return "{" + ", ".join(told) + "}"
    return str(schema.get("format", kind))


def _as_json(value: Any, field: str) -> Any:
    from pydantic_core import PydanticSerializationError, from_json, to_json

    try:
        text = to_json(value, inf_nan_mode="constants", fallback=_number)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        says = f"{field}: JSON can't hold it: {str(error).rpartition('Error: ')[2]:.300}"
        raise InvalidInput(says, field=field) from None
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        says = f"{field}: JSON can't hold it: it has a NaN or an infinity"
        raise InvalidInput(says, field=field) from None


def _number(value: Any) -> Any:
    """What numpy and others have for a single number."""
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        return value.item()
    raise ValueError(f"it has an object of {type(value).__name__}")


Wrong = tuple[list[str], str] | None


def _wrong_by_schema(schema: Schema, plain: Any) -> Wrong:
    jsonschema: Any = import_module("jsonschema")
    nowhere = import_module("referencing").Registry()  # no schema is fetched from elsewhere
    kind = jsonschema.Draft202012Validator
    try:
        kind.check_schema(schema)
        error = next(iter(kind(schema, registry=nowhere).iter_errors(plain)), None)
    except jsonschema.SchemaError as wrong:
        says = f"schema: it is no JSON Schema (draft 2020-12): {wrong.message:.300}"
        raise InvalidInput(says, field="schema") from None
    except Exception as wrong:  # a reference that leads nowhere, an expression nobody can read
        raise InvalidInput(f"schema: it can't be used: {wrong!s:.300}", field="schema") from None
    return None if error is None else ([*map(str, error.absolute_path)], f"{error.message:.500}")


def _schema_and_wrong(annotation: Any, plain: Any) -> tuple[Schema, Wrong]:
    from pydantic import TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(annotation)
        schema: Schema = adapter.json_schema(mode="serialization")
    except Exception as error:
        why = str(error).partition("\n")[0].partition(". Set ")[0]
        says = f"schema: {annotation!r:.200} is no type, pydantic model or JSON Schema: {why:.300}"
        raise InvalidInput(says, field="schema") from None
    try:
        adapter.validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        got = f", got {first['input']!r:.100}" if first["type"] != "missing" else ""
        return schema, ([*map(str, first["loc"])], f"{first['msg']}{got}")
    return schema, None
