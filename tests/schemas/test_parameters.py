"""Parameters are read without running the notebook, checked, and written in as literals only."""

from __future__ import annotations

import datetime
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orion_nb.errors import InvalidNotebook, ParameterError, UnknownParameter
from orion_nb.schemas.parameters import parse_pairs, read_parameters
from tests.schemas.notebooks import REPORT, checked, code, notebook

# -- reading -------------------------------------------------------------------------------------


def test_names_annotations_defaults_and_comments_are_read():
    day, limit = read_parameters(notebook()).fields
    assert (day.name, day.annotation, day.source, day.help) == (
        "day", "date", "today", "the day to report on",
    )  # fmt: skip
    assert (day.required, day.is_literal, day.default) == (False, False, None)
    assert (limit.name, limit.type, limit.default, limit.required) == ("limit", int, 100, False)
    assert str(read_parameters(notebook())) == "day: date = today, limit: int = 100"


def test_nothing_of_the_notebook_is_run(tmp_path):
    trace = tmp_path / "trace"
    source = f"x: int = open({str(trace)!r}, 'w').write('!')\ny: print('no') = 1"
    read_parameters(notebook(source)).validate({"x": 1, "y": 2})
    assert not trace.exists()


@pytest.mark.parametrize(
    "first", ["%%parameters", "#| parameters", "\n  #|parameters\n", "%%parameters -q"]
)
def test_the_first_line_may_name_the_cell(first):
    nb = notebook(f"{first}\nlimit = 100", "other")
    assert str(read_parameters(nb)) == "limit = 100"
    assert read_parameters(nb).cell == 1


def test_a_tag_goes_before_a_first_line_and_only_code_counts():
    nb = notebook("limit = 100")
    nb["cells"].insert(0, code("%%parameters\nother = 1"))
    nb["cells"].insert(
        0, {"cell_type": "markdown", "metadata": {"tags": ["parameters"]}, "source": ""}
    )
    assert str(read_parameters(nb)) == "limit = 100"


def test_the_first_cell_of_a_notebook_may_hold_the_parameters():
    nb = notebook()
    nb["cells"] = nb["cells"][1:]
    assert read_parameters(nb).cell == 0
    assert read_parameters(nb).inject(nb, {"limit": 1})["cells"][1]["source"].endswith("limit = 1")


def test_a_cell_that_is_not_python_is_refused_by_its_place_and_line():
    with pytest.raises(InvalidNotebook) as caught:
        read_parameters(notebook("%%parameters\n\na = 1\nb = = 2"))
    assert str(caught.value) == "the parameters cell (cell 2), line 4: invalid syntax"


def test_the_source_may_be_a_list_of_lines():
    assert str(read_parameters(notebook(["limit = 1\n", "day = 'x'"]))) == "limit = 1, day = 'x'"


@pytest.mark.parametrize(
    "nb", [{}, {"nbformat": 3, "worksheets": []}, {"cells": {}}, {"cells": [1]}, {"cells": None}]
)
def test_what_is_no_notebook_is_refused(nb):
    with pytest.raises(InvalidNotebook, match="save it in JupyterLab"):
        read_parameters(nb)


@pytest.mark.parametrize(
    "metadata", [None, 5, {"tags": 5}, {"tags": None}, {"tags": [["parameters"]]}]
)
def test_odd_metadata_is_no_tag(metadata):
    nb = notebook()
    for cell in nb["cells"]:
        cell["metadata"] = metadata
    nb["metadata"] = metadata
    assert read_parameters(nb).cell is None


def test_the_json_schema_tells_types_defaults_and_help():
    schema = read_parameters(notebook(REPORT + "name: str\nwait: timedelta = None")).json_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name"]
    assert schema["properties"]["limit"] == {"default": 100, "title": "limit", "type": "integer"}
    assert schema["properties"]["day"] == {
        "description": "the day to report on",
        "format": "date",
        "title": "day",
        "type": "string",
        "x-default": "today",
    }
    assert {"type": "string", "examples": ["15m"]} in schema["properties"]["wait"]["anyOf"]


def test_a_parameter_may_have_any_name():
    source = "copy = 1\nmodel_config = 2\n_x = 3\n__y__ = 4\njson = 5\nvalidate = 6\nπ = 7"
    values = {"copy": 7, "model_config": 6, "_x": 5, "__y__": 4, "json": 3, "validate": 2, "π": 1}
    assert checked(source, **values) == values


# -- checking ------------------------------------------------------------------------------------

NINE = datetime.datetime(2024, 2, 1, 9, tzinfo=datetime.timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("int", "7", 7),
        ("float", "1e3", 1000.0),
        ("bool", "true", True),
        ("bool", "0", False),
        ("str", "7", "7"),
        ("str", "null", "null"),
        ("date", "2024-02-01", date(2024, 2, 1)),
        ("datetime", "2024-02-01T09:00:00+02:00", NINE),
        ("time", "09:30", datetime.time(9, 30)),
        ("timedelta", "1h30m", timedelta(minutes=90)),
        ("timedelta", 90, timedelta(seconds=90)),
        ("timedelta", "PT1H30M", timedelta(minutes=90)),
        ("timedelta", "-1h30m", timedelta(minutes=-90)),
        ("timedelta", "-90", timedelta(seconds=-90)),
        ("timedelta", -0.5, timedelta(seconds=-0.5)),
        ("timedelta", "-PT90S", timedelta(seconds=-90)),
        ("Decimal", "1.10", Decimal("1.10")),
        ("Path", "a/b", Path("a/b")),
        ("list[int]", '["1", 2]', [1, 2]),
        ("list[date]", ["2024-02-01"], [date(2024, 2, 1)]),
        ("dict[str, int]", '{"a": "1"}', {"a": 1}),
        ("tuple[int, str]", '[1, "a"]', (1, "a")),
        ("int | None", "null", None),
        ("int | None", "None", None),
        ("str | None", "None", "None"),
        ("Literal[1, 2]", "1", 1),
        ("Literal['a', 'b']", "a", "a"),
        ("list[str] | str", '["a"]', '["a"]'),
        ("Any", "5", "5"),
        ("pd.DataFrame", [1, {"a": None}], [1, {"a": None}]),
    ],
)
def test_values_are_coerced_to_the_type(kind, given, value):
    found = checked(f"x: {kind}", x=given)["x"]
    assert found == value
    assert type(found) is type(value)
    assert checked(f"x: {kind}", x=found) == {"x": value}


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("date", "2024-02-30", "x: Input should be a valid date, got '2024-02-30'"),
        ("date", "2024-02-01T05:00", "x: Input should be a valid date, got '2024-02-01T05:00'"),
        ("date", 5, "x: Input should be a valid date, got 5"),
        ("datetime", "5", "x: Input should be a valid datetime, got '5'"),
        ("datetime", "soon", "x: Input should be a valid datetime, got 'soon'"),
        ("time", "25:00", "x: Input should be a valid time, got '25:00'"),
        ("timedelta", "10x", "x: Input should be a valid duration, got '10x'"),
        ("timedelta", "--90s", "x: Input should be a valid duration, got '--90s'"),
        ("Decimal", "x", "x: Input should be a valid decimal, got 'x'"),
        ("Path", 5, "x: Input should be a valid path, got 5"),
        ("int", "x", "x: Input should be a valid integer, got 'x'"),
        ("int", 0.5, "x: Input should be a valid integer, got 0.5"),
        ("int", "9" * 5000, "x: Input should be a shorter integer, got '999"),
        ("float", "nan", "x: Input should be a finite number, got 'nan'"),
        ("bool", "perhaps", "x: Input should be a valid boolean, got 'perhaps'"),
        ("str", 5, "x: Input should be a valid string, got 5"),
        ("list[int]", "x", "x: Input should be a valid list, got 'x'"),
        ("list[int]", "[1", "x: Input should be a valid list, got '[1'"),
        ("list[int]", [1, "a"], "x[1]: Input should be a valid integer, got 'a'"),
        ("tuple[int, str]", [1], "x[1]: a value is required"),
        ("Literal['a', 'b', 'c']", "d", "x: Input should be 'a', 'b' or 'c', got 'd'"),
        ("list[int] | dict[str, int]", ["a"], "x[0]: Input should be a valid integer, got 'a'"),
    ],
)
def test_a_value_that_does_not_fit_is_named(kind, given, message):
    with pytest.raises(ParameterError) as caught:
        checked(f"x: {kind}", x=given)
    assert str(caught.value).startswith(message)
    assert caught.value.field == "x"


def test_an_unknown_name_is_told_what_the_notebook_takes():
    with pytest.raises(UnknownParameter) as caught:
        read_parameters(notebook()).validate({"dya": "2024-02-01"})
    takes = "(notebook takes: day: date = today, limit: int = 100)"
    assert str(caught.value) == f"'dya' is unknown; did you mean 'day'? {takes}"
    assert caught.value.named == f"UnknownParameter: 'dya' {takes}"
    with pytest.raises(UnknownParameter) as caught:
        read_parameters(notebook()).validate({"other": 1})
    assert str(caught.value) == f"'other' is unknown {takes}"
    assert caught.value.named == f"UnknownParameter: 'other' {takes}"
    assert caught.value.field == "other"


def test_every_wrong_value_is_told_at_once_and_missing_ones_too():
    with pytest.raises(ParameterError) as caught:
        checked("day: date\nlimit: int = 1\nname: str", limit="x", name=5)
    assert str(caught.value) == (
        "day: a value is required; limit: Input should be a valid integer, got 'x'; "
        "name: Input should be a valid string, got 5"
    )


def test_a_required_parameter_is_asked_for_even_without_values():
    nb = notebook("day: date")
    with pytest.raises(ParameterError, match="day: a value is required"):
        read_parameters(nb).inject(nb, {})


def test_defaults_are_left_to_the_notebook():
    assert read_parameters(notebook()).validate({}) == {}


def test_values_come_in_the_order_of_the_notebook():
    assert list(checked("a = 1\nb = 2", b=1, a=2)) == ["a", "b"]


# -- pairs ---------------------------------------------------------------------------------------


def test_pairs_are_split_at_the_first_equals_sign():
    assert parse_pairs(["day=2024-02-01", "q=a=b", " x =", 'l=["a"]']) == {
        "day": "2024-02-01",
        "q": "a=b",
        "x": "",
        "l": '["a"]',
    }


@pytest.mark.parametrize("pair", ["day", "=1", "a b=1", "class=1", "", "1=2"])
def test_what_is_no_pair_is_refused(pair):
    with pytest.raises(ParameterError) as caught:
        parse_pairs([pair])
    assert str(caught.value) == f"{pair!r} is not NAME=VALUE (try -p limit=100)"


def test_a_name_is_given_once():
    with pytest.raises(ParameterError, match="'a' is given twice"):
        parse_pairs(["a=1", "a=2"])


def test_an_injected_cell_that_nothing_stands_in_for_stays():
    injected = code("n = 9", "injected-parameters")
    alone = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [injected, code("n")]}
    assert read_parameters(alone).inject(alone, {}) == alone
    both = alone | {"cells": [code("n = 1", "parameters"), *alone["cells"]]}
    assert len(read_parameters(both).inject(both, {})["cells"]) == 2
