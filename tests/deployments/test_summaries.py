"""What a run shows of itself at the end of a cell."""

from __future__ import annotations

from pathlib import Path

from orion_nb.deployments.adhoc import Outcome
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Completed, Failed


def test_what_came_of_a_notebook_is_a_few_lines_and_a_table():
    made = Run("0" * 32, "flow", "<daily>", Failed("no & end"), "0" * 32, parameters={"rows": 3})
    tasks = [Run("1" * 32, "task", "load", each, "0" * 32) for each in (Completed(), Failed())]
    outcome = Outcome(made, made.state, Path("there.ipynb"), tuple(tasks))
    assert repr(outcome).splitlines() == [
        "✖ Failed  flow <daily> (00000000)",
        "  message: no & end",
        "  rows: 3",
        "  tasks: 1 Completed, 1 Failed",
        "  notebook: there.ipynb",
    ]
    html = outcome._repr_html_()
    assert "&lt;daily&gt;" in html
    assert "no &amp; end" in html
    assert html.count("<tr>") == 4
