"""The key of a function follows what it reaches: what could change its answer, and no layout."""

from __future__ import annotations

import importlib
import shutil
import sys
import textwrap

import pytest

from orion_nb.engine.fingerprints import Reached, fingerprint, reached
from tests.engine.reaching import FILES, Load, told


def edited(name: str, text: str) -> dict[str, str]:
    """The files, with a text in one of them changed."""
    assert FILES[name].count(text) == 1
    return {**FILES, name: FILES[name].replace(text, f"{text}!")}


# file, text that is edited in it, and what the key then says has changed
EDITS = [
    ("job", '= "threshold', "global THRESHOLD"),
    ("job", '"rule', "global RULES"),
    ("job", '"helper', "function helper"),
    ("job", '"recursive', "function recursive"),
    ("job", '"default', "function default"),
    ("job", '"factor', "function big"),
    ("job", 'return "inner', "function big"),
    ("job", '"big', "function big"),
    ("job", '"task within', "function inner_task"),
    ("job", '"remembered', "function remembered"),
    ("job", '"by type', "function by_type"),
    ("job", '"by int', "function _by_int"),
    ("job", '"size', "class Child"),
    ("job", '"area', "function Child.area"),
    ("job", '"volume', "function Child.volume"),
    ("job", '"inner class', "class Child.Inner"),
    ("helpers", '"clean', "function helpers.clean"),
    ("helpers", '"used by class', "function helpers.used_by_class"),
    ("helpers", '"chained', "function helpers.chained"),
    ("helpers", '"predict', "function helpers.Model.predict"),
    ("bottom", "'bottom", "function bottom.bottom"),
    ("late", "'late", "module late"),
    ("later_still", "'still", "module later_still"),
    ("pkg/inner", "'deep", "function pkg.inner.deep"),
    ("pkg/later", "'later", "module pkg.later"),
    ("pkg/sibling", "'sibling", "module pkg.sibling"),
]


@pytest.mark.parametrize(("name", "text", "part"), EDITS, ids=[each[2] for each in EDITS])
def test_an_edit_of_anything_reached_changes_its_part(
    load: Load, name: str, text: str, part: str
) -> None:
    before = reached(load(**FILES).f)
    after = reached(load(**edited(name, text)).f)
    assert part in before.parts
    assert before.parts[part] != after.parts[part]
    assert before.notes == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("job", '= "unused'),
        ("helpers", '= "unused'),
        ("helpers", '"limit'),
        ("helpers", '"unused function'),
    ],
)
def test_an_edit_of_anything_else_changes_nothing(load: Load, name: str, text: str) -> None:
    before = told(load(**FILES).f)
    assert told(load(**edited(name, text)).f) == before


def test_comments_anywhere_change_nothing(load: Load) -> None:
    before = told(load(**FILES).f)
    commented = {name: f"# A comment.\n\n{textwrap.dedent(text)}" for name, text in FILES.items()}
    assert told(load(**commented).f) == before


def test_whether_a_module_is_imported_yet_changes_nothing(load: Load) -> None:
    module = load(**FILES)
    before = told(module.f)
    assert "late" not in sys.modules
    importlib.import_module("late")
    assert told(module.f) == before


def test_globals_are_read_anew_each_time(load: Load) -> None:
    module = load("LIMIT = [1]\ndef g():\n    return 1\ndef f():\n    return LIMIT, g, later\n")
    assert reached(module.f).parts.keys() == {"global LIMIT", "function g", "global later"}
    keys = [told(module.f)]
    module.LIMIT.append(2)
    keys.append(told(module.f))
    module.later = 1
    keys.append(told(module.f))
    module.g = lambda: 2
    keys.append(told(module.f))
    assert all(keys.index(key) == at for at, key in enumerate(keys))


def test_two_names_that_are_swapped_are_a_change(load: Load) -> None:
    module = load(
        "def g():\n    return 1\ndef h():\n    return 2\na, b = g, h\ndef f():\n    return a, b\n"
    )
    before = told(module.f)
    module.a, module.b = module.b, module.a
    assert told(module.f) != before


def test_two_imports_that_are_swapped_are_a_change(load: Load) -> None:
    job = "import one, two\ndef f():\n    return one.run(), two.run()\n"
    source = "from {} import g\ndef run():\n    return g()\n"
    x, y = "def g():\n    return 1\n", "def g():\n    return 2\n"
    before = told(load(job, one=source.format("x"), two=source.format("y"), x=x, y=y).f)
    after = told(load(job, one=source.format("y"), two=source.format("x"), x=x, y=y).f)
    assert before != after


def test_closed_over_values_count(load: Load) -> None:
    module = load("""
    def make(factor, later=None):
        def f(x):
            return factor(x) if callable(factor) else factor, later, f
        return f
    """)
    assert reached(module.make(2)).parts.keys() == {"variable factor", "variable later"}
    assert told(module.make(2)) == told(module.make(2)) != told(module.make(3))
    assert fingerprint(module.make(2)) == fingerprint(module.make(2)) != fingerprint(module.make(3))
    assert fingerprint([module.make(2)]) != fingerprint([module.make(True)])


def test_a_function_as_a_value_counts_with_all_it_reaches(load: Load) -> None:
    before = fingerprint({"call": load(**FILES).f})
    assert fingerprint({"call": load(**FILES).f}) == before
    assert fingerprint({"call": load(**edited("bottom", "'bottom")).f}) != before


def test_installed_packages_count_by_their_version(load: Load) -> None:
    module = load("""
    import pydantic
    from pydantic import BaseModel
    from pathlib import Path

    def f(x):
        import hypothesis.strategies as st
        return pydantic.TypeAdapter(BaseModel), Path(x), st
    """)
    parts = reached(module.f).parts
    assert parts["package pydantic"] == sys.modules["pydantic"].__version__
    assert parts["package hypothesis"] == importlib.import_module("hypothesis").__version__
    assert not [each for each in parts if each.startswith(("function", "class", "module"))]


def test_the_package_of_the_function_itself_counts_by_its_source() -> None:
    import rich.table

    parts = reached(rich.table.Table.add_row).parts
    assert {"class rich.errors.NotRenderableError", "class Column"} <= parts.keys()
    assert "package rich" not in parts
    assert len(reached(rich.print).parts) > 1  # what it keeps of threads is left out
    assert reached(shutil.copy) == Reached({})


def test_what_a_model_checks_its_fields_with_counts(load: Load) -> None:
    text = """
    from typing import Annotated
    from pydantic import AfterValidator, BaseModel, Field

    def small(x):
        return x

    class Model(BaseModel):
        n: Annotated[int, AfterValidator(small)] = 1
        items: list[int] = Field(default_factory=lambda: [1])

    def f():
        return Model()
    """
    before = reached(load(text).f)
    assert reached(load(text).f) == before
    assert {"class Model", "function small"} <= before.parts.keys()
    for old, new in (
        ("return x", "return -x"),
        ("= 1\n", "= 2\n"),
        ("[1]", "[2]"),
        ("[int,", "[str,"),
    ):
        assert old in text
        assert reached(load(text.replace(old, new)).f) != before, old
