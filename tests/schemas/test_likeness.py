"""What is offered in place of a name that there is not."""

from __future__ import annotations

import pytest

from orion_nb.schemas.likeness import closest, did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("dialy", ["weekly", "daily"], "daily"),
        ("elt", ["etl"], "etl"),
        ("Report", ["report"], "report"),
        ("reprot.ipynb", ["secret.ipynb", "report.ipynb"], "report.ipynb"),
        ("daily", ["daily-2"], "daily-2"),
        ("nothere.ipynb", ["secret.ipynb"], None),
        ("nope", ["qnone"], None),
        ("a.ipynb", ["b.ipynb"], None),
        ("", ["a"], None),
        ("a", [], None),
    ],
)
def test_only_a_name_that_is_alike_is_offered(name, known, meant):
    assert closest(name, known) == meant
    assert did_you_mean(name, known) == (f" (did you mean {meant!r}?)" if meant else "")
