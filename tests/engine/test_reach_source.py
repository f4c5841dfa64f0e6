"""The key of a function follows its source, or its bytecode, and no layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orion_nb.engine.fingerprints import reached, source_of
from tests.engine.reaching import Load

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
