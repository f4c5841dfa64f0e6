"""Notebooks of nbformat 3, 2 and 1, written until 2015, as ones of nbformat 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_old(nb: Any) -> bool:
    """The notebook has worksheets, where later ones have cells; or cells with a `code`, no source.

    The first format had no number.
    """
    if not isinstance(nb, Mapping):
        return False
    cells = nb.get("cells")
    if cells is None:
        return isinstance(nb.get("worksheets"), list)
    is_numbered = nb.get("nbformat", 1) != 1
    return isinstance(cells, list) and not is_numbered and any(map(_is_of_format_1, cells))


def upgraded(nb: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of all worksheets, without outputs: they are of earlier executions."""
    sheets = [sheet for sheet in nb.get("worksheets", [nb]) if isinstance(sheet, Mapping)]
    cells = [_cell(cell) for sheet in sheets for cell in sheet.get("cells") or ()]
    metadata = nb.get("metadata")
    kept = {**metadata} if isinstance(metadata, Mapping) else {}
    name = kept.pop("name", None)
    if name:
        kept.setdefault("title", name)
    return {"nbformat": 4, "nbformat_minor": 0, "metadata": kept, "cells": cells}


def _is_of_format_1(cell: Any) -> bool:
    return (
        isinstance(cell, Mapping) and "source" not in cell and not {"code", "text"}.isdisjoint(cell)
    )


def _cell(cell: Any) -> Any:
    if not isinstance(cell, Mapping):
        return cell  # whoever reads the notebook says that it is none
    if _is_of_format_1(cell):
        cell = {**cell, "input": cell.get("code"), "source": cell.get("text")}
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
