"""The body of a cell: compiled as IPython would, and run in the user's namespace."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

from orion_nb.notebook.made import to_keep
from orion_nb.notebook.session import is_headless


class Cell:
    """A cell's body, ready to run as often as its retries ask for.

    The last expression is displayed and becomes `Out[n]`, as if there were no magic line.
    """

    def __init__(self, shell: Any, body: str) -> None:
        self.shell = shell
        self.tree = _parsed(shell, body)
        is_shown = not shell.displayhook.semicolon_at_end_of_expression(body)
        self.codes = _compiled(shell, self.tree, is_shown)
        self.is_async = any(code.co_flags & inspect.CO_COROUTINE for code in self.codes)
        self._before: dict[str, Any] = {}
        #: The body has been executed here; else what it made comes from an earlier attempt.
        self.ran = False
        #: What it made is kept wherever it runs: it may be restored from the cache.
        self.is_cached = False

    @property
    def first_name(self) -> str | None:
        """The first name that the body assigns or defines; imports don't count."""
        stores = (node for node in _top_level(self.tree) if isinstance(node, ast.Name))
        return next((node.id for node in stores if isinstance(node.ctx, ast.Store)), None)

    def run(self) -> dict[str, Any] | None:
        """The body runs on this thread, in the user's namespace; what it made is answered."""
        self.ran = True
        namespace = self.shell.user_ns
        self._before = dict(namespace)
        for code in self.codes:
            exec(code, self.shell.user_global_ns, namespace)
        return self._made()

    async def run_async(self) -> dict[str, Any] | None:
        """The same for a body that awaits, on the loop of the kernel."""
        self.ran = True
        namespace = self.shell.user_ns
        self._before = dict(namespace)
        for code in self.codes:
            made = eval(code, self.shell.user_global_ns, namespace)
            if inspect.iscoroutine(made):
                await made
        return self._made()

    def _made(self) -> dict[str, Any] | None:
        """The values of the names that the body assigned, to be kept for a rerun of the notebook.

        Where people work nothing is run once more by itself, and nothing kept.
        """
        if not (is_headless() or self.is_cached):
            return None
        namespace = self.shell.user_ns
        names = {name: namespace[name] for name in assigned(self.tree) if name in namespace}
        return to_keep(names, cell_id(self.shell))

    def restore(self, made: Any) -> None:
        """The names that the body assigned in an earlier attempt have these values."""
        if isinstance(made, dict):
            self.shell.user_ns.update(made)

    def undo_names(self) -> None:
        """What a failed attempt assigned is as it was before: the next one starts alike."""
        namespace = self.shell.user_ns
        for name in assigned(self.tree):
            if name in self._before:
                namespace[name] = self._before[name]
            else:
                namespace.pop(name, None)


def awaits(source: str, transform: Callable[[str], str]) -> bool | None:
    """A cell's source has an `await` at its top level; None where it is broken.

    `transform` makes Python of IPython's own syntax, such as `!ls`.
    """
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        code = compile(transform(source), "<cell>", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return bool(code.co_flags & inspect.CO_COROUTINE)


def cell_id(shell: Any) -> str | None:
    """The id of the cell that is executed, where the front end tells it."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return (parent.get("metadata") or {}).get("cellId") or None


def number(shell: Any) -> int:
    """The number of the cell that is executed, the `n` of `In[n]`.

    Versions of IPython differ in when they count `execution_count` up.
    """
    return len(shell.history_manager.input_hist_raw) - 1 or int(shell.execution_count)


def _parsed(shell: Any, body: str) -> ast.Module:
    source = shell.transform_cell(body)
    name = shell.compile.cache(source, number(shell), raw_code=body)
    tree: ast.Module = shell.transform_ast(
        compile(
            source,
            name,
            "exec",
            shell.compile.flags | ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
    )
    tree.orion_nb_file = name  # type: ignore[attr-defined]
    return tree


def _compiled(shell: Any, tree: ast.Module, is_shown: bool) -> list[CodeType]:
    name: str = tree.orion_nb_file  # type: ignore[attr-defined]
    body, last = list(tree.body), []
    if is_shown and body and isinstance(body[-1], ast.Expr):
        last = [body.pop()]
    flags = shell.compile.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    codes = []
    if body:
        module = ast.Module(body, [])
        codes.append(compile(module, name, "exec", flags, dont_inherit=True))
    if last:
        shown = ast.Interactive(list(last))
        codes.append(compile(shown, name, "single", flags, dont_inherit=True))
    return codes


def assigned(tree: ast.Module) -> list[str]:
    """The names bound or deleted at the top level of the body, in order."""
    found: dict[str | None, None] = {}
    for node in _top_level(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found[name] = None
            case ast.alias(name=name, asname=other):
                found[(other or name).partition(".")[0]] = None
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.ExceptHandler():
                found[node.name] = None
            case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.MatchMapping(rest=name):
                found[name] = None
    return [name for name in found if name is not None and name != "*"]


def _top_level(node: ast.AST) -> list[ast.AST]:
    """All nodes that run in the cell's own namespace: not those inside functions and classes."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        found.append(child)
        inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
        comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        if isinstance(child, comprehension):  # of what it binds, only `:=` reaches the cell
            walrus = (each for each in ast.walk(child) if isinstance(each, ast.NamedExpr))
            found.extend(each.target for each in walrus)
        elif not isinstance(child, inner):
            found.extend(_top_level(child))
    return found
