"""The key of a function follows what it reaches: what could change its answer, and no layout."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orion_nb import flow, task
from orion_nb.engine.fingerprints import Reached, fingerprint, reached, source_of
from orion_nb.engine.prints import Unhashable

Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes modules, imports the one named `job` anew and answers it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    written: set[str] = set()

    def forget() -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in written:
                del sys.modules[name]
        importlib.invalidate_caches()

    def write(job: str, **others: str) -> ModuleType:
        for name, text in {"job": job, **others}.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
            written.add(path.relative_to(tmp_path).parts[0].removesuffix(".py"))
        forget()
        return importlib.import_module("job")

    yield write
    forget()


def told(fn: Any) -> tuple[str, Reached]:
    """All that a key says of the function itself."""
    return source_of(fn).print, reached(fn)


# -- source --------------------------------------------------------------------------------------

PLAIN = """
    from orion_nb import task

    @task
    def f(x, y="a"):
        if x:
            return [x + 1, "ab"]
        return {"y": (y,)}
"""
SAME = [
    """
    # A comment above moves all lines.
    from orion_nb import task

    @task
    def f(x, y='a'):
        # a comment
        if (x):
            return [
                x
                + 1,
                "a" "b",
            ]

        return {'y': (y,),}
    """,
    '''
    import orion_nb as o

    @o.task(retries=3, name="other")
    def f(x, y="a"):
        """What it does."""
        if x: return [x + 1, "ab"]
        return {"y": (y,)}
    ''',
    """
    def f(x, y="a"):
        if x:
            return [x + 1, "ab"]
        return {"y": (y,)}
    """,
]
OTHER = [
    PLAIN.replace("x + 1", "x + 2"),
    PLAIN.replace("x + 1", "x - 1"),
    PLAIN.replace("x + 1", "x + 1.0"),
    PLAIN.replace("x + 1", "x + True"),
    PLAIN.replace('"ab"', '"ba"'),
    PLAIN.replace('"ab"', 'b"ab"'),
    PLAIN.replace("(y,)", "[y,]"),
    PLAIN.replace("if x", "if not x"),
    PLAIN.replace("@task", "@task\n    @staticmethod"),
]


@pytest.mark.parametrize("text", SAME)
def test_layout_comments_docstrings_and_our_decorators_change_nothing(
    load: Load, text: str
) -> None:
    assert source_of(load(PLAIN).f) == source_of(load(text).f)


@pytest.mark.parametrize("text", OTHER)
def test_whatever_else_changes_in_the_source_counts(load: Load, text: str) -> None:
    assert source_of(load(PLAIN).f) != source_of(load(text).f)


def test_a_file_edited_since_it_was_imported_is_not_the_source(load: Load, tmp_path: Path) -> None:
    before = source_of(load("def f(x):\n    return x\n").f)
    running = load("def f(x):\n    return x\n\n").f
    (tmp_path / "job.py").write_text("def f(x):\n    return -x\n", encoding="utf-8")
    edited = source_of(running)
    assert edited != source_of(load("def f(x):\n    return -x\n").f) != before


def test_code_without_a_source_counts_by_its_bytecode() -> None:
    def make(text: str) -> Any:
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(text, scope)
        return source_of(scope["f"])

    plain = make("def f(x):\n    return x in {1, 2} and (lambda y: y + 1)(x)")
    assert plain == make(
        "def f(x):\n    'Doc'\n    # comment\n    return x in {1, 2} and (lambda y: y + 1)(x)"
    )
    assert plain != make("def f(x):\n    return x in {1, 2} and (lambda y: y + 2)(x)")
    assert plain != make("def f(x):\n    return x in {1, 3} and (lambda y: y + 1)(x)")
    assert plain != make("def f(x):\n    return x in {1, 2} and (lambda y: y - 1)(x)")


def test_lambdas_are_told_from_each_other(load: Load) -> None:
    module = load("a, b = lambda x: x + 1, lambda x: x + 2\nc = lambda x: x + 1\n")
    assert len({source_of(each).print for each in (module.a, module.b, module.c)}) >= 2
    assert source_of(module.a) != source_of(module.b)
    assert source_of(load("c = lambda x: (x  +  1)\n").c) == source_of(
        load("c = lambda x: x + 1").c
    )


def test_wrapped_functions_are_looked_into(load: Load) -> None:
    text = """
    import functools
    from orion_nb import flow, task

    def f(x):
        return x

    class Model:
        def f(self, x):
            return x
        def __call__(self, x):
            return x
    partial, worked, cached = functools.partial(f, 1), task(flow(f).fn), functools.lru_cache(f)
    bound, called = Model().f, Model()
    """
    old, new = load(text), load(text.replace("return x", "return -x"))
    for name in ("partial", "worked", "bound", "called"):
        assert source_of(getattr(old, name)) != source_of(getattr(new, name)), name
    assert reached(old.cached).parts.keys() == {"function f"}
    assert reached(old.cached) != reached(new.cached)
    assert source_of(len) != source_of(max)


# -- what is reached -----------------------------------------------------------------------------

JOB = """
    import functools
    import math
    import pkg.inner
    import helpers
    from helpers import clean as tidy, Model, LIMIT
    from orion_nb import flow, task

    THRESHOLD = "threshold"
    RULES = {"one": lambda x: "rule", "two": tidy}
    UNUSED = "unused"

    def default():
        return "default"

    def helper(x, make=default):
        return "helper" + THRESHOLD if x else recursive(x)

    def recursive(x):
        return f("recursive") if x else helper(x)

    def scaled(factor):
        def scale(fn):
            @functools.wraps(fn)
            def inner(*args):
                return "inner" + factor * fn(*args)
            return inner
        return scale

    @scaled("factor")
    def big(x):
        return "big"

    @task
    def inner_task(x):
        return "task within"

    @functools.lru_cache
    def remembered(x):
        return "remembered"

    @functools.singledispatch
    def by_type(x):
        return "by type"

    @by_type.register
    def _by_int(x: int):
        return "by int"

    class Child(Model):
        size = "size"
        @property
        def area(self):
            return "area"
        @functools.cached_property
        def volume(self):
            return "volume"
        @staticmethod
        def make():
            return helpers.used_by_class()
        class Inner:
            a = "inner class"

    @flow
    def f(x):
        from late import lately
        import pkg.later as later
        table = [helper(each) for each in (lambda: [big(x)])()]
        inner_task(x), remembered(x), by_type(x), helpers.chained.__name__
        Child(), RULES["one"], pkg.inner.deep(x), math.pi
        return lately(x)
"""
HELPERS = """
    from bottom import bottom

    LIMIT = "limit"
    UNUSED = "unused"

    def clean(x):
        return bottom("clean")

    def unused(x):
        return "unused function"

    def used_by_class():
        return "used by class"

    def chained():
        return "chained"

    class Model:
        def predict(self):
            return "predict"
"""
FILES = {
    "job": JOB,
    "helpers": HELPERS,
    "bottom": "def bottom(x):\n    return 'bottom'\n",
    "late": "from later_still import y\ndef lately(x):\n    return 'late'\n",
    "later_still": "y = 'still'\n",
    "pkg/__init__": "",
    "pkg/inner": "def deep(x):\n    return 'deep'\n",
    "pkg/later": "from . import sibling\na = 'later'\n",
    "pkg/sibling": "b = 'sibling'\n",
}


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


# -- what has no content -------------------------------------------------------------------------


def test_a_tool_counts_by_its_type_and_is_noted(load: Load) -> None:
    module = load("""
    import logging, sqlite3, threading

    log, lock = logging.getLogger(__name__), threading.Lock()
    connection = sqlite3.connect(":memory:")

    class Client:
        def __init__(self):
            self.lock, self.url = threading.Lock(), "a"
    client = Client()

    def f():
        with lock:
            log.info("x")
            return connection, client
    """)
    before = told(module.f)
    assert before[1].notes == (
        "global lock: a _thread.lock counts by its type only",
        "global connection: a sqlite3.Connection counts by its type only",
        "global client: a _thread.lock counts by its type only",
    )
    module.client.url = "b"
    assert told(module.f) != before
    module.connection.close()


def test_data_without_content_leaves_no_key(load: Load) -> None:
    module = load("""
    rows = {"all": (each for each in [])}

    def g():
        return rows

    def f():
        return g()
    """)
    with pytest.raises(Unhashable) as caught:
        reached(module.f)
    assert str(caught.value) == "global rows['all']: a generator can be read once only"


# -- elsewhere -----------------------------------------------------------------------------------

CELLS = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from orion_nb.engine.caching import changed, key_for

shell = InteractiveShell.instance()

def run(cell):
    shell.run_cell(cell).raise_error()

def key():
    return key_for(shell.user_ns["f"], "f", (1,), {})

run("from orion_nb import task\\nLIMIT = 2\\ndef clean(x):\\n    return x + LIMIT")
run("@task\\ndef f(x):\\n    !true\\n    return clean(x), get_ipython()")
first = key()
print(sorted(first.parts))
run("def clean(x):\\n    # the same\\n    return (x + LIMIT)")
print(changed(first.parts, key().parts))
run("def clean(x):\\n    return x - LIMIT")
second = key()
print(changed(first.parts, second.parts))
run("LIMIT = 3")
third = key()
print(changed(second.parts, third.parts))
run("@task(retries=2)\\ndef f(x):\\n    'Doc.'\\n    !true\\n    return clean(x), get_ipython()")
print(changed(third.parts, key().parts))
run("@task(retries=2)\\ndef f(x):\\n    !true\\n    return 1, clean(x), get_ipython()")
print(changed(third.parts, key().parts))
"""


def test_cells_of_a_notebook(
    script: Callable[..., subprocess.Popen[str]], finish: Callable[..., str], tmp_path: Path
) -> None:
    source = f"import os\nos.environ['IPYTHONDIR'] = {str(tmp_path)!r}\n{CELLS}"
    lines = finish(script(source)).splitlines()
    assert lines == [
        "['argument x', 'function clean', 'global LIMIT', 'global get_ipython', 'source', 'task']",
        "[]",
        "['function clean changed']",
        "['global LIMIT changed']",
        "[]",
        "['source changed']",
    ]


def test_keys_of_a_script_are_the_same_in_every_process(
    load: Load, tmp_path: Path, script: Callable[..., subprocess.Popen[str]], finish: Any
) -> None:
    load(**FILES)
    ask = """
        import sys
        sys.path.insert(0, {!r})
        import job
        from orion_nb.engine.fingerprints import fingerprint, reached, source_of
        print(source_of(job.f), reached(job.f), fingerprint(job.f))
    """
    ran = [finish(script(textwrap.dedent(ask).format(str(tmp_path)))) for _ in range(2)]
    assert ran[0] == ran[1]


def test_ours_are_what_they_wrap() -> None:
    def plain(x: int) -> int:
        return x

    assert source_of(task(plain)) == source_of(flow(plain)) == source_of(plain)
    assert reached(task(plain)) == reached(plain) == Reached({})
