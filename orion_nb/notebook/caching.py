"""A task cell in the cache: its key is its source and the values of the names that it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from orion_nb.engine.tasks import Task
from orion_nb.notebook.cells import Cell

if TYPE_CHECKING:
    from orion_nb.engine.caching import CacheKey

_CONDITIONAL = (
    ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.TryStar | ast.With | ast.AsyncWith
    | ast.Match
)  # fmt: skip


class CellTask(Task[..., Any]):
    """The task that a cell is; what it is cached by is read off the cell."""

    body: Cell

    def cache_key_of(self, args: Any, kwargs: Any) -> CacheKey:
        """The cache key of the cell as it would run now, and what it is made of.

        Raises:
            Unhashable: a name that it reads has no content to know it by.
        """
        from orion_nb.engine.caching import Unhashable, key_for, key_for_custom

        namespace = self.body.shell.user_ns
        custom = self.options.cache_key
        if isinstance(custom, str):
            return key_for_custom(
                self.name, lambda _: custom.format_map(namespace), _of_names, (), {}
            )
        try:
            made = _as_function(self.body, namespace)
        except SyntaxError as error:
            raise Unhashable(f"it can't stand in a function: {error.msg}") from None
        before = read_before_set(self.body.tree.body)
        found = {f"name {name}": namespace[name] for name in sorted(before) if name in namespace}
        return key_for(made, self.name, (), {}, found)


def _of_names() -> None:
    """What a key of one's own is made of is no argument: it is the notebook's names."""


def _as_function(body: Cell, namespace: dict[str, Any]) -> FunctionType:
    """A function with the cell's body: what it reaches is followed as that of any task."""
    kind = ast.AsyncFunctionDef if body.is_async else ast.FunctionDef
    nothing = ast.arguments([], [], None, [], [], None, [])
    made = kind("cell", nothing, body.tree.body or [ast.Pass()], [])
    module = ast.fix_missing_locations(ast.Module([made], []))
    scope: dict[str, Any] = {}
    flags = body.shell.compile.flags
    name: str = vars(body.tree)["orion_nb_file"]
    exec(compile(module, name, "exec", flags, dont_inherit=True), {}, scope)
    return FunctionType(scope["cell"].__code__, namespace, "cell")


def read_before_set(body: Iterable[ast.stmt]) -> set[str]:
    """The names that statements may read before they set them, of those that they set at all.

    What is set under a condition, or in a loop, may not have been set behind it.
    """
    statements = list(body)
    ever = {name for each in statements for name in _names(each, ast.Store | ast.Del)}
    return _read(statements, set()) & ever


def _read(statements: Iterable[ast.stmt], known: set[str]) -> set[str]:
    found: set[str] = set()
    for each in statements:
        if isinstance(each, _CONDITIONAL):
            found |= _read_in(each, known)
            continue
        found |= _names(each, ast.Load) - known
        if isinstance(each, ast.AugAssign):
            found |= _names(each.target, ast.Store) - known
        known |= _names(each, ast.Store)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            known.add(each.name)
    return found


def _read_in(statement: ast.stmt, known: set[str]) -> set[str]:
    """What a statement with a body of its own may read; what it sets is known within it alone."""
    within = set(known)
    found: set[str] = set()
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt):
            found |= _names(child, ast.Load) - within
            within |= _names(child, ast.Store)
    for block in _blocks(statement):
        found |= _read(block, set(within))
    return found


def _blocks(statement: Any) -> Iterable[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        yield getattr(statement, field, [])
    for field in ("handlers", "cases"):
        for part in getattr(statement, field, []):
            yield part.body


def _names(node: ast.AST, context: Any) -> set[str]:
    """The names in this context, in what is nested as well; imported ones are set."""
    found = {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, context)
    }
    if context is not ast.Load:
        aliases = (each for each in ast.walk(node) if isinstance(each, ast.alias))
        found |= {(each.asname or each.name).partition(".")[0] for each in aliases}
    return found
