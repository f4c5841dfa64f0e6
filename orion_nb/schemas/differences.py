"""How two versions of a notebook, or of a file, differ: cell by cell, or line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orion_nb.schemas import cells

Json = dict[str, Any]
Key = tuple[str, str, str]


def of_notebooks(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Json]:
    """The cells that were changed, added or removed, in their order: their text, kind or tags.

    Each is {"change", "was", "now", "kind", "diff"}: the number of the cell, from 1, in either
    version, None where it is not there, and the lines of a unified diff.
    """
    import difflib

    old, new = cells.cells(was), cells.cells(now)
    a, b = [_key(cell) for cell in old], [_key(cell) for cell in new]
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    found = []
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag != "equal":
            found += [
                _change(a, b, left, right) for left, right in _pairs(old, new, i, i_end, j, j_end)
            ]
    return found


def of_texts(was: str, now: str) -> list[str]:
    """The lines of a unified diff, without its header."""
    import difflib

    lines = difflib.unified_diff(was.splitlines(), now.splitlines(), lineterm="", n=2)
    return list(lines)[2:]


def _pairs(
    old: list[Any], new: list[Any], i: int, i_end: int, j: int, j_end: int
) -> Iterator[tuple[int | None, int | None]]:
    """Cells that stand for each other: those with the same id, else one by one in their order."""
    ids = {new[place].get("id"): place for place in range(j, j_end) if new[place].get("id")}
    same = {place: ids[id_] for place in range(i, i_end) if (id_ := old[place].get("id")) in ids}
    rest = [place for place in range(j, j_end) if place not in same.values()]
    left = [place for place in range(i, i_end) if place not in same]
    paired = {**same, **dict(zip(left, rest, strict=False))}
    for place in range(i, i_end):
        yield place, paired.get(place)
    for place in range(j, j_end):
        if place not in paired.values():
            yield None, place


def _change(a: list[Key], b: list[Key], left: int | None, right: int | None) -> Json:
    was = a[left] if left is not None else None
    now = b[right] if right is not None else None
    change = "changed" if was and now else "removed" if was else "added"
    kind = (now or was or ("",))[0]
    lines = of_texts(was[1] if was else "", now[1] if now else "")
    if was and now and was[2] != now[2]:
        lines += [f"-tags: {was[2]}", f"+tags: {now[2]}"]
    return {
        "change": change,
        "was": None if left is None else left + 1,
        "now": None if right is None else right + 1,
        "kind": kind,
        "diff": lines,
    }


def _key(cell: Mapping[str, Any]) -> Key:
    """What makes a cell what it is; outputs and counts come and go."""
    tags = ", ".join(sorted(map(str, cells.tags(cell))))
    return str(cell.get("cell_type")), cells.text(cell), tags
