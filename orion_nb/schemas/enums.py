"""Enums that a notebook declares, made from their syntax: nothing of the notebook is run."""

from __future__ import annotations

import ast
import enum
from typing import Any

from orion_nb.schemas import literals

#: The bases an enum may have, by their plain names.
BASES: dict[str, type[enum.Enum]] = {
    "Enum": enum.Enum,
    "IntEnum": enum.IntEnum,
    "StrEnum": enum.StrEnum,
}
MIXINS: dict[str, type] = {"str": str, "int": int, "float": float}
MOST = 1000


def declared(tree: ast.Module) -> dict[str, type[enum.Enum]]:
    """The enums among the classes of a module whose members are literals, or `auto()`."""
    classes = (each for each in tree.body if isinstance(each, ast.ClassDef))
    made = ((each.name, _made(each)) for each in classes)
    return {name: kind for name, kind in made if kind is not None}


def member(node: ast.expr, known: dict[str, Any]) -> enum.Enum | None:
    """The member that `Color.RED` names, if `Color` is one of the known enums."""
    match node:
        case ast.Attribute(ast.Name(name), attribute):
            kind = known.get(name)
            if isinstance(kind, enum.EnumType):
                found = kind.__members__.get(attribute)
                return found if isinstance(found, enum.Enum) else None
    return None


def find(kind: type[enum.Enum], value: Any) -> Any:
    """The member that a value, a name or the text of a value means; else the value as it is."""
    if isinstance(value, enum.Enum) and not isinstance(value, kind):
        value = value.name  # the user's own class, of which `kind` is the likeness
    for each in kind:
        if value is each or (type(value) is type(each.value) and value == each.value):
            return each
    if isinstance(value, str):
        if value in kind.__members__:
            return kind[value]
        return next((each for each in kind if str(each.value) == value), value)
    return value


def _made(node: ast.ClassDef) -> type[enum.Enum] | None:
    bases = [literals.simple_name(base) for base in node.bases]
    if not bases or bases[-1] not in BASES or node.keywords:
        return None
    mixins = [MIXINS.get(str(name)) for name in bases[:-1]]
    if None in mixins or len(mixins) > 1:
        return None
    try:
        members = _members(node)
        base: Any = BASES[str(bases[-1])]
        kind = base(node.name, members, **({"type": mixins[0]} if mixins else {}))
    except (ValueError, TypeError, AttributeError):
        return None
    kind.__doc__ = None  # or its schema would be described as "An enumeration."
    return kind if members else None


def _members(node: ast.ClassDef) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for each in node.body:
        match each:
            case ast.Assign([ast.Name(name)], value) if not name.startswith("_"):
                found.append((name, _value(value)))
    if len(found) > MOST:
        raise ValueError("too many members")
    return found


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Call(func, [], []) if literals.simple_name(func) == "auto":
            return enum.auto()
    return literals.read(node)
