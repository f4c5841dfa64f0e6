"""The type of a default that only a run would tell, as far as its syntax says it: `60 * 60`."""

from __future__ import annotations

import ast
from typing import Any

from orion_nb.schemas import hints
from orion_nb.schemas.literals import simple_name

#: What is called to make a value, and the name of its type.
MADE = {
    name: name
    for name in (
        "bool", "int", "float", "str", "list", "dict", "tuple", "set", "frozenset",
        "date", "datetime", "time", "timedelta", "Decimal", "Path",
    )
} | {"len": "int", "sorted": "list"}  # fmt: skip

#: What methods of a type, or of a value of it, give.
METHODS = {
    "date": {
        **dict.fromkeys(("today", "fromisoformat", "fromtimestamp", "replace"), "date"),
        **dict.fromkeys(("isoformat", "strftime"), "str"),
    },
    "datetime": {
        **dict.fromkeys(
            ("now", "utcnow", "today", "fromisoformat", "fromtimestamp", "strptime", "combine",
             "replace", "astimezone"),
            "datetime",
        ),
        **dict.fromkeys(("isoformat", "strftime"), "str"),
        "date": "date",
    },
    "Path": dict.fromkeys(("home", "cwd", "resolve", "absolute", "expanduser"), "Path"),
    "str": {
        **dict.fromkeys(("format", "join", "strip", "lower", "upper", "replace"), "str"),
        "split": "list",
    },
}  # fmt: skip

DISPLAYS = {
    ast.JoinedStr: "str",
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Tuple: "tuple",
    ast.Compare: "bool",
}


def kind(node: ast.expr) -> Any:
    """The type of an expression, Any where its syntax does not say it."""
    return hints.SIMPLE[_name(node, 0) or "Any"]


def _name(node: ast.expr, depth: int) -> str | None:
    if depth > hints.DEEPEST:
        return None
    if type(node) in DISPLAYS:
        return DISPLAYS[type(node)]
    match node:
        case ast.Constant(value):
            return hints.BY_DEFAULT.get(type(value))
        case ast.UnaryOp(ast.Not(), _):
            return "bool"
        case ast.UnaryOp(ast.UAdd() | ast.USub(), operand):
            told = _name(operand, depth + 1)
            return told if told in ("int", "float", "timedelta", "Decimal") else None
        case ast.IfExp(_, body, other):
            told = _name(body, depth + 1)
            return told if told == _name(other, depth + 1) else None
        case ast.Call(func):
            return _called(func, depth)
        case ast.BinOp(left, op, right):
            return _combined(_name(left, depth + 1), op, _name(right, depth + 1))
    return None


def _called(func: ast.expr, depth: int) -> str | None:
    if (name := simple_name(func) or "") in MADE:
        return MADE[name]
    if not isinstance(func, ast.Attribute):
        return None
    owner = simple_name(func.value) or _name(func.value, depth + 1)
    return METHODS.get(owner or "", {}).get(func.attr)


def _combined(left: str | None, op: ast.operator, right: str | None) -> str | None:
    match left, op, right:
        case "Path", ast.Div(), _:
            return "Path"
        case "str", ast.Mod(), _:
            return "str"
        case (("int" | "float"), ast.Div(), ("int" | "float")):
            return "float"
        case (("int" | "float"), ast.Add() | ast.Sub() | ast.Mult(), ("int" | "float")):
            return "float" if "float" in (left, right) else "int"
        case ("int", ast.FloorDiv() | ast.Mod() | ast.Pow() | ast.LShift(), "int"):
            return "int"
        case (("str" | "list" | "tuple"), ast.Add(), same) if same == left:
            return left
        case (("str" | "list" | "tuple"), ast.Mult(), "int"):
            return left
        case (("date" | "datetime" | "timedelta"), ast.Add() | ast.Sub(), "timedelta"):
            return left
        case ("timedelta", ast.Mult(), "int" | "float"):
            return left
    return None
