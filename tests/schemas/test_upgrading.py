from __future__ import annotations

from orion_nb.schemas.upgrading import is_old, upgraded


def test_all_worksheets_become_cells():
    code = {"cell_type": "code", "input": ["x = 1\n", "x"], "outputs": [{"output_type": "pyout"}]}
    heading = {"cell_type": "heading", "level": 2, "source": "Old", "metadata": {"a": 1}}
    html = {"cell_type": "html", "source": "<b>"}
    sheets = [{"cells": [heading, code]}, {"cells": [html]}]
    nb = {"nbformat": 3, "metadata": {"name": "it"}, "worksheets": sheets}

    assert is_old(nb)
    assert not is_old({"cells": [], "worksheets": []})
    made = upgraded(nb)

    assert made["nbformat"] == 4
    assert made["metadata"] == {"title": "it"}
    assert made["cells"] == [
        {"cell_type": "markdown", "metadata": {"a": 1}, "source": "## Old"},
        {
            "cell_type": "code", "metadata": {}, "source": "x = 1\nx",
            "outputs": [], "execution_count": None,
        },
        {"cell_type": "markdown", "metadata": {}, "source": "<b>"},
    ]  # fmt: skip


def test_lines_of_format_2_have_no_ends():
    code = {"cell_type": "code", "input": ["def f():", "    return 1", "", "f()"]}
    words = {"cell_type": "markdown", "source": ["one", "two"]}
    sheets = [{"cells": [code, words, {"cell_type": "code", "input": None}]}]
    made = upgraded({"nbformat": 2, "metadata": {"name": "it"}, "worksheets": sheets})
    sources = [cell["source"] for cell in made["cells"]]
    assert sources == ["def f():\n    return 1\n\nf()", "one\ntwo", ""]


def test_the_first_format_has_cells_with_code_and_text():
    cells = [{"cell_type": "text", "text": "Old"}, {"cell_type": "code", "code": "1 / 0"}]
    assert is_old({"cells": cells})
    made = upgraded({"cells": cells})
    assert [(cell["cell_type"], cell["source"]) for cell in made["cells"]] == [
        ("markdown", "Old"),
        ("code", "1 / 0"),
    ]
    assert not is_old({"cells": [{"cell_type": "code", "source": "", "code": "x"}]})
    assert not is_old({"nbformat": 4, "cells": cells})
    assert not is_old({"cells": None})
