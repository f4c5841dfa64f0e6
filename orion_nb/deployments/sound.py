"""A notebook as any tool may have left it, made one that every tool can read (nbformat 4.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

#: What cells of each type may hold; tools of old, and people, leave other things in them.
FIELDS = {
    "code": {"id", "cell_type", "metadata", "source", "outputs", "execution_count"},
    "markdown": {"id", "cell_type", "metadata", "source", "attachments"},
    "raw": {"id", "cell_type", "metadata", "source", "attachments"},
}
#: What the metadata of cells, of notebooks and of languages is, where it is there.
CELL_METADATA = {
    **dict.fromkeys(("collapsed", "source_hidden", "outputs_hidden"), bool),
    **dict.fromkeys(("name", "format"), str),
    **dict.fromkeys(("jupyter", "execution"), dict),
}
NOTEBOOK_METADATA = {"authors": list, "title": str, "orig_nbformat": int}
LANGUAGE = {"file_extension": str, "mimetype": str, "pygments_lexer": str}
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


def make_readable(nb: Json) -> None:
    """What is there is of the kind that readers of notebooks rely on: texts, lists, objects.

    `nb` has a list of `cells`, each with a type.
    """
    for field in {*nb} - {"cells", "metadata", "nbformat", "nbformat_minor"}:
        del nb[field]
    nb["metadata"] = _dict(nb.get("metadata"))
    nb["nbformat"] = 4
    nb["nbformat_minor"] = _count(nb.get("nbformat_minor"))
    for cell in nb["cells"]:
        cell["metadata"] = _dict(cell.get("metadata"))
        cell["source"] = _text(cell.get("source"))
        attached = cell.pop("attachments", None)
        if isinstance(attached, dict) and all(map(_is_bundle, attached.values())):
            cell["attachments"] = attached
        if "outputs" in cell or cell["cell_type"] == "code":
            outputs = cell.get("outputs")
            good = isinstance(outputs, list) and all(map(_is_output, outputs))
            cell["outputs"] = outputs if good else []
            cell["execution_count"] = _count(cell.get("execution_count")) or None


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
    metadata = cell["metadata"]
    found = metadata.get("tags", [])
    told = found if isinstance(found, list) else [found]
    if found != [] or "tags" in metadata:
        words = [each for each in told if isinstance(each, str) and each and "," not in each]
        metadata["tags"] = list(dict.fromkeys(words))
    _keep_only(metadata, CELL_METADATA)
    _keep_only(metadata.get("jupyter", {}), CELL_METADATA)
    if metadata.get("scrolled", True) not in (True, False, "auto"):
        del metadata["scrolled"]
    if metadata.get("name") == "":
        del metadata["name"]


def _is_output(told: Any) -> bool:
    """It shows something; errors are of an earlier run, whatever they say."""
    if not isinstance(told, dict):
        return False
    if told.get("output_type") == "stream":
        is_whole = {*told} == {"output_type", "name", "text"} and isinstance(told["name"], str)
        return is_whole and _is_bundle({"text": told["text"]})
    shows = {"output_type", "data", "metadata"}
    if told.get("output_type") == "execute_result":
        shows.add("execution_count")
    elif told.get("output_type") != "display_data":
        return False
    is_whole = {*told} == shows and isinstance(told["metadata"], dict)
    return is_whole and _is_bundle(told["data"])


def _is_bundle(told: Any) -> bool:
    """Contents by their types: texts, or lines of them, or JSON."""
    return isinstance(told, dict) and all(
        kind.endswith("json") or isinstance(value, str) or _are_lines(value)
        for kind, value in told.items()
    )


def _are_lines(told: Any) -> bool:
    return isinstance(told, list) and all(isinstance(each, str) for each in told)


def _dict(told: Any) -> Json:
    return told if isinstance(told, dict) else {}


def _count(told: Any) -> int:
    return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else 0


def _text(told: Any) -> str:
    if isinstance(told, list):
        return "".join(each for each in told if isinstance(each, str))
    return told if isinstance(told, str) else ""


def _keep_only(told: Json, types: Mapping[str, type]) -> None:
    """What is of another type than here is left out."""
    for field, wanted in types.items():
        if field in told and not isinstance(told[field], wanted):
            del told[field]


def _mend_metadata(metadata: Json) -> None:
    for field in ("kernelspec", "language_info"):
        told = metadata.get(field)
        if not (isinstance(told, dict) and isinstance(told.get("name"), str) and told["name"]):
            metadata.pop(field, None)
    if "kernelspec" in metadata:
        spec = metadata["kernelspec"]
        _keep_only(spec, {"display_name": str})
        spec.setdefault("display_name", spec["name"])
    _keep_only(metadata.get("language_info", {}), LANGUAGE)
    _keep_only(metadata, NOTEBOOK_METADATA)


def _new_id(place: int, taken: set[str]) -> str:
    made, n = f"cell-{place}", 1
    while made in taken:
        n += 1
        made = f"cell-{place}-{n}"
    return made
