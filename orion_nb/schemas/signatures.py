"""A flow as its file declares it: parameters and options, read from the syntax and never run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orion_nb.errors import FlowNotFound
from orion_nb.schemas import declarations, enums, hints, literals
from orion_nb.schemas.likeness import did_you_mean
from orion_nb.schemas.parameters import Parameter, Parameters

Function = ast.FunctionDef | ast.AsyncFunctionDef

#: The options of `@flow` that a deployment of it has too, when they are literals.
OPTIONS = (
    "retries", "retry_delay", "retry_crashes", "timeout", "tags", "concurrency", "sla",
    "sla_start", "sla_action",
)  # fmt: skip


@dataclass(frozen=True)
class Signature:
    """A flow's name in its file, what it takes, and what its decorator says about its runs."""

    name: str
    parameters: Parameters
    options: dict[str, Any] = field(default_factory=dict)


def read_flow(source: str, name: str, where: str) -> Signature:
    """The flow of this name; without a name, the only flow that there is.

    A flow that is no plain `@flow` function, but is imported say, takes any parameters as far as
    can be read here: they are checked when its module is imported, by the process that runs it.

    Raises:
        FlowNotFound: there is none of this name, or it is not said which of several is meant.
        InvalidNotebook: the source is not Python.
    """
    tree = declarations.parse(source, where)
    flows = {each.name: each for each in _statements(tree) if isinstance(each, Function)}
    plain = {each: fn for each, fn in flows.items() if _decorator(fn) is not None}
    if not name and len(plain) == 1:
        name = next(iter(plain))
    if name in plain:
        return _signature(plain[name], source, tree)
    if name and (name in _bound(tree) or (name in flows and flows[name].decorator_list)):
        return Signature(name, Parameters(taker="flow", is_open=True))
    raise _not_found(name, list(plain), where)


def _not_found(name: str, have: list[str], where: str) -> FlowNotFound:
    told = f"there are: {', '.join(have)}" if have else "it has none; is @flow missing?"
    if not name:
        return FlowNotFound(f"{where}: name the flow, as in `{where}:NAME`; {told}")
    return FlowNotFound(f"no flow {name!r} in {where}{did_you_mean(name, have) or f'; {told}'}")


def _statements(node: ast.Module | ast.If | ast.Try | ast.With) -> Iterator[ast.stmt]:
    """The statements of a module, and of what is no scope of its own within it."""
    for each in node.body:
        yield each
        if isinstance(each, ast.If | ast.Try | ast.With):
            yield from _statements(each)


def _bound(tree: ast.Module) -> set[str]:
    """The names that are imported or assigned."""
    found: set[str] = set()
    for each in _statements(tree):
        match each:
            case ast.Import(names) | ast.ImportFrom(_, names):
                found.update((alias.asname or alias.name).partition(".")[0] for alias in names)
            case ast.Assign(targets):
                found.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(ast.Name(name), _, _):
                found.add(name)
    return found


def _decorator(function: Function) -> ast.expr | None:
    """`@flow`, `@orion_nb.flow` or a call of it, if the function has it."""
    for each in function.decorator_list:
        named = each.func if isinstance(each, ast.Call) else each
        if literals.simple_name(named) == "flow" or _attribute(named) == "flow":
            return each
    return None


def _attribute(node: ast.expr) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else None


def _signature(function: Function, source: str, tree: ast.Module) -> Signature:
    names = {name: hints.of_enum(kind) for name, kind in enums.declared(tree).items()}
    known = {**hints.SIMPLE, **names}
    fields = tuple(_parameters(function.args, source, known))
    takes_any = function.args.kwarg is not None
    taken = Parameters(() if takes_any else fields, cell=0, taker="flow", is_open=takes_any)
    return Signature(function.name, taken, _options(_decorator(function)))


def _parameters(args: ast.arguments, source: str, known: dict[str, Any]) -> Iterator[Parameter]:
    plain = [*args.posonlyargs, *args.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(args.defaults))
    defaults = [*missing, *args.defaults, *args.kw_defaults]
    pairs = [*zip([*plain, *args.kwonlyargs], defaults, strict=True)]
    comments = _comments(args, pairs, source)
    for each, default in pairs:
        hint = each.annotation
        written = "" if hint is None else declarations.segment(source, hint)
        if isinstance(hint, ast.Constant):
            written = str(hint.value)
        kind = Any if hint is None else hints.read(hint, known)
        shown = None if default is None else declarations.segment(source, default)
        comment = comments.get(each.arg, "")
        yield declarations.parameter(each.arg, written, kind, shown, default, comment, known)


def _comments(
    args: ast.arguments, pairs: Iterable[tuple[ast.arg, ast.expr | None]], source: str
) -> dict[str, str]:
    """The comments by the parameters that they stand behind; of `*rest` and `**more` none is."""
    ends = {each.arg: default or each for each, default in pairs}
    ends |= {each.arg: each for each in (args.vararg, args.kwarg) if each}
    written = sorted(ends, key=lambda name: (ends[name].lineno, ends[name].col_offset))
    told = declarations.behind((ends[name] for name in written), declarations.comments(source))
    return {name: comment for name, (_, comment) in zip(written, told, strict=True)}


def _options(decorator: ast.expr | None) -> dict[str, Any]:
    """What the decorator says in literals of what a deployment has, too."""
    found: dict[str, Any] = {}
    for each in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if each.arg in OPTIONS:
            try:
                value = ast.literal_eval(each.value)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                continue
            found[each.arg] = list(value) if isinstance(value, tuple) else value
    if isinstance(found.get("retry_delay"), list):
        del found["retry_delay"]  # a deployment has one for all
    if isinstance(found.get("tags"), str):
        found["tags"] = [found["tags"]]
    return found
