from __future__ import annotations

import json
import os

import pytest

from orion_nb.deployments.files import notebook_of
from orion_nb.deployments.runner import run_notebook
from orion_nb.errors import NotebookNotFound, ParameterError
from tests.deployments.reading import errors, texts

pytestmark = pytest.mark.slow

WIDGET = """
from IPython.display import display
display({"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "a dial"},
        raw=True)
"""
SPEAK = """
import json, os
parent = get_ipython().kernel.get_parent()
wanted = ("ORION_NB_RUN_ID", "ORION_NB_HEADLESS", "JUPYTER_TOKEN", "JPY_API_TOKEN")
print(json.dumps([os.getcwd(), parent["metadata"]["cellId"], *map(os.environ.get, wanted)]))
"""

FAILS_ONCE = """%%task think --retries 2
tries.append(1)
assert len(tries) > 1
answer = 42"""


def test_a_notebook_is_executed_in_its_folder_and_kept(
    orion, write_notebook, code, kept, tmp_path, monkeypatch
):
    monkeypatch.setenv("JUPYTER_TOKEN", "secret")
    monkeypatch.setenv("JPY_API_TOKEN", "secret")
    old = {"cell_type": "markdown", "source": "it failed", "metadata": {"tags": ["orion-failure"]}}
    earlier = {"output_type": "stream", "name": "stdout", "text": "computed once"}
    skipped = code("1 / 0", "skip-execution", outputs=[earlier])
    path = write_notebook(old, SPEAK, code("1 / 0", "raises-exception"), skipped, " ", WIDGET)
    before = path.read_bytes()

    outcome = run_notebook(path, orion=orion, out=tmp_path / "copy.ipynb")

    assert str(outcome.state) == "Completed"
    assert outcome.run.name == "work"
    assert outcome.run.key == f"notebook:{path}"
    assert path.read_bytes() == before
    assert (tmp_path / "copy.ipynb").read_bytes() == outcome.notebook.read_bytes()
    speak, raises, skipped, blank, widget = kept(outcome.notebook)  # the old mark is gone
    said = [str(tmp_path), "c1", outcome.run.id, "1", None, None]
    assert json.loads(texts(speak)) == said
    assert errors(raises) == ["ZeroDivisionError"]
    assert (texts(skipped), blank["outputs"]) == ("computed once", [])
    assert widget["outputs"][0]["data"] == {"text/plain": ["a dial"]}
    assert [cell["execution_count"] for cell in (speak, raises, widget)] == [1, 2, 3]
    assert orion.find(outcome.run.id).state.type == "COMPLETED"
    assert os.stat(outcome.notebook).st_mode & 0o077 == 0


def test_a_cell_that_raises_fails_the_run_and_is_marked(orion, write_notebook, code, kept):
    stale = [{"output_type": "stream", "name": "stdout", "text": "of an earlier run"}]
    path = write_notebook(
        "x = 1", "x / 0", code("never", outputs=stale, execution_count=7), name="breaks"
    )

    outcome = run_notebook(path, orion=orion)

    assert str(outcome.state) == "Failed: cell 2: ZeroDivisionError: division by zero"
    banner, _, anchor, failing, never = kept(outcome.notebook)
    assert banner["metadata"]["tags"] == ["orion-failure"]
    for part in ("Failed", "[cell 2](#orion-failure)", "ZeroDivisionError", outcome.run.id):
        assert part in banner["source"]
    assert '<a id="orion-failure"></a>' in anchor["source"]
    assert errors(failing) == ["ZeroDivisionError"]
    assert (never["outputs"], never["execution_count"]) == ([], None)


@pytest.mark.parametrize(
    ("cell", "state", "errors_kept"),
    [
        ("%no_such_magic", "Failed: cell 1: UsageError:", ["UsageError"]),
        ("input('name? ')", "Failed: cell 1 asks for input", ["StdinNotImplementedError"]),
        ("import sys; sys.exit(0)", "Completed: stopped early in cell 1: 1 cell did not", []),
        ("exit(2)", "Failed: cell 1: SystemExit: 2", ["SystemExit"]),
        ("%%bash\nexit 3", "Failed: cell 1: CalledProcessError: ", ["CalledProcessError"]),
        ("%run broken.py", "Failed: cell 1: ZeroDivisionError", ["ZeroDivisionError"]),
        ("import orion_nb; orion_nb.stop('no data')", "Completed: stopped early in cell 1 (no", []),
        ("%%task look\nimport orion_nb; orion_nb.stop('x')", "Completed: stopped early in", []),
        ("exit()", "Completed: stopped early in cell 1: 1 cell did not run", []),
        ("import sys; sys.exit(3)", "Failed: cell 1: SystemExit: 3", ["SystemExit"]),
        ("import os; os._exit(3)", "Crashed: kernel exited with code 3 in cell 1", ["KernelDied"]),
    ],
    ids=[
        "magic",
        "input",
        "sys.exit(0)",
        "exit(2)",
        "bash",
        "run",
        "stop",
        "task",
        "exit()",
        "sys.exit(3)",
        "os._exit(3)",
    ],
)
def test_the_end_is_told_honestly(orion, write_notebook, kept, tmp_path, cell, state, errors_kept):
    (tmp_path / "broken.py").write_text("1 / 0")

    outcome = run_notebook(write_notebook(cell, "print('after')"), orion=orion)

    assert str(outcome.state).startswith(state)
    cells = [cell for cell in kept(outcome.notebook) if cell["cell_type"] == "code"]
    assert errors(cells[0]) == errors_kept
    assert cells[1]["outputs"] == []


def test_an_error_without_words_is_told_by_its_name(orion, write_notebook):
    outcome = run_notebook(write_notebook("assert 1 > 2"), orion=orion)
    assert str(outcome.state) == "Failed: cell 1: AssertionError"


def test_a_cell_that_takes_too_long_is_killed_even_if_it_ignores_interrupts(
    orion, write_notebook, kept
):
    path = write_notebook(
        "import time\nwhile True:\n    try:\n        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n        print('not me')",
    )

    outcome = run_notebook(path, orion=orion, cell_timeout="2s", grace=3.0)

    assert str(outcome.state) == "TimedOut: cell 1 took longer than 2 s"
    _, _, cell = kept(outcome.notebook)
    assert texts(cell) == "not me\n"
    assert errors(cell) == ["CellTimeout"]


def test_a_run_that_takes_too_long_is_interrupted(orion, write_notebook, kept):
    path = write_notebook("1", "import time\ntime.sleep(60)")

    outcome = run_notebook(path, orion=orion, timeout=9)

    assert str(outcome.state) == "TimedOut: the run took longer than 9 s (in cell 2)"
    (error,) = kept(outcome.notebook)[-1]["outputs"]
    assert error["ename"] == "RunTimeout"
    assert "KeyboardInterrupt" in "".join(error["traceback"])  # where the interrupt met it


def test_of_a_flood_of_output_head_and_tail_are_kept(orion, write_notebook, kept):
    path = write_notebook("for n in range(200_000):\n    print('line', n)")

    outcome = run_notebook(path, orion=orion)

    assert outcome.state.type == "COMPLETED"
    (cell,) = kept(outcome.notebook)
    said = texts(cell)
    assert said.startswith("line 0\nline 1\n")
    assert said.endswith("line 199998\nline 199999\n")
    assert " characters are not kept " in said
    assert len(said) < 1024 * 1024
    assert len(cell["outputs"]) == 1


def test_of_a_cell_so_much_is_kept_as_its_deployment_says(
    orion, write_notebook, kept, ended, worker
):
    prints = "for n in range(2_000):\n    print('line', n)"
    path = write_notebook(prints, "display({'text/html': 'h' * 9_000}, raw=True)")
    orion.create_deployment("x", str(path), output_limit=5000)

    run = orion.run_deployment("x")

    assert str(ended(run).state) == "Completed"
    lines, page = kept(notebook_of(orion.settings, run.id))
    said = texts(lines)
    assert said.startswith("line 0\nline 1\n")
    assert said.endswith("line 1998\nline 1999\n")
    assert " characters are not kept " in said
    assert 4000 < len(said) < 5200
    assert page["outputs"][0]["data"] == {
        "text/plain": ["text/html: 9,000 characters are not kept"]
    }


def test_parameters_are_checked_before_and_injected(orion, write_notebook, code, kept):
    path = write_notebook(
        code("limit: int = 1\nname = 'x'", "parameters"), "print(limit + 1, name)"
    )

    outcome = run_notebook(path, {"limit": "41"}, orion=orion)

    assert str(outcome.state) == "Completed"
    *_, injected, last = kept(outcome.notebook)
    assert injected["metadata"]["tags"] == ["injected-parameters"]
    assert texts(last) == "42 x\n"
    with pytest.raises(ParameterError, match="limt"):
        run_notebook(path, {"limt": 3}, orion=orion)
    with pytest.raises(NotebookNotFound, match=r"did you mean 'work\.ipynb'"):
        run_notebook(path.with_name("wrk.ipynb"), orion=orion)


def test_task_cells_belong_to_the_run(orion, write_notebook):
    outcome = run_notebook(write_notebook("tries = []", FAILS_ONCE, "print(answer)"), orion=orion)

    assert str(outcome.state) == "Completed"
    (task,) = outcome.tasks
    assert (task.name, task.state.name, task.run_count) == ("think", "Completed", 2)
    assert task.parent == outcome.run.id


def test_tags_and_metadata_say_what_is_executed_and_what_may_raise(
    orion, write_notebook, code, kept
):
    path = write_notebook(
        code("print('skipped')", "orion:skip-headless"),
        code("print('done')", "orion:only-headless"),
        "1 / 0",
        "breakpoint()",
        "!timeout 20 cat; echo [$?]",
        execution={"allow_errors": True},
    )

    outcome = run_notebook(path, orion=orion)

    assert str(outcome.state) == "Completed"
    skipped, done, raises, halt, asks = kept(outcome.notebook)
    assert (skipped["outputs"], texts(done), errors(raises)) == (
        [],
        "done\n",
        ["ZeroDivisionError"],
    )
    assert "breakpoint() in cell [3], line 1, is ignored" in texts(halt)
    assert texts(asks).strip() == "[0]"
    told = orion.read_cells(outcome.run.id)
    assert [cell["state"] for cell in told["cells"]] == ["Skipped", *["Completed"] * 4]
    assert (told["done"], told["total"], told["current"], told["left"]) == (4, 5, None, None)
    assert told["peak_memory"] > 10_000_000


def test_a_flood_of_displays_is_kept_in_part(orion, write_notebook, kept):
    path = write_notebook(
        "from IPython.display import display\nfor n in range(11_000):\n    display(n)",
        "print('x' * 3_000_000)",
        "display({'text/html': 'h' * 17_000_000}, raw=True)",
    )

    outcome = run_notebook(path, orion=orion)

    assert str(outcome.state) == "Completed"
    flood, long, page = kept(outcome.notebook)
    assert len(flood["outputs"]) == 10_001
    assert texts(flood) == "… 1,000 outputs are not kept …\n"
    assert len(texts(long)) < 1024 * 1024
    assert page["outputs"][0]["data"] == {
        "text/plain": ["text/html: 17,000,000 characters are not kept"]
    }


CALLS = """
import orion_nb
inner = orion_nb.run_notebook("inner.ipynb", {"n": 41})
orion_nb.result({"inner": inner.result()})
"""


def test_a_notebook_called_in_a_notebook_is_its_child_and_gives_its_result(
    orion, write_notebook, code
):
    write_notebook(
        code("n = 1", "parameters"), "import orion_nb\norion_nb.result(n + 1)", name="inner"
    )
    outer = run_notebook(write_notebook(CALLS, name="outer"), orion=orion)

    assert outer.result() == {"inner": 42}
    (inner,) = orion.children(outer.run.id, outer.run.root)
    assert (inner.name, inner.parent, str(inner.state)) == ("inner", outer.run.id, "Completed")


def test_what_executed_a_notebook_and_what_it_wrote_are_recorded(
    orion, write_notebook, tmp_path, kept
):
    (tmp_path / "old.csv").write_text("before")
    path = write_notebook(
        "from pathlib import Path\nPath('new.csv').write_text('a,b')\n"
        "Path('sub').mkdir()\nPath('sub/x.txt').write_text('1')"
    )

    outcome = run_notebook(path, cwd=tmp_path, orion=orion)

    (listed,) = orion.read_artifacts(outcome.run.id)["artifacts"]
    files = orion.read_artifact(listed["id"])["data"]["application/json"]["files"]
    assert [(each["path"], each["size"]) for each in files] == [("new.csv", 3), ("sub/x.txt", 1)]
    assert files[0]["sha256"].startswith("1eb7")
    told = orion.read_cells(outcome.run.id)["environment"]
    assert told["kernel"] == "python3"
    assert told["packages"] > 50
    made = json.loads(outcome.notebook.read_text())["metadata"]
    assert made["kernelspec"]["name"] == "python3"  # it named none
