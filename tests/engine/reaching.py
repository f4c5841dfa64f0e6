"""Modules that reach each other, and what a key says of a function in one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orion_nb.engine.fingerprints import Reached, reached, source_of

Load = Callable[..., Any]

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


def told(fn: Any) -> tuple[str, Reached]:
    """All that a key says of the function itself."""
    return source_of(fn).print, reached(fn)
