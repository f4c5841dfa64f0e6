"""Which widgets an executed notebook keeps: those it shows, with the models they are made of.

The form is that of ipywidgets (https://ipywidgets.readthedocs.io, "Model state"). Notebooks are
plain JSON objects here: a server looks at them without importing nbformat.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
#: How a model names another one.
REFERENCE = "IPY_MODEL_"
#: Our own cards end as a table beside them: their models are not kept.
OURS = "orion_nb_widgets."
#: Characters of JSON that the widgets of a notebook may take, all together.
ROOM = 8 * 1024 * 1024


def is_ours(state: Json) -> bool:
    return str(state.get("_anywidget_id", "")).startswith(OURS)


def kept_with(nb: Json, models: Mapping[str, Json], room: int = ROOM) -> Json:
    """The models of the widgets that the notebook shows, and of those they are made of.

    A widget for whose models there is no room left is not among them.
    """
    kept: Json = {}
    for shown in views(cell.get("outputs", ()) for cell in nb["cells"]):
        wanted = _with_parts(shown, models)
        found = {name: models[name] for name in wanted if name in models and name not in kept}
        size = len(json.dumps(found))
        if shown in models and size <= room:
            kept |= found
            room -= size
    return kept


def views(outputs: Iterable[Iterable[Json]]) -> Iterator[str]:
    """The ids of the models whose views are among these outputs of cells."""
    for each in outputs:
        for output in each:
            told = output.get("data", {}).get(VIEW)
            if isinstance(told, dict) and isinstance(told.get("model_id"), str):
                yield told["model_id"]


def without_views(output: Json, kept: Iterable[str]) -> None:
    """A view of a widget that is not kept gives way to the text or picture beside it."""
    data = output.get("data", {})
    if len(data) > 1 and not set(views([[output]])) & set(kept):
        data.pop(VIEW, None)


def still(nb: Json) -> None:
    """The notebook is for readers without widgets: in the place of a view is what stands for it.

    For an Output widget that is what it captured; for others, the text or picture beside the view.
    """
    models = kept_in(nb)
    nb.get("metadata", {}).pop("widgets", None)
    for cell in nb.get("cells", ()):
        if "outputs" in cell:
            cell["outputs"] = [
                each for shown in cell["outputs"] for each in _stilled(shown, models)
            ]


def _stilled(output: Json, models: Json, depth: int = 5) -> Iterator[Json]:
    for name in views([[output]]):
        captured = models.get(name, {}).get("state", {}).get("outputs")
        if isinstance(captured, list) and depth:
            for each in captured:
                yield from _stilled(each, models, depth - 1)
            return
    without_views(output, ())
    yield output


def kept_in(nb: Json) -> Json:
    """The models that the notebook says it keeps."""
    found = nb.get("metadata", {}).get("widgets")
    state = found.get(STATE) if isinstance(found, dict) else None
    models = state.get("state") if isinstance(state, dict) else None
    return models if isinstance(models, dict) else {}


def _with_parts(model: str, models: Mapping[str, Json]) -> list[str]:
    wanted, seen = [model], {model}
    for each in wanted:
        for part in _references(models.get(each, {}).get("state")):
            if part not in seen:
                seen.add(part)
                wanted.append(part)
    return wanted


def _references(state: Any) -> Iterator[str]:
    if isinstance(state, str) and state.startswith(REFERENCE):
        yield state.removeprefix(REFERENCE)
    elif isinstance(state, dict):
        yield from views([[{"data": state}]])
        for each in state.values():
            yield from _references(each)
    elif isinstance(state, list):
        for each in state:
            yield from _references(each)
