"""The cell that the run of a notebook ended in, and the parameters that its cells were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.api.sources import task_body
from orion_nb.errors import OrionError
from orion_nb.schemas import cells
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import COMPLETED


@dataclass(frozen=True, slots=True)
class FailedCell:
    """A cell of code that raised, was interrupted, or whose kernel died.

    `number` is the one in the run's message, as cells of code are counted; `source` is all of its
    code, `error` what was printed of its exception, without colours; `language` as in the kernel.
    """

    number: int
    source: str
    error: str
    language: str = "python"


@dataclass(frozen=True, slots=True)
class NotebookFailure:
    """The `cell` that a notebook failed in, and its `parameters`: those given, else the defaults.

    `missing` says of the other parameters why their values are not known.
    """

    cell: FailedCell
    parameters: dict[str, Any]
    missing: dict[str, str]


def failure_of(orion: Orion, run: Run) -> NotebookFailure | None:
    """Where the run of a notebook, or of a task cell in one, failed; None if that is not known."""
    if not run.state.is_terminal or run.state.type is COMPLETED:
        return None
    is_task = run.kind == "task"
    if is_task and not (run.key or "").startswith("notebook:"):
        return None
    try:
        told = orion.read_cells(run.parent or run.id)
        mine = next((each for each in told["cells"] if _is_of(each, run, told["failure"])), None)
        if mine is None:
            return None
        notebook = orion.executed_notebook(told["run"])
        source = _source(notebook, mine["id"])
        parameters, missing = _parameters(notebook, orion.find(told["run"]))
    except OrionError:  # it has no cells, they are forgotten, or it is too large
        return None
    failure = told["failure"] or {}
    is_told = failure.get("index") == mine["index"]
    if (source := task_body(source or "") if is_task else source) is None:
        return None
    error = failure["error"] if is_told else run.state.message or run.state.name
    number = mine["number"] or mine["index"] + 1
    cell = FailedCell(number, source, error, cells.language(notebook))
    return NotebookFailure(cell, parameters, missing)


def _is_of(cell: dict[str, Any], run: Run, failure: dict[str, Any] | None) -> bool:
    """The cell is the one that the notebook failed in, or that of the task, by its end."""
    if run.kind == "flow":
        return failure is not None and bool(cell["index"] == failure["index"])
    return bool(cell["start"] and cell["start"] <= run.state.timestamp <= (cell["end"] or 0))


def _source(notebook: dict[str, Any], cell_id: str | None) -> str | None:
    """The whole source of a cell: what is told of failures is cut where it is long."""
    known = (cells.text(each) for each in cells.cells(notebook) if each.get("id") == cell_id)
    return next(known, None)


def _parameters(notebook: dict[str, Any], run: Run) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that the parameters had, of the types the notebook names; and what is missing."""
    from orion_nb.schemas.literals import SecretName
    from orion_nb.schemas.parameters import read_parameters

    known = read_parameters(notebook, allow_untagged=True)
    given = known.validate(run.parameters or {})
    values, missing = {}, {}
    for each in known.fields:
        if each.name in given:
            values[each.name] = given[each.name]
        elif each.is_literal:
            values[each.name] = each.default
        elif each.source:
            missing[each.name] = f"the parameters cell computes it: {each.source:.200}"
    values |= {name: value for name, value in given.items() if name not in values}
    for name in [name for name, value in values.items() if isinstance(value, SecretName)]:
        missing[name] = f"it is a secret: secret({str(values.pop(name))!r})"
    return values, missing
