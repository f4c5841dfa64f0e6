"""Outputs over the API: what images and HTML the cells of an executed notebook have shown."""

from __future__ import annotations

import json
from typing import Any

from orion_nb.api.cells import CellRoutes
from orion_nb.api.routes import route
from orion_nb.api.sources import SOURCE_LIMIT
from orion_nb.errors import InvalidNotebook, NotebookNotFound
from orion_nb.schemas.runs import short
from orion_nb.settings import Settings

#: The file in a run's folder that its notebook is kept in.
NOTEBOOK = "notebook.ipynb"
#: Characters of contents that are answered at once.
MOST = 64 * 1024 * 1024
#: What counts as shown, besides images.
HTML = "text/html"
#: Images that Jupyter keeps as text; all others are base64.
AS_TEXT = ("image/svg+xml",)

Json = dict[str, Any]


class OutputRoutes(CellRoutes):
    """What the cells of executed notebooks have shown."""

    @route("GET", "/runs/{run_id}/outputs", action="read")
    def read_outputs(self, run_id: str, *, contents: bool = False) -> dict[str, Any]:
        """The images and the HTML in a run's executed notebook, in the order they are shown in.

        Of each its `cell`, as people count executed cells, the cell's `index` among all, its
        `place` among what that shows, from 1, its `types` and its `size` in characters. With
        `contents` there is `data` by MIME type too, in base64 for those in `binary`; what is more
        than 64 MiB in all is left out: its `data` is null. A run without notebook has shown none.
        """
        run = self.find(run_id)
        cells = (self._cells_of(run.id) or {"cells": []})["cells"]
        known = {cell["id"]: cell for cell in cells}
        found, room = [], MOST
        for told in _shown(self._notebook(run.id) or {}):
            data = told.pop("data")
            cell = known.get(told.pop("id")) or {"index": told["index"], "number": None}
            told = {**told, "cell": cell["number"], "index": cell["index"]}
            if contents:
                room -= told["size"]
                kept = data if room >= 0 else None
                binary = [kind for kind in data if kind != HTML and kind not in AS_TEXT]
                told |= {"data": kept, "binary": binary}
            found.append(told)
        return {"run": run.id, "outputs": found}

    def executed_notebook(self, run_id: str) -> Json:
        """The executed notebook of a run in nbformat 4, as far as it came.

        Raises:
            NotebookNotFound: it has none.
            InvalidNotebook: it can't be read.
        """
        run = self.find(run_id)
        found = self._notebook(run.id)
        if found is None:
            raise NotebookNotFound(f"run {short(run.id)} ({run.name}) has no executed notebook")
        return found

    def _notebook(self, run_id: str) -> Json | None:
        """The executed notebook of a run; None if it has none."""
        path = self.settings.notebooks / run_id / NOTEBOOK
        try:
            if path.stat().st_size > SOURCE_LIMIT:
                says = f"the notebook of run {short(run_id)} is larger than 100 MiB"
                raise InvalidNotebook(says)
            told: Json = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            says = f"the notebook of run {short(run_id)} can't be read: {error}"
            raise InvalidNotebook(says) from error
        return told


def nothing_logged(settings: Settings, run_id: str) -> str:
    """What is said of a run without log lines: its cells may have printed all the same."""
    path = settings.notebooks / run_id / NOTEBOOK
    where = f"; what its cells print is kept in {path}" if path.is_file() else ""
    return f"no line was logged{where}"


def _shown(notebook: Json) -> list[Json]:
    found = []
    for index, cell in enumerate(notebook.get("cells", ())):
        key, place = cell.get("id"), 0
        for output in cell.get("outputs", ()):
            data = {
                kind: value if isinstance(value, str) else "".join(value)
                for kind, value in output.get("data", {}).items()
                if kind == HTML or kind.startswith("image/")
            }
            if data:
                place += 1
                size = sum(map(len, data.values()))
                told = {"id": key, "index": index, "place": place, "types": list(data)}
                found.append({**told, "size": size, "data": data})
    return found
