"""Any value comes back from the source that is written of it, which calls nothing of a user's."""

from __future__ import annotations

import ast
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orion_nb.schemas.parameters import read_parameters

NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "x = None"},
    ],
}
EAST = timezone(timedelta(hours=5, minutes=45))

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.dates()
    | st.datetimes(timezones=st.sampled_from([None, UTC, EAST]))
    | st.timedeltas()
    | st.times()
    | st.sampled_from([Path("a b/'c"), Path("/"), Path()])
    | st.decimals(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(values)
@example('\'"\\\n\r\x00\u202e\ud800 {x.__class__} %s """')
@example((1,))
@example(timedelta(0))
@example(-(2**100))
def test_any_value_is_written_as_literals_only_and_comes_back(value):
    source = read_parameters(NOTEBOOK).inject(NOTEBOOK, {"x": value})["cells"][1]["source"]
    *imports, assignment = ast.parse(source).body
    assert all(isinstance(each, ast.Import | ast.ImportFrom) for each in imports)
    assert isinstance(assignment, ast.Assign)
    assert [ast.dump(target) for target in assignment.targets] == ["Name(id='x', ctx=Store())"]
    for node in ast.walk(assignment.value):
        assert isinstance(
            node,
            ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.UnaryOp | ast.USub | ast.Load
            | ast.Call | ast.Attribute | ast.Name | ast.keyword,
        )  # fmt: skip
        if isinstance(node, ast.Call):
            assert all(isinstance(each, ast.Constant | ast.UnaryOp) for each in node.args)
        if isinstance(node, ast.Name):
            assert node.id in ("_datetime", "_Decimal", "_Path")
    scope: dict[str, Any] = {}
    exec(source, scope)
    assert scope["x"] == value
    assert type(scope["x"]) is type(value)
