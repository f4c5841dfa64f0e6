"""How deep JSON is nested: what goes down level by level reads no deeper than a stack has room."""

from __future__ import annotations

from typing import Any


def depth(value: Any) -> int:
    """How deep the lists and objects of a JSON value are nested; 0 for one that is neither."""
    level, found = _within([value]), 0
    while level:
        found += 1
        level = [part for each in level for part in _within(each)]
    return found


def _within(value: Any) -> list[Any]:
    parts = value.values() if isinstance(value, dict) else value
    return [each for each in parts if isinstance(each, dict | list)]
