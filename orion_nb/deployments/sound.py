"""A notebook as any tool may have left it, made one that every tool can read (nbformat 4.5)."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

#: What cells of each type may hold; tools of old, and people, leave other things in them.
FIELDS = {
    "code": {"id", "cell_type", "metadata", "source", "outputs", "execution_count"},
    "markdown": {"id", "cell_type", "metadata", "source", "attachments"},
    "raw": {"id", "cell_type", "metadata", "source", "attachments"},
}
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def make_sound(nb: Json) -> None:
    """Every cell has an id of its own and what a cell of its type has; so has the metadata."""
    taken: set[str] = set()
    for place, cell in enumerate(nb["cells"], 1):
        _mend(cell)
        known = cell.get("id")
        if not isinstance(known, str) or not _ID.fullmatch(known) or known in taken:
            known = _new_id(place, taken)
        cell["id"] = known
        taken.add(known)
    nb["nbformat_minor"] = max(5, nb["nbformat_minor"])
    _mend_metadata(nb["metadata"])


def tags(cell: Json) -> set[str]:
    """The tags of a cell."""
    found = cell["metadata"].get("tags", ())
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()


def _mend(cell: Json) -> None:
    if cell["cell_type"] not in FIELDS:
        cell["cell_type"] = "raw"
    for field in set(cell) - FIELDS[cell["cell_type"]]:
        del cell[field]
    found = cell["metadata"].get("tags", [])
    told = found if isinstance(found, list) else [found]
    if found != [] or "tags" in cell["metadata"]:
        words = [each for each in told if isinstance(each, str) and "," not in each]
        cell["metadata"]["tags"] = list(dict.fromkeys(words))
    for field in ("collapsed", "source_hidden", "outputs_hidden"):
        if field in cell["metadata"] and not isinstance(cell["metadata"][field], bool):
            del cell["metadata"][field]
    if "name" in cell["metadata"] and not isinstance(cell["metadata"]["name"], str):
        del cell["metadata"]["name"]


def _mend_metadata(metadata: Json) -> None:
    for field in ("kernelspec", "language_info"):
        told = metadata.get(field)
        if not (isinstance(told, dict) and isinstance(told.get("name"), str) and told["name"]):
            metadata.pop(field, None)
    if "kernelspec" in metadata:
        spec = metadata["kernelspec"]
        spec.setdefault("display_name", spec["name"])
    if not isinstance(metadata.get("authors", []), list):
        del metadata["authors"]


def _new_id(place: int, taken: set[str]) -> str:
    made, n = f"cell-{place}", 1
    while made in taken:
        n += 1
        made = f"cell-{place}-{n}"
    return made
