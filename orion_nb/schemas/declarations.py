"""Parameters as a cell declares them: its assignments, read from their syntax and never run."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from orion_nb.errors import InvalidNotebook
from orion_nb.schemas import computed, enums, hints, literals

_IPYTHON = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)
_TYPE = re.compile(r"type:\s*((?!ignore\b)\S.*)")
_OF_TYPES = (
    ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.BinOp, ast.BitOr, ast.Tuple, ast.List,
    ast.Load,
)  # fmt: skip

#: In a comment that says more, a type is no longer.
LONGEST_TYPE = 200


_Node = TypeVar("_Node", bound=ast.stmt | ast.expr | ast.arg)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook.

    Args:
        name: what the notebook calls it.
        annotation: the annotation as it is written, or empty.
        type: what a value is coerced to; Any when it can't be known.
        source: the default as it is written; empty when a value is required.
        default: the value of the default when `is_literal`, else None.
        is_literal: the default is known without running the notebook.
        help: the comment behind it.
    """

    name: str
    annotation: str
    type: Any
    source: str = ""
    default: Any = None
    is_literal: bool = False
    help: str = ""

    @property
    def required(self) -> bool:
        return not self.source

    def __str__(self) -> str:
        source = self.source if len(self.source) <= 60 else self.source[:57] + "..."
        told = f"{self.name}: {self.annotation}" if self.annotation else self.name
        return f"{told} = {source}" if source else told

    def as_json(self) -> dict[str, Any]:
        """The parameter as JSON values; its default as it is written."""
        return {
            "name": self.name,
            "annotation": self.annotation or None,
            "default": self.source or None,
            "required": self.required,
            "help": self.help or None,
        }


def read(source: str, where: str, before: Iterable[str] = ()) -> tuple[Parameter, ...]:
    """The parameters that a cell's source declares; the last assignment of a name holds.

    `before` are the sources of the cells above: enums that they declare can be named.

    Raises:
        InvalidNotebook: the source is not Python; the text begins with `where`.
    """
    said = comments(source)
    tree = parse(source, where)
    names = {**hints.SIMPLE, **_enums([*before], tree)}
    found: dict[str, Parameter] = {}
    for statement, comment in behind(tree.body, said):
        for parameter in _declared(statement, source, comment, names):
            found[parameter.name] = parameter
    return tuple(found.values())


def _enums(before: list[str], tree: ast.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in before:
        if "Enum" in each:
            with contextlib.suppress(InvalidNotebook):
                found.update(enums.declared(parse(each, "")))
    found.update(enums.declared(tree))
    return {name: hints.of_enum(kind) for name, kind in found.items()}


def parse(source: str, where: str) -> ast.Module:
    """The syntax of the source; lines for IPython alone are left out when it is none with them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a notebook's text is the notebook's affair
        with contextlib.suppress(SyntaxError):
            return _tree(source, where)
        try:
            return _tree(_IPYTHON.sub("", source), where)
        except SyntaxError as error:
            message = f"{where}, line {error.lineno}: {error.msg}"
            raise InvalidNotebook(message) from None


def _tree(source: str, where: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidNotebook(f"{where} can't be read: {error}") from None


def _declared(
    statement: ast.stmt, source: str, comment: str, known: dict[str, Any]
) -> Iterator[Parameter]:
    match statement:
        case ast.AnnAssign(ast.Name(name), annotation, value):
            names, kind = [name], hints.read(annotation, known)
            written = segment(source, annotation)
            if isinstance(annotation, ast.Constant):
                written = str(annotation.value)
        case ast.Assign(
            [ast.Tuple(targets) | ast.List(targets)], ast.Tuple() | ast.List() as values
        ):
            # `first, last = 1, 9` are two parameters.
            if len(targets) == len(values.elts) and _no_star(targets + values.elts):
                for target, value in zip(targets, values.elts, strict=True):
                    of_last = comment if target is targets[-1] else _type_alone(comment)
                    alone = ast.copy_location(ast.Assign([target], value), statement)
                    yield from _declared(alone, source, of_last, known)
            return
        case ast.Assign(targets, value) if all(isinstance(each, ast.Name) for each in targets):
            names = [each.id for each in targets if isinstance(each, ast.Name)]
            kind, written = None, ""
        case _:
            return
    if told := _TYPE.fullmatch(comment):
        typed, comment = _typed(told[1])
        written = written or typed
        kind = hints.read_text(typed, known) if isinstance(statement, ast.Assign) else kind
    for name in names:
        told_default = None if value is None else segment(source, value)
        helps = comment if name == names[-1] else ""
        yield parameter(name, written, kind, told_default, value, helps, known)


def behind(nodes: Iterable[_Node], said: dict[int, str]) -> Iterator[tuple[_Node, str]]:
    """Each piece of syntax with the comment behind it: of several in a line the last one has it.

    Args:
        nodes: statements or the like, in the order in which they are written.
        said: the `comments` of the source.
    """
    pieces = [*nodes]
    last = {line: each for each in pieces for line in (each.lineno, each.end_lineno)}
    for each in pieces:
        line = each.end_lineno or 0
        yield each, said.get(line, "") if last[line] is each else ""


def _type_alone(comment: str) -> str:
    """Of a comment the type alone, which holds for all that a statement assigns."""
    told = _TYPE.fullmatch(comment)
    return f"type: {_typed(told[1])[0]}" if told else ""


def _typed(told: str) -> tuple[str, str]:
    """The type that a comment begins with, and what it says behind it, as in `int how many`."""
    blanks = [*re.finditer(r"\s+", told[:LONGEST_TYPE])]
    apart = next((blank for blank in blanks if len(blank[0]) > 1), None)
    ends = [apart.start() if apart else len(told), *(blank.start() for blank in reversed(blanks))]
    for end in ends:
        if _is_type(told[:end]):
            return told[:end], told[end:].strip()
    return told[: ends[0]], told[ends[0] :].strip()


def _is_type(text: str) -> bool:
    try:
        found = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not isinstance(found, ast.Tuple | ast.List) and all(
        isinstance(node, _OF_TYPES) for node in ast.walk(found)
    )


def _no_star(nodes: list[ast.expr]) -> bool:
    return not any(isinstance(node, ast.Starred) for node in nodes)


def parameter(
    name: str,
    written: str,
    kind: Any,
    shown: str | None,
    value: ast.expr | None,
    comment: str,
    known: dict[str, Any],
) -> Parameter:
    """A parameter: its annotation as written, its type; its default as written, and its syntax."""
    if value is None or shown is None:
        return Parameter(name, written, kind, help=comment)
    try:
        default = _default(value, known)
    except ValueError:
        kind = kind if written else computed.kind(value)
        return Parameter(name, written, kind, shown, help=comment)
    if not written:
        kind = hints.of_default(default)
    elif default is None:  # `day: date = None` means that there need be none
        kind = hints.optional(kind)
    return Parameter(name, written, kind, shown, default, True, comment)


def _default(node: ast.expr, known: dict[str, Any]) -> Any:
    kinds = {name: get_args(kind)[0] for name, kind in known.items() if get_args(kind)}
    found = enums.member(node, kinds)
    return literals.read(node) if found is None else found


def segment(source: str, node: ast.expr) -> str:
    """An expression as it is written, in one line."""
    return " ".join((ast.get_source_segment(source, node) or "").split())


def comments(source: str) -> dict[int, str]:
    """The comments by their line; as far as the source can be read."""
    found: dict[int, str] = {}
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string.lstrip("# ").rstrip()
    return found
