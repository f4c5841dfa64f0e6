"""What code names from outside: globals, their attributes, modules it imports as it runs."""

from __future__ import annotations

import ast
import dis
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import CodeType
from typing import Literal

from orion_nb.schemas.values import frozen


@frozen
class Load:
    """A name that code reads, with the attributes it reads of it: `helpers`, `("clean",)`."""

    kind: Literal["global", "import"]
    name: str
    attributes: tuple[str, ...] = ()
    level: int = 0  # of a relative import


GLOBALS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
PADDING = frozenset({"EXTENDED_ARG", "CACHE"})


def loads_of(code: CodeType) -> tuple[Load, ...]:
    """What the code and the functions and classes within it read from outside, each once."""
    known = _loads.get(id(code))
    if known is None or known[0] is not code:
        if len(_loads) >= 20_000:
            _loads.clear()
        known = _loads[id(code)] = code, tuple(dict.fromkeys(_read(code)))
    return known[1]


def file_of(module: str) -> str | None:
    """The file that a module would be imported from; nothing is imported to find it."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        return getattr(loaded, "__file__", None)
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
        name = top
        for each in rest:
            name = f"{name}.{each}"
            places = spec.submodule_search_locations if spec else None
            spec = PathFinder.find_spec(name, list(places)) if places else None
    except (ImportError, ValueError):
        return None
    return spec.origin if spec and spec.has_location else None


def imports_of(tree: ast.AST, path: str, module: str) -> Iterator[str]:
    """The modules that a module's file imports, anywhere in it; not all of them may exist."""
    package = module if Path(path).name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield each.name
        elif isinstance(node, ast.ImportFrom):
            yield from named(node.module or "", node.level, package, [a.name for a in node.names])


def named(module: str, level: int, package: str, names: list[str]) -> Iterator[str]:
    """The modules that `from ..module import names` may mean: itself, and those named in it."""
    if level:
        parent = package.split(".")[: len(package.split(".")) - level + 1]
        module = ".".join([*parent, module] if module else parent)
    yield module
    for name in names:
        yield f"{module}.{name}"


def _read(code: CodeType) -> Iterator[Load]:
    made = [each for each in dis.get_instructions(code) if each.opname not in PADDING]
    for at, each in enumerate(made):
        if each.opname in GLOBALS:
            yield Load("global", str(each.argval), _attributes(made, at))
        elif each.opname == "IMPORT_NAME":
            level, names = made[at - 2].argval, made[at - 1].argval
            yield Load("import", str(each.argval), tuple(names or ()), int(level or 0))
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _read(inner)


def _attributes(made: list[dis.Instruction], at: int) -> tuple[str, ...]:
    found: list[str] = []
    for each in made[at + 1 :]:
        if each.opname not in ATTRIBUTES:
            break
        found.append(str(each.argval))
    return tuple(found)


_loads: dict[int, tuple[CodeType, tuple[Load, ...]]] = {}
