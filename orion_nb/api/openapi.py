"""The OpenAPI 3.1 document of the routes, read off the methods that answer them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from orion_nb.api.openapi_words import (
    ABOUT,
    ERROR_SCHEMA,
    ERRORS,
    KEY,
    SECURITY,
    SECURITY_SCHEMES,
    TAGS,
)
from orion_nb.api.orion import version
from orion_nb.api.routes import Route
from orion_nb.api.shapes import EXAMPLES, NAMED, SHAPES
from orion_nb.api.wire import Argument, arguments
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run

#: What the values that answer routes keep to themselves: their `as_json` leaves it out.
ANSWERS: dict[type, frozenset[str]] = {
    Run: frozenset({"token", "session"}),
    Report: frozenset({"fenced", "marks", "cancels", "limits"}),
}


def document(routes: Iterable[Route], api: str = "/orion/api/v1") -> dict[str, Any]:
    """All of the routes as an OpenAPI document; `api` is the path they are under."""
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(routes, key=lambda route: (route.path, route.method)):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    groups = {path.split("/")[1] for path in paths}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orion_nb",
            "version": version(),
            "description": ABOUT,
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": api}],
        "security": SECURITY,
        "tags": [
            {"name": name, "description": TAGS.get(name, "")}
            for name in (*(each for each in TAGS if each in groups), *sorted(groups - set(TAGS)))
        ],
        "paths": _linked(paths),
        "components": {
            "schemas": {**_schemas(), **NAMED, "Error": ERROR_SCHEMA},
            "responses": {code: _error(says) for code, says in ERRORS.items()},
            "securitySchemes": SECURITY_SCHEMES,
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
    ] + ([KEY] if route.action != "read" and not route.hides else []):
        told["parameters"] = parameters
    if taken["body"]:
        told["requestBody"] = _request(list(taken["body"].values()), EXAMPLES.get(route.name))
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


def _request(taken: list[Argument], example: dict[str, Any] | None) -> dict[str, Any]:
    required = [each.name for each in taken if each.required]
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {each.name: _schema(each) for each in taken},
    }
    if required:
        schema["required"] = required
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"required": bool(required), "content": {"application/json": content}}


def _schema(argument: Argument) -> dict[str, Any]:
    schema = _inlined(argument.type.json_schema())
    if argument.default not in (None, ...) and not argument.required:
        schema["default"] = argument.default
    return schema


def _responses(route: Route) -> dict[str, Any]:
    taken = arguments(route)
    codes = ["400", "403", "413", "422", "503"]  # names that are not known are refused anywhere
    codes += ["404"] if any(taken.values()) else []
    codes += ["409"] if route.action != "read" else []
    codes += ["415"] if route.method not in ("GET", "DELETE") else []
    responses = {code: {"$ref": f"#/components/responses/{code}"} for code in sorted(codes)}
    return {str(route.status): _success(route.name, answer_type(route)), **responses}


def _success(name: str, returns: Any) -> dict[str, Any]:
    """A route that answers something else than JSON says so: `Annotated[bytes, "text/html"]`."""
    if get_origin(returns) is Annotated:
        media = get_args(returns)[1]
        return {"description": media, "content": {media: {"schema": {"type": "string"}}}}
    schema: dict[str, Any] = SHAPES.get(name, {"type": "object"})
    said = str(NAMED.get(_name_in(schema), schema).get("description", "The answer."))
    if returns in ANSWERS:
        schema = {"$ref": f"#/components/schemas/{returns.__name__}"}
        said = inspect.cleandoc(returns.__doc__ or "")
    content = {"application/json": {"schema": schema}}
    return {"description": said.partition("\n")[0], "content": content}


def _name_in(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _linked(paths: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What creates something says where its id goes: into the paths of other routes."""
    for path, found in _CREATORS.items():
        created = paths.get(path, {}).get("post", {}).get("responses", {}).get("201")
        if created is None:
            continue
        parameter, told = found
        created["links"] = {
            operation["operationId"]: {
                "operationId": operation["operationId"],
                "parameters": {parameter: told},
            }
            for other, methods in paths.items()
            if "{" + parameter + "}" in other
            for operation in methods.values()
        }
    return paths


#: Routes that create something: the name of its id in paths, and where the answer tells it.
_CREATORS = {
    "/runs": ("run_id", "$response.body#/id"),
    "/runs/{run_id}/replay": ("run_id", "$response.body#/id"),
    "/deployments/{deployment}/runs": ("run_id", "$response.body#/id"),
    "/deployments": ("deployment", "$response.body#/id"),
    "/runs/{run_id}/artifacts": ("artifact_id", "$response.body#/id"),
    "/notifications": ("notification", "$response.body#/id"),
    "/notifications/{notification}/test": ("delivery", "$response.body#/id"),
    "/sessions": ("session_id", "$response.body#/session"),
}


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
    slots = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    limits = {"type": "object", "additionalProperties": slots, "default": {}}
    found["RunPolicy"]["properties"]["concurrency"] = limits  # pairs here, an object in JSON
    variables = {"type": "object", "additionalProperties": {"type": "string"}, "default": {}}
    found["RunPolicy"]["properties"]["env"] = variables
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
