"""A notebook's parameters: read from its tagged cell without running it, checked, written in.

The cell is tagged `parameters`, or begins with `%%parameters` or `#| parameters`.
"""

from __future__ import annotations

import copy
import json
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import NoneType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from orion_nb.errors import ParameterError, UnknownParameter
from orion_nb.schemas import cells, declarations, hints, literals
from orion_nb.schemas.declarations import Parameter
from orion_nb.schemas.likeness import closest

TAG = "parameters"
INJECTED = "injected-parameters"

__all__ = ["Parameter", "Parameters", "parse_pairs", "read_parameters"]

_FIRST_LINE = re.compile(r"\s*(?:%%parameters|#\|\s*parameters)\b[^\n]*")
_HOW = (
    "tag the cell that holds the defaults `parameters` (in JupyterLab: Property Inspector, "
    "Cell Tags) or begin it with #| parameters"
)

#: How the types of pydantic's errors begin, and what is wanted then.
_WANTED = {
    "date_": "Input should be a valid date",
    "datetime_": "Input should be a valid datetime",
    "time_delta": "Input should be a valid duration",
    "time_": "Input should be a valid time",
    "path_": "Input should be a valid path",
    "int_parsing_size": "Input should be a shorter integer",
    "missing": "a value is required",
}

Notebook = TypeVar("Notebook", bound=Mapping[str, Any])


@dataclass(frozen=True)
class Parameters:
    """What a notebook takes. `cell` is the place of its parameters cell, None without one.

    If `is_open` it takes any name: it says nothing of its parameters and is run all the same.
    """

    fields: tuple[Parameter, ...] = ()
    cell: int | None = None
    language: str = "python"
    is_open: bool = False
    taker: str = "notebook"

    def json_schema(self) -> dict[str, Any]:
        """The parameters as the JSON Schema of one object."""
        return self._model.model_json_schema()

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The given values, of the types that the notebook names; defaults are not added.

        A text is read as JSON where a list or dict is wanted: that is how `-p` gives one.

        Raises:
            ParameterError: a name is unknown, a value doesn't fit, or a required one is missing.
        """
        for name in values:
            self._check_name(name)
        if self.is_open:
            return {name: _as_text_says(value) for name, value in values.items()}
        kinds = {field.name: field.type for field in self.fields}
        given = {name: _from_text(value, kinds[name]) for name, value in values.items()}
        try:
            checked = self._model.model_validate(given)
        except ValidationError as error:
            raise _parameter_error(error) from None
        return {
            name: getattr(checked, f"p{place}") for place, name in enumerate(kinds) if name in given
        }

    def inject(self, nb: Notebook, values: Mapping[str, Any]) -> Notebook:
        """A copy of the notebook with a cell behind the parameters cell that sets the values.

        An earlier such cell is replaced, or taken out when there are no values; one without a
        parameters cell stays then: papermill makes such, and no other cell has what it sets. The
        cell assigns literals only, and dates, Decimals, Paths and members of enums made of
        literals. Of a notebook without a parameters cell that `is_open` it is the first cell; of
        one in another language than Python there is none.

        Raises:
            ParameterError: as `validate`; or a value can't be written as a literal.
        """
        source = _source(self.validate(values)) if self.language == "python" else ""
        changed: Any = copy.deepcopy(nb)
        kept = [cell for cell in cells.cells(changed) if INJECTED not in cells.tags(cell)]
        place = -1 if self.is_open else _find(kept)
        if not (values and source) and _find(kept) is None:
            return changed  # type: ignore[no-any-return]
        if values and place is not None and source and kept:
            cell = cells.new_code(kept[place], source, INJECTED)
            if nb.get("nbformat_minor", 5) >= 5:
                cell["id"] = cells.new_id(INJECTED, kept)
            kept.insert(place + 1, cell)
        changed["cells"] = kept
        return changed  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return ", ".join(map(str, self.fields)) or "no parameters"

    @cached_property
    def _model(self) -> type[BaseModel]:
        """The fields under names of our own: a notebook may call a parameter `copy` or `_x`."""
        fields: dict[str, Any] = {
            f"p{place}": (hints.exact(field.type), _model_field(field))
            for place, field in enumerate(self.fields)
        }
        config = ConfigDict(extra="forbid", allow_inf_nan=False)
        return create_model("Parameters", __config__=config, **fields)

    def _check_name(self, name: str) -> None:
        if name in (field.name for field in self.fields):
            return
        if self.is_open:
            if not _is_name(name) and self.language == "python":
                raise ParameterError(f"{name!r} is no name in Python", field=str(name))
        elif self.cell is None:
            message = f"{name!r} can't be set: the notebook has no parameters cell; {_HOW}"
            raise ParameterError(message, field=str(name))
        else:
            close = closest(str(name), [field.name for field in self.fields])
            hint = f"; did you mean {close!r}?" if close else ""
            says = f"{name!r} is unknown{hint} ({self.taker} takes: {self})"
            raise UnknownParameter(says, field=str(name))


def read_parameters(nb: Mapping[str, Any], *, allow_untagged: bool = False) -> Parameters:
    """The parameters that a notebook declares; none when it has no parameters cell.

    With `allow_untagged`, one without such a cell takes any; one in another language than Python
    always does, and finds them in the JSON file that ORION_NB_PARAMS names.

    Raises:
        InvalidNotebook: the parameters cell is not Python, or the notebook has no cells.
    """
    every = cells.cells(nb)
    place = _find(every)
    language = cells.language(nb)
    if language != "python":
        return Parameters(cell=place, language=language, is_open=True)
    if place is None:
        return Parameters(language=language, is_open=allow_untagged)
    source = cells.text(every[place])
    if begun := _FIRST_LINE.match(source):
        source = "\n" * begun[0].count("\n") + source[begun.end() :]
    before = [cells.text(cell) for cell in every[:place] if cell.get("cell_type") == "code"]
    where = f"the parameters cell (cell {place + 1})"
    return Parameters(declarations.read(source, where, before), place)


def parse_pairs(pairs: Iterable[str], option: str = "-p") -> dict[str, str]:
    """`["k=v"]` as `{"k": "v"}`; the values stay texts until `Parameters.validate`.

    Raises:
        ParameterError: a pair has no `=`, or no name before it, or a name is given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not _is_name(name):
            example = "STAGE=test" if option == "--env" else "limit=100"
            raise ParameterError(f"{pair!r} is not NAME=VALUE (try {option} {example})")
        if name in found:
            raise ParameterError(f"{name!r} is given twice", field=name)
        found[name] = value
    return found


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)


def _as_text_says(value: Any) -> Any:
    """A text that is JSON as what it says: nothing is known of what is wanted."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _find(every: list[Any]) -> int | None:
    """The place of the first code cell that is tagged, else of the first that begins so."""
    code = [(place, cell) for place, cell in enumerate(every) if cell.get("cell_type") == "code"]
    tagged = [place for place, cell in code if TAG in cells.tags(cell)]
    begun = [place for place, cell in code if _FIRST_LINE.match(cells.text(cell))]
    return next(iter(tagged + begun), None)


def _source(values: Mapping[str, Any]) -> str:
    lines = []
    for name, value in values.items():
        try:
            lines.append(f"{name} = {literals.write(value)}")
        except (ValueError, RecursionError) as error:
            raise ParameterError(f"{name}: {error}", field=name) from None
    body = "\n".join(lines)
    imports = [line for mark, line in literals.IMPORTS.items() if mark in body]
    return "\n".join(["# The parameters of this run", *imports, body])


def _model_field(field: Parameter) -> Any:
    more: dict[str, Any] = {"alias": field.name, "title": field.name}
    if field.help:
        more["description"] = field.help
    if field.required:
        return Field(**more)
    if field.is_literal:
        return Field(default=field.default, **more)
    # The notebook computes it: no value is known, and none is needed.
    return Field(
        default_factory=lambda: None, json_schema_extra={"x-default": field.source}, **more
    )


def _from_text(value: Any, kind: Any) -> Any:
    """A text that can't be meant as such is read as JSON; `null` where there may be none."""
    leaves, members = set(hints.leaves(kind)), hints.members(kind)
    if not isinstance(value, str) or leaves & {str, Any} or value in members:
        return value
    if (NoneType in leaves or None in members) and value.strip() in ("null", "None"):
        return None
    told = _as_text_says(value)
    if leaves & {list, dict, tuple, set, frozenset} or _is_listed(told, members):
        return told
    return value


def _is_listed(value: Any, members: list[Any]) -> bool:
    return any(type(each) is type(value) and each == value for each in members)


def _parameter_error(error: ValidationError) -> ParameterError:
    """What is wrong with each parameter, in one line."""
    told: dict[str, str] = {}
    for each in error.errors(include_url=False):
        name = str(each["loc"][0])
        place = name + "".join(f"[{part}]" for part in each["loc"][1:] if isinstance(part, int))
        wanted = _wanted(each["type"], each["msg"])
        got = "" if each["type"] in ("missing", "secret_name") else f", got {each['input']!r:.80}"
        told.setdefault(name, f"{place}: {wanted}{got}")
    return ParameterError("; ".join(told.values()), field=next(iter(told)))


def _wanted(kind: str, message: str) -> str:
    for start, wanted in _WANTED.items():
        if kind.startswith(start):
            return wanted
    return message if kind in ("literal_error", "enum", "secret_name") else message.split(",")[0]
