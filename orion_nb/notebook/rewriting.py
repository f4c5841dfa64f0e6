"""Cells that begin with `%%task` or `%%replay` become calls of those magics, awaited ones too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orion_nb.notebook.cells import awaits
from orion_nb.notebook.options import from_comment
from orion_nb.notebook.session import is_headless
from orion_nb.settings import is_disabled

#: What a magic's cells that await lead to, on the shell.
_AWAITED = {"task": "orion_nb_magics.task_async", "replay": "orion_nb_replays.replay_async"}


def rewrite_task_cells(lines: list[str]) -> list[str]:
    """Task cells are calls of the task magic, awaited ones and those in comments too.

    So are replayed ones of theirs.
    """
    if not is_headless() and _tagged("orion:only-headless"):
        return ["# orion:only-headless: this cell is executed where nobody watches\n"]
    found, magic = _task_line(lines), "task"
    if found is None:
        found, magic = _replay_line(lines), "replay"
    if found is None:
        return _without_parameters_line(lines)
    line, body = found
    if is_disabled():
        return ["\n", *body]
    source = "".join(body) or "\n"  # IPython refuses a cell magic without a body, even --help
    awaited = awaits(source, _transform_of_the_shell())
    if awaited is None:
        return ["\n", *body]  # IPython shows the syntax error as that of any cell
    if awaited:
        return [f"await get_ipython().{_AWAITED[magic]}({line!r}, {source!r})\n"]
    return [f"get_ipython().run_cell_magic({magic!r}, {line!r}, {source!r})\n"]


# Whether a cell is complete is asked of the cell itself, not of what we make of it.
rewrite_task_cells.has_side_effects = True  # type: ignore[attr-defined]


def _tagged(tag: str) -> bool:
    """The cell being executed has this tag; front ends that don't tell have none."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    found = (parent.get("metadata") or {}).get("tags")
    return isinstance(found, list) and tag in found


def _without_parameters_line(lines: list[str]) -> list[str]:
    """`%%parameters` marks a cell for who runs the notebook; the cell itself is like any other."""
    first = next((line for line in lines if line.strip()), "")
    if first.strip() != "%%parameters":
        return lines
    at = lines.index(first)
    return [*lines[:at], "\n", *lines[at + 1 :]]


def _transform_of_the_shell() -> Callable[[str], str]:
    from IPython.core.getipython import get_ipython
    from IPython.core.inputtransformer2 import TransformerManager

    shell: Any = get_ipython() or TransformerManager()  # type: ignore[no-untyped-call]
    transform: Callable[[str], str] = shell.transform_cell
    return transform


def _task_line(lines: list[str]) -> tuple[str, list[str]] | None:
    """The options of a task cell and its body; only blank lines and comments stand above them."""
    for at, line in enumerate(lines):
        words = line.split(maxsplit=1)
        is_magic = line.startswith("%%task") and words[0] == "%%task"
        told = "".join(words[1:]) if is_magic else from_comment(line)
        if told is not None:
            return told.strip(), lines[at + 1 :]
        if words and not line.startswith("#"):
            return None
    return None


def _replay_line(lines: list[str]) -> tuple[str, list[str]] | None:
    """What stands behind `%%replay` in a cell that begins with it, and the cell's body."""
    at = next((at for at, line in enumerate(lines) if line.strip()), 0)
    words = lines[at].split(maxsplit=1) if lines else []
    if not words or words[0] != "%%replay" or lines[at][:1].isspace():
        return None
    return "".join(words[1:]).strip(), lines[at + 1 :]
