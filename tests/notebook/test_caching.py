"""`%%task --cache`: a cell that would make the same again is restored instead of executed."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from orion_nb.notebook.caching import read_before_set

CELL = (
    "%%task load --cache 1d\nran = globals().get('count', 0)\nrows = [n * factor for n in range(3)]"
)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = 1\ny = x", set()),
        ("y = x\nx = 1", {"x"}),
        ("x += 1", {"x"}),
        ("x = x + 1", {"x"}),
        ("if a:\n    x = 1\nprint(x)", {"x"}),
        ("for i in range(3):\n    t = i\n    u = t", set()),
        ("with open(p) as f:\n    d = f.read()\nrows = d", {"d"}),
        ("import json\njson.dumps(1)", set()),
        ("def f():\n    return x\nx = 1", {"x"}),
        ("def f():\n    return 1\nf()", set()),
        ("try:\n    x = 1\nexcept E as e:\n    x = 2\nx", {"x"}),
        ("while a:\n    a = next(b)", {"a"}),
        ("match v:\n    case 1:\n        x = 1\nx", {"x"}),
    ],
)
def test_what_a_cell_reads_before_it_sets_it_counts(source: str, names: set[str]) -> None:
    assert read_before_set(ast.parse(source).body) == names


def test_a_cell_is_restored_while_it_and_what_it_reads_stay(kernel: Any) -> None:
    kernel.do("factor = 2")
    assert "Completed" in kernel.do(CELL).texts[-1]
    kernel.do("del rows")
    again = kernel.do(CELL)
    assert "Cached" in again.texts[-1]
    assert "taken from the cache" in again.stdout
    assert kernel.value("rows") == "[0, 2, 4]"
    kernel.do("factor = 3")
    assert "Completed" in kernel.do(CELL).texts[-1]
    assert kernel.value("rows") == "[0, 3, 6]"
    assert "Completed" in kernel.do(f"{CELL} + [1]").texts[-1]
    assert kernel.value("rows") == "[0, 3, 6, 1]"
    assert "Completed" in kernel.do(CELL.replace("1d", "1d --refresh")).texts[-1]


def test_functions_that_a_cell_calls_count_and_a_key_of_ones_own_does_not(kernel: Any) -> None:
    cell = "%%task use --cache forever\nmade = helper(1)"
    kernel.do("def helper(x):\n    return x + 1")
    kernel.do(cell)
    assert "Cached" in kernel.do(cell).texts[-1]
    kernel.do("def helper(x):\n    return x + 2")
    assert "Completed" in kernel.do(cell).texts[-1]
    own = "%%task own --cache-key '{day}'\nmade = helper(2)"
    kernel.do("day = 'monday'")
    kernel.do(own)
    kernel.do("def helper(x):\n    return 0")
    assert "Cached" in kernel.do(own).texts[-1]
    assert kernel.value("made") == "4"
    kernel.do("day = 'tuesday'")
    assert "Completed" in kernel.do(own).texts[-1]
    assert "--cache: '1x' is not a duration" in kernel.run("%%task a --cache 1x\n1").stderr
