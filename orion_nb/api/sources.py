"""The files that deployments run: found, read without being run, and asked what they take."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion_nb.api import seen
from orion_nb.errors import (
    FlowNotFound,
    InvalidInput,
    InvalidNotebook,
    NotebookNotFound,
    ParameterError,
)
from orion_nb.schemas import cells, targets
from orion_nb.schemas.likeness import did_you_mean
from orion_nb.schemas.nesting import depth
from orion_nb.schemas.upgrading import is_old, upgraded
from orion_nb.schemas.values import frozen

if TYPE_CHECKING:
    from orion_nb.schemas.parameters import Parameters

SOURCE_LIMIT = 100 * 1024 * 1024
#: A notebook's JSON may be nested this deep; nbformat and others go down level by level.
DEEPEST = 200
#: The newest major version of nbformat.
NEWEST = 4

#: Each line before it is matched in one way only: else many empty ones would take for ever.
_TASK = re.compile(
    r"(?:#[^\n]*\n|[^\S\n]*\n)*(?:%%task\b[ \t]*|#\|[ \t]*task:[ \t]*)(?P<line>[^\n]*)"
)


@frozen
class Inspected:
    """What is known of a notebook, or a flow of a file, without running it.

    `options` are what a flow's decorator says of its runs; `flow` is None for a notebook.
    """

    path: str
    flow: str | None
    text: bytes
    parameters: Parameters
    kernel: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    notebook: dict[str, Any] | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    def taken(self, values: Mapping[str, Any], home: Path | None = None) -> dict[str, Any]:
        """These parameters, of the types that are wanted as far as JSON has them.

        Raises:
            ParameterError: one is not taken.
        """
        checked = self.parameters.validate(values)
        _check_secrets(checked, home)
        return {name: _as_json(each, values[name]) for name, each in checked.items()}

    def as_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "flow": self.flow,
            "sha256": self.sha256,
            "kernel": self.kernel,
            "language": self.parameters.language,
            "parameters": [each.as_json() for each in self.parameters.fields],
            "takes_any": self.parameters.is_open,
            "schema": self.parameters.json_schema(),
            "options": self.options,
            "tasks": [] if self.notebook is None else tasks_of(self.notebook),
        }


def _check_secrets(checked: Mapping[str, Any], home: Path | None) -> None:
    """Secrets that are named are there: what is no name may be a value, and is not repeated."""
    from orion_nb import secrets
    from orion_nb.schemas.literals import SecretName

    for field_name, value in checked.items():
        if isinstance(value, SecretName) and secrets.find(value, home) is None:
            says = f"{field_name}: no secret of this name is set here; `orion-nb secrets set NAME`"
            raise ParameterError(says, field=field_name)


def _as_json(checked: Any, given: Any) -> Any:
    value = checked.value if isinstance(checked, Enum) else checked
    try:
        json.dumps(value)
    except TypeError:
        return given
    return value


def inspect(
    path: str, flow: str | None = None, *, text: bytes | None = None, allow_untagged: bool = False
) -> Inspected:
    """A notebook, or a flow of a Python file if `flow` is not None; nothing of it is run.

    `text` is what is read instead of the file's own text.

    Raises:
        NotebookNotFound, FlowNotFound: it is not there.
        InvalidNotebook: it can't be read.
    """
    text = read_text(path) if text is None else text
    asked = (flow, hashlib.sha256(text).digest(), allow_untagged)
    return seen.once(path, asked, lambda: _inspected(path, flow, text, allow_untagged))


def _inspected(path: str, flow: str | None, text: bytes, allow_untagged: bool) -> Inspected:
    from orion_nb.schemas.parameters import read_parameters

    if flow is not None:
        from orion_nb.schemas.signatures import read_flow

        try:
            known = read_flow(text.decode(), flow, Path(path).name)
        except UnicodeDecodeError as error:
            raise InvalidNotebook(f"path: {path!r} is no text: {error}", field="path") from error
        return Inspected(path, known.name, text, known.parameters, options=known.options)
    notebook = as_notebook(text, path)
    found = read_parameters(notebook, allow_untagged=allow_untagged)
    return Inspected(path, None, text, found, kernel_of(notebook), {}, notebook)


def read_text(path: str) -> bytes:
    """What the file holds.

    Raises:
        NotebookNotFound: with the closest name in the folder.
        InvalidNotebook: it is too large, or can't be read.
    """
    return seen.once(path, "text", lambda: _read(path))


def _read(path: str) -> bytes:
    file = Path(path)
    if os.path.isdir(path):
        raise InvalidNotebook(f"path: {path!r} is a folder", field="path")
    if not os.path.isfile(path):
        hint = did_you_mean(file.name, _beside(file))
        raise NotebookNotFound(f"path: {path!r} is not there{hint}")
    try:
        if file.stat().st_size > SOURCE_LIMIT:
            raise InvalidNotebook(f"path: {path!r} is larger than 100 MiB", field="path")
        return file.read_bytes()
    except OSError as error:
        raise InvalidNotebook(f"path: {path!r} can't be read: {error}", field="path") from error


def _beside(file: Path) -> list[str]:
    """The files of this kind in its folder, but for hidden ones."""
    try:
        names = os.listdir(file.parent)
    except OSError:
        return []
    kind = file.suffix or ".ipynb"
    return [name for name in names if name.endswith(kind) and not name.startswith(".")]


def read_notebook(path: str) -> dict[str, Any]:
    """A notebook's JSON.

    Raises:
        NotebookNotFound: with the closest name in the folder.
        InvalidNotebook: it is no notebook of format 4 or older.
    """
    return as_notebook(read_text(path), path)


def as_notebook(text: bytes, path: str) -> dict[str, Any]:
    """The text of a notebook's file as JSON.

    Raises:
        InvalidNotebook: it is no notebook of format 4 or older.
    """
    try:
        told = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidNotebook(f"path: {path!r} is no notebook: {error}", field="path") from error
    if depth(told) > DEEPEST:
        says = f"path: {path!r} is no notebook: it is nested deeper than {DEEPEST} levels"
        raise InvalidNotebook(says, field="path")
    if is_old(told):
        told = upgraded(told)
    if not isinstance(told, dict) or not isinstance(told.get("cells"), list):
        raise InvalidNotebook(f"path: {path!r} has no cells; is it of format 4?", field="path")
    if isinstance(major := told.get("nbformat"), int) and major > NEWEST:
        says = f"path: {path!r} is of nbformat {major}; the newest that is known is {NEWEST}"
        raise InvalidNotebook(says, field="path")
    return told


def absolute(path: str) -> str:
    """The path from the root on; `~` is the home of who asks.

    Raises:
        InvalidInput: it is of somebody who has no home.
    """
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError as error:
        raise InvalidInput(f"path: {path!r}: {error}", field="path") from error


def target_of(text: str) -> tuple[str, str | None]:
    """The file, absolute, and the flow in it; None for a notebook."""
    file, flow = targets.split(text)
    return absolute(file), flow


def file_of(target: str) -> str:
    """`package/module.py:flow` for `package.module:flow`: a module that can be imported here.

    No package is imported to find it. What is no such target is as it was.

    Raises:
        FlowNotFound: there is no such module.
    """
    if not targets.is_of_module(target):
        return target
    module, _, flow = target.partition(":")
    where: Any = [os.getcwd(), *sys.path]
    origin = None
    for end in range(len(parts := module.split("."))):
        name = ".".join(parts[: end + 1])
        spec = None if where is None else PathFinder.find_spec(name, where)
        if spec is None:
            raise FlowNotFound(f"no module {name!r} can be imported here")
        where, origin = spec.submodule_search_locations, spec.origin
    if origin is None or not origin.endswith(".py"):
        raise FlowNotFound(f"{module!r} has no Python file")
    return targets.joined(origin, flow)


def kernel_of(notebook: Mapping[str, Any]) -> str | None:
    """The kernel that a notebook asks for."""
    metadata = notebook.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    name = spec.get("name") if isinstance(spec, dict) else None
    return str(name) if name else None


def task_body(source: str) -> str | None:
    """What stands behind the line that makes a cell a task cell; None if it is none."""
    found = _TASK.match(source)
    return source[found.end() :].removeprefix("\n") if found is not None else None


def tasks_of(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cells that are tasks: the number of each, from 1, and its name if it says one."""
    found = []
    for place, cell in enumerate(cells.cells(notebook), 1):
        begun = _TASK.match(cells.text(cell)) if cell.get("cell_type") == "code" else None
        if begun is not None:
            word = next(iter(begun["line"].split()), "")
            named = bool(word) and not word.startswith("-") and "=" not in word
            found.append({"cell": place, "name": word if named else None})
    return found
