"""The OpenAPI 3.1 document of the routes, read off the methods that answer them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from orion_nb.api.orion import version
from orion_nb.api.routes import Route
from orion_nb.api.wire import Argument, arguments
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run

ABOUT = """\
Runs of flows and tasks, the states they enter under rules, and deployments of notebooks.

Every request shows a token of the Jupyter server (`Authorization: token TOKEN`), or the cookie of
somebody who signed in; with the cookie, what is not GET carries the `_xsrf` cookie's value in the
header `X-XSRFToken`. Bodies are one JSON object, sent with `Content-Type: application/json`.
Times are microseconds since 1970, UTC; in requests also ISO 8601 with an offset.

A request that changes something may carry the header `Idempotency-Key`, with up to 255 characters
that the client makes up. The same request with the same key gets its first answer again, for seven
days, and does nothing; another request with that key is refused (422, `IdempotencyKeyReuse`)."""

#: What the values that answer routes keep to themselves: their `as_json` leaves it out.
ANSWERS: dict[type, frozenset[str]] = {
    Run: frozenset({"token", "session"}),
    Report: frozenset({"fenced", "marks", "cancels", "limits"}),
}

ERRORS = {
    "400": "The request can't be read as JSON or as a query.",
    "403": "No valid token or sign-in was shown, or this user may not do it.",
    "404": "What the path names is not there.",
    "409": "Somebody was faster, or this attempt is over.",
    "413": "The body is larger than 1 MiB.",
    "415": "The body's Content-Type is not application/json.",
    "422": "A value can't be accepted; `field` names it.",
    "503": "The database can't be reached.",
}

#: What any request that changes something may carry.
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with the same key is done once; see above.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

ERROR_SCHEMA = {
    "type": "object",
    "description": "Why a request was refused.",
    "required": ["error", "message", "field"],
    "properties": {
        "error": {"type": "string", "description": "The name of the error's class."},
        "message": {"type": "string", "description": "What is wrong, and what to do about it."},
        "field": {"type": ["string", "null"], "description": "The value that is at fault."},
    },
}


def document(routes: Iterable[Route], api: str = "/orion/api/v1") -> dict[str, Any]:
    """All of the routes as an OpenAPI document; `api` is the path they are under."""
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(routes, key=lambda route: (route.path, route.method)):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orion_nb",
            "version": version(),
            "description": ABOUT,
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": api}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": {**_schemas(), "Error": ERROR_SCHEMA},
            "responses": {code: _error(says) for code, says in ERRORS.items()},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The Jupyter server's token; `token` is read like `Bearer`.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "username-HOST-PORT",
                    "description": "Set when a browser signs in to Jupyter.",
                },
            },
        },
    }


def answer_type(route: Route) -> Any:
    """What the route's method returns."""
    return get_type_hints(route.function, include_extras=True).get("return")


def _operation(route: Route) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": about(route),
        "tags": [route.path.split("/")[1]],
        "x-jupyter-action": route.action,
    }
    taken = arguments(route)
    if parameters := [
        _parameter(each, place) for place in ("path", "query") for each in taken[place].values()
    ] + ([KEY] if route.action != "read" else []):
        told["parameters"] = parameters
    if taken["body"]:
        told["requestBody"] = _request(list(taken["body"].values()))
    told["responses"] = _responses(route)
    return told


def about(route: Route) -> str:
    """The method's docstring after its first line, without what Python alone can raise."""
    text = inspect.cleandoc(route.function.__doc__ or "")
    rest = text.partition("\n")[2].strip()
    return re.split(r"^(?:Args|Raises|Returns):", rest, maxsplit=1, flags=re.M)[0].strip()


def _parameter(argument: Argument, place: str) -> dict[str, Any]:
    return {
        "name": argument.name,
        "in": place,
        "required": argument.required,
        "schema": _schema(argument),
    }


def _request(taken: list[Argument]) -> dict[str, Any]:
    required = [each.name for each in taken if each.required]
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {each.name: _schema(each) for each in taken},
    }
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _schema(argument: Argument) -> dict[str, Any]:
    schema = _inlined(argument.type.json_schema())
    if argument.default not in (None, ...) and not argument.required:
        schema["default"] = argument.default
    return schema


def _responses(route: Route) -> dict[str, Any]:
    taken = arguments(route)
    codes = ["403", "503"]
    codes += ["404"] if taken["path"] or taken["body"] else []
    codes += ["409"] if route.action != "read" else []
    codes += ["422"] if any(taken.values()) else []
    codes += ["400", "413", "415"] if taken["body"] else []
    responses = {code: {"$ref": f"#/components/responses/{code}"} for code in sorted(codes)}
    return {str(route.status): _success(answer_type(route)), **responses}


def _success(returns: Any) -> dict[str, Any]:
    """A route that answers something else than JSON says so: `Annotated[bytes, "text/html"]`."""
    if get_origin(returns) is Annotated:
        media = get_args(returns)[1]
        return {"description": media, "content": {media: {"schema": {"type": "string"}}}}
    schema: dict[str, Any] = {"type": "object"}
    if returns in ANSWERS:
        schema = {"$ref": f"#/components/schemas/{returns.__name__}"}
    said = inspect.cleandoc(returns.__doc__ or "") if returns in ANSWERS else "The answer."
    content = {"application/json": {"schema": schema}}
    return {"description": said.partition("\n")[0], "content": content}


def _error(says: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": says, "content": {"application/json": {"schema": schema}}}


@lru_cache(maxsize=1)
def _schemas() -> dict[str, Any]:
    """The schemas of what routes answer, and of what is inside it."""
    found: dict[str, Any] = {}
    for answer in ANSWERS:
        told = TypeAdapter(answer).json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        found |= told.pop("$defs", {})
        found.setdefault(answer.__name__, told)
    for answer, hidden in ANSWERS.items():
        properties = found[answer.__name__]["properties"]
        for name in hidden:
            del properties[name]
    return found


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with the definitions it refers to put in their place."""
    defined = schema.pop("$defs", {})

    def inline(value: Any) -> Any:
        if isinstance(value, list):
            return [inline(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            name = value["$ref"].rpartition("/")[2]
            return inline({key: each for key, each in defined[name].items() if key != "title"})
        return {key: inline(each) for key, each in value.items()}

    made: dict[str, Any] = inline(schema)
    return made
