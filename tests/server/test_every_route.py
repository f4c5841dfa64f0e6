"""Every route refuses what it can't take as the document says: walked, one by one, live."""

from __future__ import annotations

import pytest

from orion_nb.api.openapi import document
from orion_nb.api.shapes import EXAMPLES
from orion_nb.api.wire import arguments
from orion_nb_server.app import ALL_ROUTES

NOWHERE = "0" * 32
#: What is named as nothing is, where that is no run's id.
NAMES = {"read_stored_result": "0" * 64, "delete_secret": "nothing"}
#: Routes whose names may be new, or whose answer is that nothing is there, or any more.
ANY_NAME = {"set_limit", "set_secret", "read_cache", "end_session"}
NAMED = [route for route in ALL_ROUTES if "{" in route.path and route.name not in ANY_NAME]
TAKING = [route for route in ALL_ROUTES if arguments(route)["body"]]
DOCUMENT = document(ALL_ROUTES)


def refused(answer, route):
    """It is an error as all are, and one that the document says the route may answer with."""
    told = answer.json
    assert set(told) == {"error", "message", "field"}, told
    assert told["message"]
    known = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    assert str(answer.status) in known, (route.name, answer.status, told)
    return told


def path_of(route):
    path = route.path
    for name in arguments(route)["path"]:
        path = path.replace("{" + name + "}", NAMES.get(route.name, NOWHERE))
    return path


def required(route):
    """Values that the query must have."""
    query = arguments(route)["query"]
    return "&".join(f"{name}=x" for name, each in query.items() if each.required)


@pytest.mark.parametrize("route", NAMED, ids=lambda route: route.name)
def test_what_is_not_there_is_not_found(server, route):
    body = None if route.method in ("GET", "DELETE") else EXAMPLES.get(route.name, {})
    answer = server.call(route.method, f"{path_of(route)}?{required(route)}".rstrip("?"), body)
    assert answer.status == 404, answer.body
    refused(answer, route)


@pytest.mark.parametrize("route", TAKING, ids=lambda route: route.name)
def test_a_field_that_is_not_known_is_named(server, route):
    told = {**EXAMPLES.get(route.name, {}), "no_such_field": 1}
    answer = server.call(route.method, path_of(route), told)
    assert answer.status == 422, answer.body
    error = refused(answer, route)
    assert "no_such_field" in error["message"]


@pytest.mark.parametrize("route", ALL_ROUTES, ids=lambda route: route.name)
def test_a_value_that_is_not_known_in_the_query_is_named(server, route):
    body = None if route.method in ("GET", "DELETE") else EXAMPLES.get(route.name, {})
    answer = server.call(route.method, f"{path_of(route)}?no_such_value=1", body)
    assert answer.status == 422, answer.body
    assert "no_such_value" in refused(answer, route)["message"]
