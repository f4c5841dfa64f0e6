"""The edge of HTTP, without HTTP: a request's values become a method's arguments, results bytes.

What a route takes is read off its method's signature; pydantic checks the values. Bodies are taken
strictly (a text is no number), queries are texts and are read as what the signature asks for.
"""

from __future__ import annotations

import difflib
import inspect
import json
import math
import operator
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache, reduce
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import parse_qsl

from pydantic import (
    AllowInfNan,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from orion_nb.api.routes import Route
from orion_nb.api.written import Written
from orion_nb.clock import LAST_MOMENT, micros
from orion_nb.errors import BadRequest, InvalidInput
from orion_nb.schemas.nesting import depth
from orion_nb.schemas.values import frozen

#: JSON may be nested this deep.
DEPTH = 64
#: What Jupyter and its front ends add to any query, besides a number that defeats caches.
FOREIGN = frozenset({"token", "_xsrf", "no_track_activity"})
NOT_A_MOMENT = "input should be microseconds since 1970, UTC, or ISO 8601 with an offset"


@frozen
class Argument:
    """One argument of a route, and what it may be."""

    name: str
    default: Any
    type: TypeAdapter[Any]
    #: no error repeats its value
    hidden: bool = False

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    def read(self, value: Any) -> Any:
        """The value as the method takes it.

        Raises:
            InvalidInput: naming the field, what it should be and what it is.
        """
        try:
            return self.type.validate_python(value)
        except ValidationError as error:
            if self.hidden:
                raise InvalidInput(f"{self.name}: not a text", field=self.name) from None
            raise _refused(self.name, error, value) from error


@lru_cache(maxsize=256)
def arguments(route: Route) -> dict[str, dict[str, Argument]]:
    """What the route's method takes: for the path, the query and the body, by name."""
    found: dict[str, dict[str, Argument]] = {"path": {}, "query": {}, "body": {}}
    for each in route.parameters:
        place = route.place(each.name)
        config = ConfigDict(strict=place == "body")
        adapter = TypeAdapter(checked(each.annotation), config=config)
        hidden = "hidden" in getattr(each.annotation, "__metadata__", ())
        found[place][each.name] = Argument(each.name, each.default, adapter, hidden)
    return found


def read_arguments(
    route: Route, path: Mapping[str, str], query: str = "", body: bytes = b""
) -> dict[str, Any]:
    """The keyword arguments for the route's method, out of the parts of a request.

    Raises:
        BadRequest: the body or the query can't be read at all.
        InvalidInput: a value is missing, unknown, or not what the route takes.
    """
    given = {"path": path, "query": read_query(query), "body": read_body(body)}
    read: dict[str, Any] = {}
    for place, known in arguments(route).items():
        for name, value in given[place].items():
            if name not in known:
                raise _unknown(place, name, list(known))
            read[name] = known[name].read(value)
        for each in known.values():
            if each.required and each.name not in read:
                raise InvalidInput(f"{each.name}: missing in the {place}", field=each.name)
    return read


def read_query(text: str) -> dict[str, str]:
    """The names and values of a query string, each name once.

    Raises:
        BadRequest: it is not UTF-8, or has more than a hundred values.
        InvalidInput: a name is given twice.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise BadRequest(f"query: can't be read: {error}", field="query") from error
    read: dict[str, str] = {}
    for name, value in pairs:
        if name in FOREIGN or (name.isdecimal() and not value):
            continue
        if name in read:
            raise InvalidInput(f"{shown(name, 40)}: given twice in the query", field=name)
        read[name] = value
    return read


def read_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; of an empty body, an empty one.

    Raises:
        BadRequest: it is no JSON object in UTF-8 as RFC 8259 has it, or is nested too deep.
    """
    if not body:
        return {}
    try:
        text = body.decode()
        told = _JSON.decode(text)
        if "\\u" in text:
            json.dumps(told, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else error
        raise BadRequest(f"body: not JSON that can be read: {why}", field="body") from error
    if not isinstance(told, dict):
        raise BadRequest(f"body: expected a JSON object, got {shown(told)}", field="body")
    if _depth_may_exceed(body) and depth(told) > DEPTH:
        raise BadRequest(f"body: nested deeper than {DEPTH} levels", field="body")
    return told


def render(result: Any) -> bytes:
    """A result as JSON: of values with `as_json`, what that says."""
    if isinstance(result, Written):
        return result.text.encode()
    told = result.as_json() if hasattr(result, "as_json") else result
    try:
        text = json.dumps(told, allow_nan=False, separators=(",", ":"), default=str)
    except ValueError:  # a NaN that came from Python; JSON has none
        text = json.dumps(_finite(told), separators=(",", ":"), default=str)
    return text.encode()


def checked(annotation: Any) -> Any:
    """An annotation with what a request's values must keep to besides."""
    if get_origin(annotation) is Annotated and "moment" in annotation.__metadata__:
        return Moment
    if get_origin(annotation) is Annotated and "hidden" in annotation.__metadata__:
        return Hidden
    if annotation is int:
        return Annotated[int, Field(ge=-(2**63), lt=2**63)]
    if annotation is float:
        return Annotated[float, AllowInfNan(False)]
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return Annotated[annotation, Strict(False)]
    if type(None) in get_args(annotation):
        return reduce(operator.or_, [checked(each) for each in get_args(annotation)])
    return annotation


def read_moment(value: Any) -> int:
    """A moment in microseconds, from that or from ISO 8601 with an offset."""
    found = value
    if isinstance(value, str):
        found = int(value) if value.isdecimal() and len(value) < 20 else _iso(value)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= LAST_MOMENT:
        raise PydanticCustomError("moment", NOT_A_MOMENT)
    return found


Moment = Annotated[
    int,
    BeforeValidator(read_moment),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "format": "date-time",
            "description": "Microseconds since 1970, UTC, or ISO 8601 with an offset.",
        }
    ),
]


#: A text that is taken and never told.
Hidden = Annotated[str, WithJsonSchema({"type": "string", "format": "password", "writeOnly": True})]


def shown(value: Any, longest: int = 100) -> str:
    """A value as it is quoted in an error: never longer than a line."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _iso(text: str) -> int | None:
    try:
        return micros(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _refused(name: str, error: ValidationError, value: Any) -> InvalidInput:
    # A union is refused by each of its members: their messages are put together.
    details = error.errors(include_url=False)
    inside = [str(part) for part in details[0]["loc"] if isinstance(part, int)]
    field = ".".join([name, *inside])
    messages = dict.fromkeys(_lower(each["msg"]) for each in details)
    got = details[0]["input"] if inside else value
    return InvalidInput(f"{field}: {' or '.join(messages)}, got {shown(got)}", field=field)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _unknown(place: str, name: str, known: list[str]) -> InvalidInput:
    close = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    there = f"there are {', '.join(known)}" if known else "there is none"
    says = f"{shown(name, 40)}: not known in the {place}{hint} ({there})"
    return InvalidInput(says, field=name[:100])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(twice, 40)} is given twice")
    return made


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no number of JSON")
    return value


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_float)


def _depth_may_exceed(body: bytes) -> bool:
    return body.count(b"[") + body.count(b"{") > DEPTH


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
