"""What the cells of an executed notebook show."""

from __future__ import annotations

from typing import Any


def texts(cell: dict[str, Any]) -> str:
    return "".join(output.get("text", "") for output in cell["outputs"])


def errors(cell: dict[str, Any]) -> list[str]:
    return [output["ename"] for output in cell["outputs"] if output["output_type"] == "error"]
