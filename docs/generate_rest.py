"""Writes docs/reference/rest.md, the reference of the REST API, from its OpenAPI document.

    python docs/generate_rest.py

A test fails when the file is not what this would write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orion_nb.api.openapi import document
from orion_nb_server.app import ALL_ROUTES

TARGET = Path(__file__).parent / "reference" / "rest.md"
TITLES = {
    "runs": "Runs",
    "logs": "Logs",
    "artifacts": "Artifacts",
    "deployments": "Deployments",
    "schedules": "Schedules",
}

OPENING = """\
<!-- Written by docs/generate_rest.py; change the methods' docstrings instead. -->

# REST API

{about}

All paths are under `{api}`, under the base URL of the Jupyter server. The OpenAPI document that
this page is made from is at `openapi.json` there. The action is what Jupyter's authorizer is asked
for, on the resource `orion_nb`: `execute` for all that makes code run.

A request that is refused gets `{{"error": name, "message": text, "field": name or null}}` with one
of these:

| status | meaning |
| --- | --- |
{errors}
"""


def page(told: dict[str, Any]) -> str:
    """The whole reference as Markdown."""
    errors = told["components"]["responses"].items()
    opening = OPENING.format(
        about=told["info"]["description"],
        api=told["servers"][0]["url"],
        errors="\n".join(f"| {code} | {each['description']} |" for code, each in errors),
    )
    return "\n".join([opening, *sections(told)]).rstrip() + "\n"


def sections(told: dict[str, Any]) -> Iterator[str]:
    groups: dict[str, list[str]] = {title: [] for title in (*TITLES.values(), "The server")}
    for path, methods in told["paths"].items():
        title = TITLES.get(path.split("/")[1], "The server")
        groups[title] += [
            "\n".join(operation(method.upper(), path, each)) for method, each in methods.items()
        ]
    for title, texts in groups.items():
        yield f"## {title}\n"
        yield from texts
    yield "## What is answered\n"
    for name, schema in told["components"]["schemas"].items():
        if "properties" in schema:
            yield "\n".join(value(name, schema)) + "\n"


def value(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{schema['description']}\n"
    yield "| | type |\n| --- | --- |"
    for field, each in schema["properties"].items():
        yield f"| `{field}` | {kind(each)} |"


def operation(method: str, path: str, told: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method} {path}`\n"
    yield f"{told['summary']}\n"
    if told["description"]:
        yield f"{told['description']}\n"
    rows = list(parameters(told))
    if rows:
        yield "| | in | type | default |\n| --- | --- | --- | --- |"
        yield "\n".join(rows) + "\n"
    status = next(iter(told["responses"]))
    what = answer(told["responses"][status])
    yield f"Answers {status} {what}. Action: `{told['x-jupyter-action']}`.\n"


def parameters(told: dict[str, Any]) -> Iterator[str]:
    for each in told.get("parameters", []):
        if each["in"] == "header":
            continue  # the same for all; the opening tells of it
        yield row(each["name"], each["in"], each["schema"], each["required"])
    content = told.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    for name, each in schema.get("properties", {}).items():
        yield row(name, "body", each, name in schema.get("required", []))


def row(name: str, place: str, schema: dict[str, Any], required: bool) -> str:
    default = (
        "required"
        if required
        else f"`{json.dumps(schema['default'])}`"
        if "default" in schema
        else ""
    )
    return f"| `{name}` | {place} | {kind(schema)} | {default} |"


def kind(schema: dict[str, Any]) -> str:
    """A schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("format") == "date-time":
        return "moment"
    if schema.get("type") == "array":
        return f"list of {kind(schema['items']) if schema.get('items') else 'any'}"
    named = schema.get("type", "any")
    names = named if isinstance(named, list) else [named]
    return " or ".join(name for name in names if name != "null")


def answer(told: dict[str, Any]) -> str:
    media, content = next(iter(told["content"].items()))
    reference = content["schema"].get("$ref")
    return f"a {reference.rpartition('/')[2]}" if reference else f"`{media}`"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(page(document(ALL_ROUTES)), encoding="utf-8")
