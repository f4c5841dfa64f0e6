from __future__ import annotations

import nbformat

from orion_nb.deployments.sound import make_sound


def test_what_tools_of_old_and_people_left_is_mended():
    cells = [
        {"cell_type": "code", "id": "a b", "metadata": {"tags": "one"}, "source": "1", "x": 1},
        {"cell_type": "markdown", "id": "same", "metadata": {}, "source": ""},
        {"cell_type": "heading", "level": 1, "id": "same", "metadata": {}, "source": ""},
        {"cell_type": "code", "metadata": {"tags": ["two", 3], "collapsed": None}, "source": "2"},
    ]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    nb = {"cells": cells, "metadata": {"kernelspec": {"name": "r"}, "language_info": 3}}
    nb |= {"nbformat": 4, "nbformat_minor": 0}

    make_sound(nb)

    nbformat.validate(nb)
    assert [cell["id"] for cell in cells] == ["cell-1", "same", "cell-3", "cell-4"]
    assert cells[3]["metadata"] == {"tags": ["two"]}
    assert nb["metadata"] == {"kernelspec": {"name": "r", "display_name": "r"}}
