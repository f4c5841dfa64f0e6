"""A flow of a Python file, imported: what `file.py:flow` names."""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from orion_nb.engine.flows import Flow
from orion_nb.errors import FlowNotFound, InvalidInput
from orion_nb.schemas.likeness import did_you_mean


def load_flow(path: str | Path, name: str, *, text: bytes | None = None) -> Flow[..., Any]:
    """The flow of this name; without a name, the only flow of the file.

    A file of a package is imported as a module of it, so that its relative imports work. With
    `text` this is taken for what the file holds, which may be another version of it.

    Raises:
        FlowNotFound: there is no such file or flow.
        InvalidInput: the file can't be imported; what it raised is the cause.
    """
    file = Path(path).expanduser().absolute()
    module = _import(file, text)
    flows = {key: value for key, value in vars(module).items() if isinstance(value, Flow)}
    if not name and len(flows) == 1:
        return next(iter(flows.values()))
    if name in flows:
        return flows[name]
    have = f"there are: {', '.join(flows)}" if flows else "it has none; is @flow missing?"
    if name:
        hint = did_you_mean(name, flows) or f"; {have}"
        raise FlowNotFound(f"no flow {name!r} in {file.name}{hint}")
    raise FlowNotFound(f"{file.name}: name the flow, as in `{file.name}:NAME`; {have}")


class _Loader(SourceFileLoader):
    """Loads a file, or the text that stands for it, and neither reads nor writes bytecode."""

    def __init__(self, fullname: str, path: str, text: bytes) -> None:
        super().__init__(fullname, path)
        self._text = text

    def get_data(self, path: Any) -> bytes:
        return self._text if str(path) == self.path else super().get_data(path)

    def path_stats(self, path: Any) -> Any:
        raise OSError("no bytecode is kept of it")


def _import(file: Path, text: bytes | None) -> ModuleType:
    if not file.is_file() and text is None:
        near = [each.name for each in file.parent.glob("*.py")] if file.parent.is_dir() else []
        raise FlowNotFound(f"{file} is not there{did_you_mean(file.name, near)}")
    root, name = _dotted(file)
    # As `python file.py` does: its neighbours can be imported, and it can be pickled by name.
    sys.path.insert(0, str(root))
    try:
        if package := name.rpartition(".")[0]:
            importlib.import_module(package)
        spec = _spec(name, file, text)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        assert spec.loader is not None
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise InvalidInput(f"{file} can't be imported: {type(error).__name__}: {error}") from error
    return module


def _spec(name: str, file: Path, text: bytes | None) -> ModuleSpec:
    loader = None
    if text is not None:
        loader = _Loader(name, str(file), text)
        lines = text.decode(errors="replace").splitlines(keepends=True)
        # Tracebacks show what is executed, and not what the file holds by now.
        linecache.cache[str(file)] = (len(text), None, lines, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    if spec is None or spec.loader is None:
        raise FlowNotFound(f"{file} is no Python file")
    return spec


def _dotted(file: Path) -> tuple[Path, str]:
    """The folder to import from, and the module's name: dotted in a package."""
    root, parts = file.parent, [file.stem]
    while (root / "__init__.py").is_file() and root.name.isidentifier():
        parts.insert(0, root.name)
        root = root.parent
    return root, ".".join(parts)
