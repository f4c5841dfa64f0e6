"""What the plain cells of an executed notebook show and log is kept with its run."""

from __future__ import annotations

from orion_nb import connect, run_notebook
from orion_nb.api.archives import archive


def test_plain_cells_have_artifacts_and_a_log(home, write_notebook):
    path = write_notebook(
        "from orion_nb import artifact, get_logger\n"
        "shown = artifact({'rows': 3}, key='rows')\n"
        "get_logger().info('three rows')\n"
        "assert shown == {'rows': 3}",
        "from IPython.display import HTML, SVG, display\n"
        "display(HTML('<b>three</b>'))\n"
        "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')",
        "1 / 0",
    )
    run = run_notebook(path).run
    assert run.state.message == "cell 3: ZeroDivisionError: division by zero"
    orion = connect()
    (rows,) = orion.filter_artifacts(run=run.id)["artifacts"]
    assert orion.read_artifact(rows["id"])["data"]["application/json"] == {"rows": 3}
    lines = orion.read_logs(run.id)["lines"]
    assert [(each["run"], each["message"]) for each in lines] == [(run.id, "three rows")]
    html, svg = orion.read_outputs(run.id)["outputs"]
    assert (html["cell"], html["place"], html["types"]) == (2, 1, ["text/html"])
    assert (svg["cell"], svg["place"], svg["types"]) == (2, 2, ["image/svg+xml"])
    _, packed = archive(orion, run.id)
    assert b"outputs/cell-2-1.html" in packed
    assert b"outputs/cell-2-2.svg" in packed


BREAKS = """
import os, sys
folder = os.path.dirname(os.environ["ORION_NB_PARAMS"])
os.rename(folder, folder + ".away")
open(folder, "w").close()
sys.stdout.write("x" * 6_000_000)
"""
MENDS = "os.remove(folder)\nos.rename(folder + '.away', folder)"
ODD = """
from IPython.display import display
deep = {}
for _ in range(300):
    deep = {"a": deep}
display({"application/json": deep, "text/plain": "deep"}, raw=True)
display({"text/plain": ["a", 3]}, raw=True)
held = display("before", display_id="held")
held.update({"text/plain": {"no": "text"}}, raw=True)
"""


def test_what_can_not_be_kept_costs_no_run_its_life(home, write_notebook, kept):
    """Neither a notebook that can't be saved for a while, nor an output that is none."""
    done = run_notebook(write_notebook(BREAKS, MENDS, ODD))
    assert done.state.name == "Completed", done.state
    outputs = kept(done.notebook)[2]["outputs"]
    said = [each["text"] for each in outputs if each["output_type"] == "stream"]
    assert len(said) == 2
    assert said[0] == "… an output can't be kept: it is nested deeper than 100 levels …\n"
    assert "an output can't be kept: ['a', 3] is not valid" in said[1]
    assert outputs[-1]["data"] == {"text/plain": ["'before'"]}
