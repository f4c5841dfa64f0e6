"""How a failure is told that kernels tell in ways of their own."""

from __future__ import annotations

import pytest

from orion_nb.deployments.verdicts import judge

SHOWN = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}


@pytest.mark.parametrize(
    ("ename", "evalue", "outputs", "told"),
    [
        ("NoneType", "None", [SHOWN], ": ValueError: no"),
        ("NoneType", "None", [], ": NoneType: None"),
        ("", "2", [], ": exit code 2"),
        ("", "", [], " failed; what it printed may say why"),
        ("", "no such thing", [], ": Error: no such thing"),
        ("KeyError", "'a'", [SHOWN], ": KeyError: 'a'"),
        (
            "SyntaxError",
            "'(' was never closed (1063758517.py, line 3)",
            [],
            ": SyntaxError: '(' was never closed (line 3)",
        ),
        (
            "SyntaxError",
            "invalid syntax (etl.py, line 3)",
            [],
            ": SyntaxError: invalid syntax (etl.py, line 3)",
        ),
    ],
    ids=[
        "formatter",
        "formatter, silent",
        "shell",
        "nameless",
        "words only",
        "python",
        "syntax",
        "file",
    ],
)
def test_an_error_is_told_by_the_best_words_for_it(code, ename, evalue, outputs, told):
    reply = {"status": "error", "ename": ename, "evalue": evalue}
    failure = judge(code("1", outputs=outputs), reply, allowed=False)
    assert failure is not None
    assert failure.told == told
