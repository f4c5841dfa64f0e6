"""Notebooks of nbformat 3 and 2, which Jupyter wrote until 2015, as ones of nbformat 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_of_format_3(nb: Any) -> bool:
    """The notebook has worksheets, where later ones have cells."""
    return isinstance(nb, Mapping) and isinstance(nb.get("worksheets"), list) and "cells" not in nb


def upgraded(nb: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of all worksheets, without outputs: they are of earlier executions."""
    sheets = [sheet for sheet in nb["worksheets"] if isinstance(sheet, Mapping)]
    cells = [_cell(cell) for sheet in sheets for cell in sheet.get("cells") or ()]
    metadata = nb.get("metadata")
    kept = {**metadata} if isinstance(metadata, Mapping) else {}
    name = kept.pop("name", None)
    if name:
        kept.setdefault("title", name)
    return {"nbformat": 4, "nbformat_minor": 0, "metadata": kept, "cells": cells}


def _cell(cell: Any) -> Any:
    if not isinstance(cell, Mapping):
        return cell  # whoever reads the notebook says that it is none
    kind = cell.get("cell_type")
    told: dict[str, Any] = {"cell_type": kind, "metadata": cell.get("metadata") or {}}
    if kind == "code":
        source = _text(cell.get("input"))
        return {**told, "source": source, "outputs": [], "execution_count": None}
    source = _text(cell.get("source"))
    if kind == "heading":
        level = cell.get("level")
        source = f"{'#' * (level if isinstance(level, int) else 1)} {source}"
    return {**told, "cell_type": "raw" if kind == "raw" else "markdown", "source": source}


def _text(lines: Any) -> str:
    """A text, or its lines: those of format 2 have no ends of lines."""
    if not isinstance(lines, list):
        return lines if isinstance(lines, str) else ""
    between = "" if lines and str(lines[0]).endswith(("\n", "\r")) else "\n"
    return between.join(map(str, lines))
