"""Versions of a notebook differ by their cells, not by what running them has left in them."""

from __future__ import annotations

from orion_nb.schemas.differences import of_notebooks, of_texts


def notebook(*sources, kind="code", **fields):
    return {"cells": [{"cell_type": kind, "source": text, **fields} for text in sources]}


def brief(was, now):
    return [(each["change"], each["was"], each["now"]) for each in of_notebooks(was, now)]


def test_cells_that_were_changed_added_and_removed_are_told_by_number():
    was = notebook("a = 1", "b = 2", "c = 3", "d = 4")
    now = notebook("a = 1", "b = 5", "d = 4", "e = 5")
    assert brief(was, now) == [("changed", 2, 2), ("removed", 3, None), ("added", None, 4)]
    assert of_notebooks(was, now)[0]["diff"][1:] == ["-b = 2", "+b = 5"]


def test_outputs_and_counts_are_no_difference_and_tags_are():
    was = notebook("a = 1", outputs=[], execution_count=None)
    assert brief(was, notebook("a = 1", outputs=[1], execution_count=7)) == []
    tagged = notebook("a = 1", metadata={"tags": ["parameters"]})
    assert of_notebooks(was, tagged)[0]["diff"] == ["-tags: ", "+tags: parameters"]


def test_a_cell_is_known_by_its_id_where_it_is_written_anew():
    was = {"cells": [{"cell_type": "code", "id": x, "source": x} for x in "ab"]}
    now = {"cells": [{"cell_type": "code", "id": x, "source": x * 2} for x in "xb"]}
    assert brief(was, now) == [("changed", 1, 1), ("changed", 2, 2)]
    now = {"cells": [{"cell_type": "code", "id": "b", "source": "bb"}]}
    assert brief(was, now) == [("removed", 1, None), ("changed", 2, 1)]


def test_lines_of_a_file():
    assert of_texts("a\nb\n", "a\nc\n") == ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]
