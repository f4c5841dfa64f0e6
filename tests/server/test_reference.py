from __future__ import annotations

import runpy
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

from orion_nb.api.openapi import document
from orion_nb_server.app import ALL_ROUTES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_server_tells_all_of_its_routes(server):
    told = server.call("GET", "/openapi.json").json
    assert told == document(ALL_ROUTES)
    OpenAPIV31SpecValidator(told).validate()
    found = {each["operationId"] for path in told["paths"].values() for each in path.values()}
    assert found == {route.name for route in ALL_ROUTES}


def test_the_reference_is_up_to_date():
    page = runpy.run_path(str(DOCS / "generate_rest.py"))["page"]
    written = (DOCS / "reference" / "rest.md").read_text(encoding="utf-8")
    assert written == page(document(ALL_ROUTES)), "run: python docs/generate_rest.py"
