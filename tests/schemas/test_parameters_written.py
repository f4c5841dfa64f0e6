"""Parameters are written into a notebook as literals, whatever it was and is called with."""

from __future__ import annotations

import copy
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest

from orion_nb.errors import ParameterError, UnknownParameter
from orion_nb.schemas.parameters import read_parameters
from tests.schemas.notebooks import REPORT, checked, notebook


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
        ("color: frozenset[str] = frozenset()", [], "color = frozenset()"),
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
