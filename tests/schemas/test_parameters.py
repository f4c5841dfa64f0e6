"""Parameters are read without running the notebook, checked, and written in as literals only."""

from __future__ import annotations

import copy
import datetime
from datetime import UTC, date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orion_nb.errors import InvalidNotebook, ParameterError, UnknownParameter
from orion_nb.schemas.parameters import parse_pairs, read_parameters

REPORT = """\
from datetime import date as today
day: date = today  # the day to report on
limit: int = 100
"""


def code(source, *tags, **more):
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
        **more,
    }


def notebook(source=REPORT, *tags, **metadata):
    """A notebook with a cell before and one after its parameters cell."""
    cells = [code("import os"), code(source, *(tags or ("parameters",))), code("print(limit)")]
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def checked(source, **values):
    return read_parameters(notebook(source)).validate(values)


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
    assert str(caught.value) == ("'dya' (notebook takes: day: date = today, limit: int = 100)")
    assert caught.value.field == "dya"


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


# -- writing in ----------------------------------------------------------------------------------


def test_the_values_are_set_behind_the_parameters_cell():
    nb = notebook()
    before = copy.deepcopy(nb)
    injected = read_parameters(nb).inject(nb, {"limit": "7", "day": "2024-02-01"})
    assert nb == before
    assert [cell["id"] for cell in injected["cells"]] == [
        "cell-0", "cell-1", "injected-parameters", "cell-2",
    ]  # fmt: skip
    cell = injected["cells"][2]
    assert cell["metadata"]["tags"] == ["injected-parameters"]
    assert cell["source"] == (
        "# The parameters of this run\n"
        "import datetime as _datetime\n"
        "day = _datetime.date(2024, 2, 1)\n"
        "limit = 7"
    )


def test_injecting_again_replaces_the_cell():
    nb = notebook()
    parameters = read_parameters(nb)
    once = parameters.inject(nb, {"limit": 7})
    assert parameters.inject(once, {"limit": 7}) == once
    assert parameters.inject(once, {"limit": 8}) == parameters.inject(nb, {"limit": 8})
    assert read_parameters(once) == parameters


def test_without_values_nothing_is_injected_and_old_values_go():
    nb = notebook()
    parameters = read_parameters(nb)
    assert parameters.inject(nb, {}) == nb
    assert parameters.inject(parameters.inject(nb, {"limit": 7}), {}) == nb


def test_a_notebook_without_parameters_cell_says_how_to_tag_one():
    nb = notebook("limit = 1", "other")
    assert read_parameters(nb).inject(nb, {}) == nb
    with pytest.raises(ParameterError) as caught:
        read_parameters(nb).inject(nb, {"limit": 1})
    assert str(caught.value) == (
        "'limit' can't be set: the notebook has no parameters cell; tag the cell that holds the "
        "defaults `parameters` (in JupyterLab: Property Inspector, Cell Tags) or begin it with "
        "#| parameters"
    )


def test_a_notebook_in_another_language_takes_any_and_nothing_is_injected():
    nb = notebook("limit <- 1", kernelspec={"name": "ir", "language": "R"})
    parameters = read_parameters(nb)
    assert parameters.validate({"limit": "7", "who.is": ["Ada"]}) == {"limit": 7, "who.is": ["Ada"]}
    assert parameters.inject(nb, {"limit": 1}) == nb


def test_a_notebook_without_parameters_cell_may_be_allowed_any_in_a_first_cell():
    nb = notebook("print(limit)", "other")
    parameters = read_parameters(nb, allow_untagged=True)
    injected = parameters.inject(nb, {"limit": "7", "day": "monday"})
    assert injected["cells"][0]["source"].endswith("limit = 7\nday = 'monday'")
    assert parameters.inject(injected, {"limit": "7", "day": "monday"}) == injected
    for name in ("a = 1; import os; b", "class", "os.x", ""):
        with pytest.raises(ParameterError, match="is no name in Python"):
            parameters.inject(nb, {name: 1})
    assert not read_parameters(notebook(), allow_untagged=True).is_open  # it has such a cell


COLORS = """\
from enum import Enum, IntEnum, StrEnum, auto
class Color(Enum):
    RED = "red"
    DARK_BLUE = "dark blue"
class Level(IntEnum):
    LOW = auto()
    HIGH = 10
class Kind(str, Enum):
    A = "a"
"""


@pytest.mark.parametrize(
    ("declared", "given", "written"),
    [
        ("color: Color = Color.RED", "dark blue", "color = Color('dark blue')"),
        ("color = Color.RED", "DARK_BLUE", "color = Color('dark blue')"),
        ("color: Color", "red", "color = Color('red')"),
        ("color: list[Color] = []", '["red", "RED"]', "color = [Color('red'), Color('red')]"),
        ("color: Level = Level.LOW", "10", "color = Level(10)"),
        ("color: Level | None = None", 1, "color = Level(1)"),
        ("color: Kind = Kind.A", "A", "color = Kind('a')"),
        ("color: set[int] = set()", "[3, 1, 3]", "color = {1, 3}"),
        ("color: frozenset[str] = frozenset()", [], "color = set()"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("above", [True, False])
def test_enums_of_the_cell_or_of_one_above_and_sets(declared, given, written, above):
    nb = notebook(declared if above else COLORS + declared)
    nb["cells"][0]["source"] = COLORS if above else ""
    source = read_parameters(nb).inject(nb, {"color": given})["cells"][2]["source"]
    assert source.splitlines()[-1] == written
    names: dict[str, Any] = {}
    exec(COLORS + source, names)
    assert "color" in names


def test_a_value_that_no_member_has_is_told_all_members():
    with pytest.raises(ParameterError) as caught:
        checked(COLORS + "color: Color = Color.RED", color="green")
    assert str(caught.value) == "color: Input should be 'red' or 'dark blue', got 'green'"
    schema = read_parameters(notebook(COLORS + "color: Color = Color.RED")).json_schema()
    assert schema["properties"]["color"]["default"] == "red"
    assert "dark blue" in str(schema)


@pytest.mark.parametrize(
    "source",
    [
        "class Color(Enum):\n    X = open('trace', 'w')",
        "class Color(Enum, metaclass=Odd):\n    X = 1",
        "class Color(Odd, Enum):\n    X = 1",
        "class Color:\n    X = 1",
        "from colors import Color",
    ],
)
def test_an_enum_that_can_not_be_read_is_any_type(source):
    assert checked(source + "\ncolor: Color = None", color=[1]) == {"color": [1]}


def test_a_secret_is_given_by_its_name_and_its_value_is_in_no_message():
    nb = notebook("from orion_nb import Secret, secret\npassword: Secret = secret('DB')")
    injected = read_parameters(nb).inject(nb, {"password": "OTHER_DB"})
    assert injected["cells"][2]["source"].splitlines()[1:] == [
        "from orion_nb import secret as _secret",
        "password = _secret('OTHER_DB')",
    ]
    with pytest.raises(ParameterError) as caught:
        read_parameters(nb).validate({"password": "hunter2 is my password"})
    assert str(caught.value) == "password: Give the name of a secret, never its value"
    assert read_parameters(nb).json_schema()["properties"]["password"]["format"] == "secret-name"


@pytest.mark.parametrize("name", ["a b", "class", "1", "", "a = 1; import os; b", "a\nb", "os.x"])
def test_a_name_that_is_none_is_refused(name):
    nb = notebook()
    with pytest.raises(UnknownParameter, match="notebook takes: day"):
        read_parameters(nb).inject(nb, {name: 1})


def test_ids_are_new_and_only_where_the_format_has_them():
    nb = notebook()
    nb["cells"][0]["id"] = "injected-parameters"
    assert read_parameters(nb).inject(nb, {"limit": 1})["cells"][2]["id"] == "injected-parameters-2"
    nb["nbformat_minor"] = 4
    assert "id" not in read_parameters(nb).inject(nb, {"limit": 1})["cells"][2]


def test_a_notebook_node_stays_one_and_is_valid():
    nbformat = pytest.importorskip("nbformat")
    nb = nbformat.from_dict(notebook(REPORT, kernelspec={"name": "python3", "display_name": "P"}))
    injected = read_parameters(nb).inject(nb, {"limit": 7})
    assert isinstance(injected, nbformat.NotebookNode)
    assert injected.cells[2].metadata.tags == ["injected-parameters"]
    nbformat.validate(injected)


def test_the_imports_hide_nothing_of_the_notebook():
    scope: dict[str, Any] = {}
    source = (
        "from datetime import datetime\nfrom decimal import Decimal\nfrom pathlib import Path\n"
        "at: datetime = None\nprice: Decimal = None\nfolder: Path = None"
    )
    nb = notebook(source)
    values = {"at": "2024-02-01T09:00:00Z", "price": "1.10", "folder": "a"}
    for cell in read_parameters(nb).inject(nb, values)["cells"][1:3]:
        exec(cell["source"], scope)
    assert scope["at"] == scope["datetime"](2024, 2, 1, 9, tzinfo=UTC)
    assert scope["price"] == scope["Decimal"]("1.10")
    assert scope["folder"] == scope["Path"]("a")


@pytest.mark.parametrize(
    "value", [object(), {b"a"}, b"a", [float("inf")], {"a": 1j}, Decimal("NaN")]
)
def test_what_is_no_literal_is_refused(value):
    nb = notebook("x = None")
    with pytest.raises(ParameterError, match=r"x: .* can't be written as a literal"):
        read_parameters(nb).inject(nb, {"x": value})


def test_a_value_that_holds_itself_is_refused():
    nb, value = notebook("x = None"), []
    value.append(value)
    with pytest.raises(ParameterError, match="x: "):
        read_parameters(nb).inject(nb, {"x": value})


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
