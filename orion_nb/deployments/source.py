"""The notebook that a run is to execute, as its file is now, with the run's parameters in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orion_nb.api.sources import as_notebook, kernel_of, read_text
from orion_nb.deployments.files import Spec
from orion_nb.deployments.sound import make_readable
from orion_nb.errors import InvalidNotebook
from orion_nb.store.sources import Copies

DEFAULT_KERNEL = "python3"


@dataclass(frozen=True, slots=True)
class FlowSource:
    """A Python file with a flow, and the version of it that is run."""

    path: str
    text: bytes

    @property
    def version(self) -> dict[str, str]:
        return version_of(self.path, self.text)


@dataclass(frozen=True, slots=True)
class Source:
    """A notebook's JSON with parameters injected, and the version of the file it was made from."""

    path: str
    notebook: dict[str, Any]
    text: bytes

    @property
    def kernel(self) -> str:
        """The kernel that the notebook asks for."""
        return kernel_of(self.notebook) or DEFAULT_KERNEL

    @property
    def version(self) -> dict[str, str]:
        return version_of(self.path, self.text)


def version_of(path: str, text: bytes) -> dict[str, str]:
    return {"path": path, "sha256": hashlib.sha256(text).hexdigest()}


def read_flow_source(spec: Spec) -> FlowSource:
    """The file of a flow as it is to be run: pinned, or as it is on disk.

    Raises:
        NotebookNotFound, InvalidNotebook.
    """
    return FlowSource(spec.path, _text(spec))


def read_source(spec: Spec) -> Source:
    """The notebook as it is to be run: pinned, or as it is on disk.

    Raises:
        NotebookNotFound, InvalidNotebook.
    """
    text, path = _text(spec), spec.path
    notebook = as_notebook(text, path)
    for place, cell in enumerate(notebook["cells"], 1):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            raise InvalidNotebook(f"path: cell {place} of {path!r} is no cell", field="path")
    make_readable(notebook)
    return Source(path, notebook, text)


def _text(spec: Spec) -> bytes:
    if spec.text is None:
        return read_text(spec.path)
    pinned = Path(spec.text)
    return Copies(pinned.parent).read(pinned.name)


def with_parameters(
    source: Source, values: dict[str, Any], *, allow_untagged: bool = False
) -> Source:
    """The notebook with these values injected behind its own, checked before.

    With `allow_untagged` one without parameters cell gets them in its first cell.

    Raises:
        ParameterError: the notebook does not take them, or needs one that is not given.
    """
    if not values and b"parameters" not in source.text:
        return source  # it declares none: pydantic need not be imported
    from orion_nb.schemas.parameters import read_parameters

    taken = read_parameters(source.notebook, allow_untagged=allow_untagged)
    notebook = taken.inject(source.notebook, values)
    return replace(source, notebook=notebook)
