"""What a task cell made: the values of its names, kept to be restored when it need not run again.

A name that can't be kept, such as an open file, is left out if no cell below mentions it.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

from orion_nb.api.connect import connect
from orion_nb.schemas import cells

_WORD = re.compile(r"[^\W\d]\w*")


def to_keep(names: dict[str, Any], cell_id: str | None) -> dict[str, Any]:
    """The names to keep of those that the cell with this id has assigned.

    One that can't be kept and is needed stays: then nothing is kept, and it is told why.
    """
    if not _trouble(names):
        return names
    names = {name: value for name, value in names.items() if not _is_closed(value)}
    below = _mentioned_below(cell_id)
    if below is None:
        return names
    return {name: value for name, value in names.items() if name in below or not _trouble(value)}


def _is_closed(value: Any) -> bool:
    """A file that a `with` has closed: nobody will use it."""
    return getattr(type(value), "closed", None) is not None and value.closed is True


def _trouble(value: Any) -> bool:
    """The value can't be kept, however much room there is."""
    reason = getattr(connect().snapshot(value), "reason", None)
    return reason is not None and not reason.startswith("larger than")


def _mentioned_below(cell_id: str | None) -> set[str] | None:
    """All words of the code below a cell of the notebook that is executed; None if not known."""
    try:
        with open(os.environ.get("JPY_SESSION_NAME", ""), encoding="utf-8-sig") as file:
            every = cells.cells(json.load(file))
        place = [cell.get("id") for cell in every].index(cell_id)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    below = (cell for cell in every[place + 1 :] if cell.get("cell_type") == "code")
    return {word for cell in below for word in _WORD.findall(cells.text(cell))}
