from __future__ import annotations

import json
from copy import deepcopy

import pytest

from orion_nb.deployments import marks
from orion_nb.deployments.endings import Ending
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Completed, Crashed, Failed, Running

RUN = Run("ab" * 16, "flow", "work", Running(), "ab" * 16, attempt=1)
AT = 1_700_000_000_000_000


@pytest.fixture
def nb(code):
    cells = [code("1"), {"cell_type": "markdown", "source": "text", "metadata": {}}, code("2")]
    made = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    marks.prepare(made, RUN, {"path": "work.ipynb"})
    return made


def test_preparing_a_marked_notebook_gives_the_unmarked_one(nb):
    before = deepcopy(nb)
    marks.finish(nb, RUN, Ending(Failed("it broke"), 2, 2, "Broken"), AT)
    assert nb != before

    marks.prepare(nb, RUN, {"path": "work.ipynb"})

    assert nb == before
    assert [cell["id"] for cell in nb["cells"]] == ["cell-1", "cell-2", "cell-3"]


def test_a_completed_notebook_gets_no_marks(nb):
    marks.finish(nb, RUN, Ending(Completed()), AT)

    assert len(nb["cells"]) == 3
    assert nb["metadata"]["orion_nb"]["state"]["name"] == "Completed"


def test_a_message_is_never_markup(nb):
    marks.finish(nb, RUN, Ending(Failed("<script>x</script>\n# **no**")), AT)

    lines = nb["cells"][0]["source"].splitlines()
    assert "    <script>x</script>" in lines
    assert "    # **no**" in lines


def test_the_last_cell_that_began_is_where_a_lost_run_ended(nb, tmp_path):
    path = tmp_path / "notebook.ipynb"
    nb["cells"][0]["metadata"]["execution"] = {"shell.execute_reply": "2026-01-01T00:00:00Z"}
    nb["cells"][2]["metadata"]["execution"] = {}
    path.write_text(json.dumps(nb))
    lost = Run(RUN.id, "flow", "work", Crashed("its process is gone"), RUN.id, attempt=1)

    marks.finish_lost(path, lost, AT)
    told = path.read_text()
    marks.finish_lost(path, lost, AT + 1)  # it says how it ended already

    assert path.read_text() == told
    banner, _, _, anchor, cell = json.loads(told)["cells"]
    assert "[cell 2](#orion-failure)" in banner["source"]
    assert anchor["metadata"]["tags"] == ["orion-anchor"]
    assert cell["outputs"][0]["ename"] == "RunnerLost"
