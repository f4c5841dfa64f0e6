"""Which cells are task cells, as IPython's input transformer sees their lines."""

from __future__ import annotations

import pytest

from orion_nb.notebook.cells import awaits
from orion_nb.notebook.rewriting import rewrite_task_cells

SYNC = "get_ipython().run_cell_magic('task', {!r}, {!r})\n"
AWAITED = "await get_ipython().orion_nb_magics.task_async({!r}, {!r})\n"


@pytest.mark.parametrize(
    ("cell", "line", "body"),
    [
        ("%%task load --retries 2\nx = 1\n", "load --retries 2", "x = 1\n"),
        ("%%task\nx = 1\n", "", "x = 1\n"),
        ("%%task load\n", "load", "\n"),
        ("%%task load", "load", "\n"),
        ("%%task\tload\nx", "load", "x"),
        ("\n\n# a note\n\n%%task load\nx = 1\n", "load", "x = 1\n"),
        ("#| task: load retries=2\nx = 1\n", "load --retries=2", "x = 1\n"),
        ("#| label: fig\n#| task: load\n#| echo: no\nx\n", "load", "#| echo: no\nx\n"),
    ],
)
def test_a_task_cell_is_a_call_of_the_magic(cell: str, line: str, body: str) -> None:
    assert rewrite_task_cells(cell.splitlines(keepends=True)) == [SYNC.format(line, body)]


@pytest.mark.parametrize(
    "body",
    [
        "await later()\n",
        "async with lock:\n    pass\n",
        "x = [y async for y in many()]\n",
        "%time 1\nawait later()\n",
        "found = !ls\nawait later()\n",
    ],
)
def test_a_task_cell_that_awaits_is_awaited(body: str) -> None:
    lines = ["%%task load\n", *body.splitlines(keepends=True)]
    assert rewrite_task_cells(lines) == [AWAITED.format("load", body)]


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "\n",
        "x = 1\n",
        "# %%task load\nx = 1\n",
        "%%tasks load\nx = 1\n",
        "%%task_load\nx = 1\n",
        "%%time\n%%task load\nx = 1\n",
        "x = 1\n%%task load\n",
        "x = 1\n#| task: load\n",
        "#| label: fig\nx = 1\n",
        "# only a comment\n",
    ],
)
def test_any_other_cell_is_left_alone(cell: str) -> None:
    lines = cell.splitlines(keepends=True)
    assert rewrite_task_cells(list(lines)) == lines


@pytest.mark.parametrize("cell", ["%%task load\nx = 1\n", "# note\n%%task\nx = 1\n"])
def test_disabled_the_line_is_as_if_it_were_not_there(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORION_NB_DISABLE", "1")
    assert "".join(rewrite_task_cells(cell.splitlines(keepends=True))).strip() == "x = 1"


@pytest.mark.parametrize(
    "source",
    ["def f(:\n", "await = 1\n", "x = '''\n", "\0\n", "if True print(1)\n"],
)
def test_broken_source_is_left_to_ipython(source: str) -> None:
    lines = ["%%task load\n", *source.splitlines(keepends=True)]
    assert rewrite_task_cells(lines) == ["\n", *lines[1:]]


def test_an_await_in_a_function_is_not_one_of_the_cell() -> None:
    assert awaits("async def f():\n    await g()\n", str) is False
    assert awaits("await g()\n", str) is True
    assert awaits("await = g()\n", str) is None


def test_the_line_that_marks_parameters_is_as_if_it_were_not_there() -> None:
    lines = ["\n", "%%parameters\n", "x: int = 1\n"]
    assert rewrite_task_cells(lines) == ["\n", "\n", "x: int = 1\n"]
