"""What a notebook or a deployed flow gives has a JSON Schema, which the API tells."""

from __future__ import annotations

import pytest

from orion_nb import get_run, result, run_notebook
from orion_nb.errors import InvalidInput
from orion_nb.schemas.states import COMPLETED

pytestmark = pytest.mark.slow

MODEL = """
from datetime import date
from pydantic import BaseModel
import orion_nb

class Report(BaseModel):
    rows: int
    day: date

orion_nb.result(Report(rows=3, day=date(2030, 1, 2)), Report)
"""

LARGE = 'import orion_nb\norion_nb.result({"names": ["name %d" % n for n in range(2000)]})'

FLOW = """
from orion_nb import flow

@flow
def typed() -> dict[str, int]:
    return {"rows": 3}
"""


def test_a_notebook_declares_what_its_result_is(orion, write_notebook):
    done = run_notebook(write_notebook(MODEL))
    assert done.result() == {"rows": 3, "day": "2030-01-02"}
    told = orion.read_result(done.run.id)["result"]
    assert told["value"] == done.result()
    assert told["schema"]["title"] == "Report"
    assert told["schema"]["properties"]["day"]["format"] == "date"
    assert get_run("work").result_schema == told["schema"]


def test_a_result_that_does_not_fit_says_where_also_where_people_work(home):
    with pytest.raises(InvalidInput, match=r"result\.rows: .* got 'x'"):
        result({"rows": "x"}, dict[str, int])
    assert result({"rows": 1}, dict[str, int]) == {"rows": 1}


def test_without_a_declaration_it_is_read_off_the_value_however_large(orion, write_notebook):
    done = run_notebook(write_notebook(LARGE))
    told = orion.read_result(done.run.id)["result"]
    assert (told["status"], "value" in told) == ("stored", False)
    names = {"names": {"type": "array", "items": {"type": "string"}}}
    assert told["schema"] == {"type": "object", "properties": names, "required": ["names"]}
    assert len(done.result()["names"]) == 2000


def test_a_deployed_flow_s_annotation_is_the_schema_of_its_result(orion, tmp_path, worker):
    (tmp_path / "typed.py").write_text(FLOW)
    orion.create_deployment("typed", f"{tmp_path / 'typed.py'}:typed")
    found = get_run(orion.run_deployment("typed").id)
    assert found.wait(timeout=60).type is COMPLETED
    assert found.result() == {"rows": 3}
    assert found.result_schema == {"type": "object", "additionalProperties": {"type": "integer"}}
