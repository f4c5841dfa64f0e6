"""What a run shows of itself at the end of a cell."""

from __future__ import annotations

from pathlib import Path

from orion_nb.deployments import summaries
from orion_nb.deployments.adhoc import Outcome
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Completed, Failed, Scheduled
from orion_nb.schemas.values import evolve


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


def test_what_waits_for_its_rerun_has_not_taken_long_since_yesterday():
    made = Run("0" * 32, "flow", "daily", Scheduled(9), "0" * 32, attempt=1, start_time=1)
    assert "for:" not in summaries.as_text(made, None)
    assert "for:" in summaries.as_text(evolve(made, run_count=1), None)
