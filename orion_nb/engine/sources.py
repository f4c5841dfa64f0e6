"""The source of code as far as it matters: without layout, comments, docstrings, places.

A source counts only when it is the one that the running code was made from: a file that was edited
since it was imported isn't. Then, and where there is no source, the bytecode counts instead.
"""

from __future__ import annotations

import ast
import dis
import linecache
import marshal
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from orion_nb.engine.prints import MARSHAL, join

IsOurs = Callable[[ast.expr], bool]

#: What of a node is not its meaning: a place's context follows from where it stands.
UNTOLD = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
FUTURE = 0xFFFF  # above these, a code's flags say which __future__ it was compiled under
CONSTANTS = frozenset(dis.hasconst)


def print_of_code(code: CodeType, scope: dict[str, Any]) -> bytes:
    """The print of a function's code, by its source where that can be had.

    Args:
        code: `fn.__code__`.
        scope: `fn.__globals__`, by which decorators of ours are known: their options don't count.
    """
    known = _prints.get(id(code))
    if known is None or known[0] is not code:
        if len(_prints) >= 20_000:
            _prints.clear()  # redefined cells pile up
        known = _prints[id(code)] = code, _of_source(code, scope) or _of_bytecode(code)
    return known[1]


def print_of_tree(tree: ast.AST, is_ours: IsOurs = lambda _: False) -> bytes:
    """The print of a syntax tree, such as a cell's or a file's.

    Raises:
        RecursionError: it is nested too deeply.
    """
    told: list[str] = []
    _tell(tree, told, is_ours)
    return join("source", "".join(told).encode("utf-8", "surrogatepass"))


def is_installed(module: str) -> bool:
    """The module belongs to Python or an installed package: its version counts, not its source.

    A module that was installed to be edited in place is the user's own.
    """
    if module == "__main__":
        return False
    loaded = sys.modules.get(module)
    if loaded is None:
        return is_installed(module.rpartition(".")[0]) if "." in module else is_of_python(module)
    path = getattr(loaded, "__file__", None)
    if path is None:
        origin = getattr(getattr(loaded, "__spec__", None), "origin", None)
        return origin in ("built-in", "frozen") or is_of_python(module.partition(".")[0])
    return is_installed_file(path)


@cache
def is_installed_file(path: str) -> bool:
    """The file lies where Python or pip put files."""
    parts = Path(path).parts
    if "site-packages" in parts or "dist-packages" in parts or path.startswith("<frozen"):
        return True
    return any(Path(path).is_relative_to(folder) for folder in _folders())


@cache
def _folders() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return (*{sysconfig.get_path(name) for name in names}, site.getusersitepackages())


def is_of_python(top: str) -> bool:
    """The top-level module is part of Python itself: it has no version of its own."""
    return top in sys.stdlib_module_names or top in sys.builtin_module_names


def _of_source(code: CodeType, scope: dict[str, Any]) -> bytes | None:
    if code.co_filename == "<string>":
        return None
    try:
        found = _index(code.co_filename, scope).get(code.co_qualname, [])
        bare = _bare(code) if found else None
        for made, node in found:
            if made == bare:
                return print_of_tree(node, lambda each: _is_ours(each, scope))
    except (SyntaxError, ValueError, RecursionError):
        pass
    return None


def _index(filename: str, scope: dict[str, Any]) -> dict[str, list[tuple[CodeType, ast.AST]]]:
    """The functions of a file as it is now, by qualified name: code as compiled, and its tree."""
    linecache.checkcache(filename)
    lines = linecache.getlines(filename, scope)
    known = _indexes.get(filename)
    if known is None or known[0] is not lines:
        known = _indexes[filename] = lines, dict(_paired("".join(lines), filename))
    return known[1]


def _paired(text: str, filename: str) -> dict[str, list[tuple[CodeType, ast.AST]]]:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = ast.parse(text, filename)
    nodes: dict[tuple[str, int], list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            line = min(each.lineno for each in (node, *node.decorator_list))
            nodes.setdefault((node.name, line), []).append(node)
        elif isinstance(node, ast.Lambda):
            nodes.setdefault(("<lambda>", node.lineno), []).append(node)
    paired: dict[str, list[tuple[CodeType, ast.AST]]] = {}
    for code in _codes(compile(text, filename, "exec", flags, dont_inherit=True)):
        found = nodes.get((code.co_name, code.co_firstlineno), [])
        if len(found) == 1:  # of two lambdas on a line none can be told from the other
            paired.setdefault(code.co_qualname, []).append((_bare(code), found[0]))
    return paired


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def _bare(code: CodeType) -> CodeType:
    """The code without where it stands in which file, and how deep its session's futures go."""
    return code.replace(
        co_firstlineno=1,
        co_linetable=b"",
        co_filename="",
        co_flags=code.co_flags & FUTURE,
        co_consts=tuple(_bare(c) if isinstance(c, CodeType) else c for c in code.co_consts),
    )


def _tell(node: Any, told: list[str], is_ours: IsOurs) -> None:
    if isinstance(node, list):
        told.append("[")
        for each in node:
            _tell(each, told, is_ours)
            told.append(",")
        told.append("]")
    elif isinstance(node, ast.Constant):
        told.append(repr(node.value))
    elif isinstance(node, ast.AST):
        told.append(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            if name == "body" and isinstance(value, list):
                value = _without_docstring(node, value)
            elif name == "decorator_list":
                value = [each for each in value or () if not is_ours(each)]
            if name in UNTOLD or value is None or value == []:
                continue  # versions of Python differ in which empty fields there are
            told.append(f"{name}=")
            _tell(value, told, is_ours)
        told.append(")")
    else:
        told.append(repr(node))


def _without_docstring(node: ast.AST, body: list[Any]) -> list[Any]:
    has_one = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    match body:
        case [ast.Expr(ast.Constant(str())), *rest] if has_one:
            return rest
    return body


def _is_ours(decorator: ast.expr, scope: dict[str, Any]) -> bool:
    """`@task`, `@orion_nb.flow(retries=3)`, by whatever name they are known."""
    match decorator:
        case ast.Call(func):
            return _is_ours(func, scope)
        case ast.Attribute(ast.Name(module), name) if isinstance(scope.get(module), ModuleType):
            found = getattr(scope[module], name, None)
        case ast.Name(name):
            found = scope.get(name)
        case _:
            return False
    return str(getattr(found, "__module__", "")).partition(".")[0] == "orion_nb"


def _of_bytecode(code: CodeType) -> bytes:
    """The print of what is executed: each instruction, with the constant it loads."""
    told: list[bytes] = []
    for each in dis.get_instructions(code):
        told.append(f"{each.opname} ".encode())
        if each.opcode in CONSTANTS:
            told.append(_of_constant(each.argval))
        else:
            told.append(b"%d" % (each.arg or 0))
    names = (code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    head = marshal.dumps((code.co_name, counts, code.co_flags & FUTURE, names), MARSHAL)
    return join("bytecode", head, code.co_exceptiontable, *told)


def _of_constant(value: Any) -> bytes:
    if isinstance(value, CodeType):
        return _of_bytecode(value)
    if isinstance(value, tuple):
        return join("tuple", *map(_of_constant, value))
    if isinstance(value, frozenset):
        return join("frozenset", *sorted(map(_of_constant, value)))
    if isinstance(value, slice):
        return join("slice", *map(_of_constant, (value.start, value.stop, value.step)))
    return marshal.dumps(value, MARSHAL)


_prints: dict[int, tuple[CodeType, bytes]] = {}
_indexes: dict[str, tuple[list[str], dict[str, list[tuple[CodeType, ast.AST]]]]] = {}
