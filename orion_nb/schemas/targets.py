"""What can be run, as people name it: `daily.ipynb`, `etl.py:load`, or `etl.py` with one flow."""

from __future__ import annotations

import re

_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def split(text: str) -> tuple[str, str | None]:
    """The file, and the flow in it: None for a notebook, empty where the flow is not named."""
    file, colon, flow = text.rpartition(":")
    if colon and file.endswith(".py"):
        return file, flow
    return text, "" if text.endswith(".py") else None


def joined(file: str, flow: str | None) -> str:
    """The inverse of `split`."""
    return f"{file}:{flow}" if flow else file


def is_of_module(text: str) -> bool:
    """It names a flow of a module, `package.module:flow`, and no file."""
    file, flow = split(text)
    return flow is None and not file.endswith(".ipynb") and bool(_MODULE.fullmatch(text))
