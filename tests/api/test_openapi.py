from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from orion_nb.api.openapi import ANSWERS, document
from orion_nb.api.orion import ROUTES, Orion
from orion_nb.api.shapes import EXAMPLES
from orion_nb.api.wire import arguments, read_arguments
from orion_nb.settings import Settings

BY_NAME = {route.name: route for route in ROUTES}


@pytest.fixture(scope="module")
def told():
    return document(ROUTES)


def operation(told, name):
    route = BY_NAME[name]
    return told["paths"][route.path][route.method.lower()]


def test_the_document_is_valid(told):
    OpenAPIV31SpecValidator(told).validate()


def test_every_route_is_listed_once_under_its_name(told):
    found = {each["operationId"] for path in told["paths"].values() for each in path.values()}
    assert found == set(BY_NAME)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_says_what_it_does_and_takes(told, route):
    said = operation(told, route.name)
    assert re.fullmatch(r"[A-Z].*[.;:]", said["summary"]), said["summary"]
    assert "Raises" not in said["description"]
    listed = said.get("parameters", [])
    assert [each["name"] for each in listed if each["in"] == "header"] == (
        ["Idempotency-Key"] if route.action != "read" and not route.hides else []
    )
    named = {each["name"] for each in listed if each["in"] != "header"}
    body = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    named |= set(body.get("schema", {}).get("properties", {}))
    assert named == {name for place in arguments(route).values() for name in place}
    assert str(route.status) in said["responses"]
    assert {"403", "503"} <= set(said["responses"])


def test_a_body_lists_its_fields_with_types_and_defaults(told):
    schema = operation(told, "filter_runs")["requestBody"]["content"]["application/json"]["schema"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["limit"]["default"] == 50
    assert schema["properties"]["kind"]["anyOf"][0]["enum"] == ["flow", "task"]
    assert "date-time" in str(schema["properties"]["since"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_says_what_it_answers(told, route):
    """Add the shape of a new route's answer to SHAPES in orion_nb/api/shapes.py."""
    content = operation(told, route.name)["responses"][str(route.status)]["content"]
    (answer,) = content.values()
    assert answer["schema"].keys() & {"$ref", "allOf", "properties"}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_what_its_route_takes(name):
    route = BY_NAME[name]
    body = json.dumps(EXAMPLES[name]).encode()
    path = dict.fromkeys(arguments(route)["path"], "x")
    assert read_arguments(route, path, body=body).keys() >= EXAMPLES[name].keys()


def test_errors_are_described_once(told):
    for code, answer in operation(told, "propose")["responses"].items():
        assert code == "200" or answer == {"$ref": f"#/components/responses/{code}"}
    properties = told["components"]["schemas"]["Error"]["properties"]
    assert set(properties) == {"error", "message", "field"}


def test_a_request_needs_a_token_or_a_cookie(told):
    assert told["security"] == [{"token": []}, {"query": []}, {"cookie": [], "xsrf": []}]
    assert set(told["components"]["securitySchemes"]) == {"token", "query", "cookie", "xsrf"}


def test_what_is_described_is_what_is_answered(told, tmp_path):
    orion = Orion(Settings.load(environ={}, home=str(tmp_path)))
    run = orion.create_run("task", "one", state="RUNNING")
    assert run.report is not None
    run = replace(run, source={"path": "x.ipynb", "sha256": "0" * 64, "track": "latest"})
    for value in (run, replace(run, blocked=run.report), run.report, run.state, run.policy):
        schema = told["components"]["schemas"][type(value).__name__]
        assert set(value.as_json()) == set(schema["properties"])
    assert {type(run), type(run.report)} == set(ANSWERS)
    orion.close()
