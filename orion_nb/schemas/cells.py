"""A notebook as a plain mapping: its cells, their tags and their text. Nothing needs nbformat."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from orion_nb.errors import InvalidNotebook


def cells(nb: Mapping[str, Any]) -> list[Any]:
    """The cells of a notebook.

    Raises:
        InvalidNotebook: it is not of nbformat 4, or has no list of cells.
    """
    found = nb.get("cells")
    sound = isinstance(found, list) and all(isinstance(cell, Mapping) for cell in found)
    if nb.get("nbformat", 4) != 4 or not sound:
        raise InvalidNotebook("the notebook has no cells of nbformat 4; save it in JupyterLab")
    return list(found or ())


def tags(cell: Mapping[str, Any]) -> list[Any]:
    """The cell's tags."""
    found = _mapping(cell.get("metadata")).get("tags")
    return list(found) if isinstance(found, list) else []


def text(cell: Mapping[str, Any]) -> str:
    """The cell's source; in the file it may be a list of lines."""
    source = cell.get("source") or ""
    return source if isinstance(source, str) else "".join(map(str, source))


def language(nb: Mapping[str, Any]) -> str:
    """What the notebook is written in: `python` also for other kernels that speak it."""
    metadata = _mapping(nb.get("metadata"))
    told = _mapping(metadata.get("kernelspec")).get("language")
    told = str(told or _mapping(metadata.get("language_info")).get("name") or "python")
    return "python" if "python" in told.lower() else told


def new_code(like: Mapping[str, Any], source: str, tag: str) -> Any:
    """A new code cell with a tag, of the same class as the cell `like`; it has no id."""
    fresh: Any = type(like)()
    fresh.update(
        cell_type="code",
        execution_count=None,
        metadata={"tags": [tag]},
        outputs=[],
        source=source,
    )
    return fresh


def new_id(name: str, every: list[Any]) -> str:
    """An id that no cell has: the name, with a number if need be. The same one each time."""
    taken = {cell.get("id") for cell in every}
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
