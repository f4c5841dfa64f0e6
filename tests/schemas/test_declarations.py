"""A cell's assignments are read from their syntax: names, types, defaults and comments."""

from __future__ import annotations

import datetime
import json
from datetime import UTC, date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.errors import InvalidNotebook
from orion_nb.schemas import declarations
from orion_nb.schemas.hints import SIMPLE
from orion_nb.schemas.parameters import Parameters


def read(source):
    return declarations.read(source, "cell 2")


def one(source):
    (field,) = read(source)
    return field


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("x: int = 1", int),
        ("x = 1", int),
        ("x = -1.5", float),
        ("x = True", bool),
        ("x = 'a'", str),
        ("x = [1]", list[Any]),
        ("x = {'a': 1}", dict[Any, Any]),
        ("x = (1, 2)", tuple[Any, ...]),
        ("x = Decimal('1.5')", Decimal),
        ("x = pathlib.Path('a')", Path),
        ("x: Path = None", Path | None),
        ("x: list[str] = []", list[str]),
        ("x: List[int]", list[int]),
        ("x: dict[str, int]", dict[str, int]),
        ("x: Dict[str, list[int]]", dict[str, list[int]]),
        ("x: dict[list[int], int]", dict[Any, int]),
        ("x: tuple[int, ...]", tuple[int, ...]),
        ("x: tuple[int, str]", tuple[int, str]),
        ("x: Optional[int]", int | None),
        ("x: typing.Union[int, str, None]", int | str | None),
        ("x: 'int | None'", int | None),
        ("x: Annotated[int, 'how many']", int),
        ("x: Literal['a', 'b']", Literal["a", "b"]),
        ("x: Literal['a', -1]", Any),
        ("x: Literal[b'a']", Any),
        ("x: pd.DataFrame = None", Any),
        ("x: int | pd.DataFrame", Any),
        ("x: list[pd.DataFrame]", list[Any]),
        ("x: list[int, int]", Any),
        ("x: 'not a type'", Any),
        ("x: f()", Any),
        ("x = compute()", Any),
        ("x = None", Any),
        ("x = b'a'", Any),
        ("x = {1, 2}", set[Any]),
        ("x: set[int]", set[int]),
        ("x: FrozenSet[str]", frozenset[str]),
        ("x: set[list[int]]", set[Any]),
        ("x = ...", Any),
        ("x = 1e999", float),
        ("x = {[]: 1}", dict[Any, Any]),
        ("x = date(2024, 13, 1)", SIMPLE["date"]),
        ("x: " + "list[" * 60 + "int" + "]" * 60, None),
        ("x = 1  # type: float  a share", float),
        ("x = 1  # type: ignore", int),
    ],
)
def test_the_type_is_that_of_the_annotation_or_else_of_the_default(source, kind):
    assert kind is None or one(source).type == kind
    assert Parameters(read(source)).json_schema()


@pytest.mark.parametrize(
    ("source", "default"),
    [
        ("x = 5_000", 5000),
        ("x = 'a' 'b'", "ab"),
        ("x: date = date(2024, 2, 1)", date(2024, 2, 1)),
        ("x = dt.datetime(2024, 2, 1, hour=9)", datetime.datetime(2024, 2, 1, 9)),  # noqa: DTZ001
        ("x = datetime.timedelta(days=1)", timedelta(days=1)),
        ("x = Path('a')", Path("a")),
        ("x = (\n    1,\n    2,\n)", (1, 2)),
        (
            "x = datetime(2024, 2, 1, tzinfo=timezone.utc)",
            datetime.datetime(2024, 2, 1, tzinfo=UTC),
        ),
        ("x = datetime(2024, 2, 1, tzinfo=dt.UTC)", datetime.datetime(2024, 2, 1, tzinfo=UTC)),
        ("x = frozenset({1})", frozenset({1})),
    ],
)
def test_literal_defaults_are_known(source, default):
    assert one(source).is_literal
    assert one(source).default == default


def test_the_comment_of_a_type_gives_type_and_help():
    field = one("x = 1  # type: float | None  how much # of it")
    assert (field.annotation, field.type, field.help) == (
        "float | None", float | None, "how much # of it",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("comment", "kind", "said"),
    [
        ("type: int how many rows", int, "how many rows"),  # as papermill reads it
        ("type:str  the name", str, "the name"),
        ("type: dict[str, int] counts, by day", dict[str, int], "counts, by day"),
        ("type: float in seconds", float, "in seconds"),
        ("type: int | None or none at all", int | None, "or none at all"),
        ("type: " + "what " * 3_000, Any, ("what " * 2_999).strip()),
    ],
)
def test_a_type_in_a_comment_ends_where_words_begin(comment, kind, said):
    field = one(f"x = None  # {comment}")
    assert field.type in (kind, kind | None if kind is not Any else Any)
    assert field.help == said


def test_a_parameter_as_json_tells_its_default_as_it_is_written():
    assert one("day: date = today()  # of the report").as_json() == {
        "name": "day",
        "annotation": "date",
        "default": "today()",
        "required": False,
        "help": "of the report",
    }


def test_what_is_no_assignment_to_a_name_is_passed_over():
    source = "import os\na = b = 1\nc, *d = 1, 2\nos.x = 1\ne += 1\nif a:\n    f = 1\na = 'last'"
    fields = read(source)
    assert [(field.name, field.default) for field in fields] == [("a", "last"), ("b", 1)]


def test_several_names_that_are_set_together_are_parameters_each():
    fields = read(
        "first, last = 1, f(2)  # the last\n[a, b] = 'x', 2.0\nc, d = pair\ne, f = 1, 2, 3"
    )
    assert [(each.name, each.source, each.help) for each in fields] == [
        ("first", "1", ""), ("last", "f(2)", "the last"), ("a", "'x'", ""), ("b", "2.0", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "helps"),
    [
        ("host = 'db'; port = 80  # of the database", ["", "of the database"]),
        ("a = b = 1  # how many", ["", "how many"]),
        ("a = 1; print(a)  # shown", [""]),
        ("a = 1; b = (  # how many\n1)", ["", ""]),
        ("a = (  # not the end\n1); b = 2  # how many", ["", "how many"]),
    ],
)
def test_a_comment_is_of_the_last_parameter_of_its_line(source, helps):
    assert [field.help for field in read(source)] == helps


def test_a_type_in_a_comment_holds_for_all_that_a_statement_sets():
    fields = read("low, high = 1, 2  # type: float  how far\nx = 1; y = 2  # type: float")
    assert [(each.type, each.help) for each in fields] == [
        (float, ""), (float, "how far"), (int, ""), (float, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("24 * 60 * 60", int), ("10**6", int), ("1 / 3", float), ("-(2 * 1.5)", float),
        ("1 << 20", int), ("2 ** n", None), ("x + 1", None), ("'a' + 'b'", str),
        ("f'{day}.csv'", str), ("'%s' % day", str), ("'-' * 10", str), ("a > b", bool),
        ("not a", bool), ("[0] * 3", list[Any]), ("[x for x in y]", list[Any]),
        ("{'a': b}", dict[Any, Any]), ("Path.home() / 'a'", Path), ("Path('a').resolve()", Path),
        ("date.today() - timedelta(days=1)", SIMPLE["date"]),
        ("datetime.now(UTC)", SIMPLE["datetime"]),
        ("dt.datetime.now().date()", SIMPLE["date"]), ("date.today().isoformat()", str),
        ("timedelta(days=1) * 2", SIMPLE["timedelta"]), ("1 if a else 2", int),
        ("1 if a else 'b'", None), ("int(a)", int), ("a.b(c)", None), ("-" * 40 + "1", None),
    ],
)  # fmt: skip
def test_a_computed_default_has_the_type_that_its_syntax_tells(source, kind):
    field = one(f"x = {source}")
    assert field.type == (Any if kind is None else kind)
    assert not field.is_literal


def test_lines_for_ipython_are_left_out():
    assert str(one("%matplotlib inline\n!ls\n?x\nlimit = 1")) == "limit = 1"
    text = "%d of %d"
    assert one(f"x = '''\n{text}\n'''").default == f"\n{text}\n"


def test_a_cell_that_is_not_python_is_refused_by_its_place_and_line():
    with pytest.raises(InvalidNotebook) as caught:
        read("a = 1\nb = = 2")
    assert str(caught.value) == "cell 2, line 2: invalid syntax"
    with pytest.raises(InvalidNotebook, match="cell 2"):
        read("x = " + "-" * 100_000 + "1")
    with pytest.raises(InvalidNotebook, match="cell 2"):
        read("x = 1\0")


@given(
    st.text(max_size=60)
    | st.from_regex(r"[xy](: ?[a-z\[\], |'\"]{1,12})?( = .{0,12})?", fullmatch=True)
)
def test_any_text_of_a_cell_is_read_or_refused_clearly(source):
    try:
        parameters = Parameters(read(source))
    except InvalidNotebook:
        return
    json.dumps(parameters.json_schema())
    str(parameters)
