from __future__ import annotations

from orion_nb.schemas.nesting import depth


def test_depth_counts_levels() -> None:
    assert [depth(value) for value in (1, [], {}, [1], {"a": [{}]})] == [0, 1, 1, 1, 3]
