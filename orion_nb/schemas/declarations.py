"""Parameters as a cell declares them: its assignments, read from their syntax and never run."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orion_nb.errors import InvalidNotebook
from orion_nb.schemas import hints, literals

_IPYTHON = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)
_TYPE = re.compile(r"type:\s*(?P<type>(?!ignore\b)\S.*?)(?:\s{2,}(?P<help>.*))?")


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


def read(source: str, where: str) -> tuple[Parameter, ...]:
    """The parameters that a cell's source declares; the last assignment of a name holds.

    Raises:
        InvalidNotebook: the source is not Python; the text begins with `where`.
    """
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    for statement in _parse(source, where).body:
        for parameter in _declared(statement, source, comments):
            found[parameter.name] = parameter
    return tuple(found.values())


def _parse(source: str, where: str) -> ast.Module:
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


def _declared(statement: ast.stmt, source: str, comments: dict[int, str]) -> Iterator[Parameter]:
    match statement:
        case ast.AnnAssign(ast.Name(name), annotation, value):
            names, kind = [name], hints.read(annotation)
            written = _segment(source, annotation)
            if isinstance(annotation, ast.Constant):
                written = str(annotation.value)
        case ast.Assign(targets, value) if all(isinstance(each, ast.Name) for each in targets):
            names = [each.id for each in targets if isinstance(each, ast.Name)]
            kind, written = None, ""
        case _:
            return
    comment = comments.get(statement.end_lineno or 0, "")
    if told := _TYPE.fullmatch(comment):
        comment = told["help"] or ""
        written = written or told["type"]
        kind = hints.read_text(told["type"]) if isinstance(statement, ast.Assign) else kind
    for name in names:
        yield _parameter(name, written, kind, source, value, comment)


def _parameter(
    name: str, written: str, kind: Any, source: str, value: ast.expr | None, comment: str
) -> Parameter:
    if value is None:
        return Parameter(name, written, kind, help=comment)
    shown = _segment(source, value)
    try:
        default = literals.read(value)
    except ValueError:
        return Parameter(name, written, kind if written else Any, shown, help=comment)
    if not written:
        kind = hints.of_default(default)
    elif default is None:  # `day: date = None` means that there need be none
        kind = hints.optional(kind)
    return Parameter(name, written, kind, shown, default, True, comment)


def _segment(source: str, node: ast.expr) -> str:
    return " ".join((ast.get_source_segment(source, node) or "").split())


def _comments(source: str) -> dict[int, str]:
    """The comments by their line; as far as the source can be read."""
    found: dict[int, str] = {}
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string.lstrip("# ").rstrip()
    return found
