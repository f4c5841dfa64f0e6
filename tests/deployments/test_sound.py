from __future__ import annotations

import json

import nbformat
from hypothesis import given, settings
from hypothesis import strategies as st

from orion_nb.deployments.sound import make_readable, make_sound


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


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", "a,b", "skip-execution"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "jupyter", "data", "a.png"]), inner, max_size=2)
    ),
    max_leaves=4,
)
OUTPUT = st.fixed_dictionaries(
    {"output_type": st.sampled_from(["stream", "display_data", "execute_result", "error", "x"])},
    optional={
        "name": ANY,
        "text": ANY,
        "data": ANY | st.just({"text/plain": ["x"]}),
        "metadata": st.just({}) | ANY,
        "execution_count": ANY,
    },
)
OF_A_CELL = "tags name jupyter collapsed scrolled format execution".split()
CELL = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", "raw", "heading"])},
    optional={
        "metadata": ANY | st.dictionaries(st.sampled_from(OF_A_CELL), ANY, max_size=3),
        "outputs": ANY | st.lists(OUTPUT, max_size=2),
        **dict.fromkeys(["id", "source", "execution_count", "attachments", "level"], ANY),
    },
)
OF_A_NOTEBOOK = "kernelspec language_info authors title orig_nbformat".split()


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {"cells": st.lists(CELL, max_size=3)},
        optional={
            "metadata": ANY | st.dictionaries(st.sampled_from(OF_A_NOTEBOOK), ANY, max_size=3),
            **dict.fromkeys(["nbformat", "nbformat_minor", "name"], ANY),
        },
    )
)
def test_whatever_is_in_a_notebook_every_tool_can_read_it_afterwards(nb):
    make_readable(nb)
    made = nbformat.v4.to_notebook(nb)
    for cell in made["cells"]:
        cell["metadata"].pop("execution", None)
    make_sound(made)
    nbformat.validate(json.loads(nbformat.v4.writes(made)))


def test_outputs_that_are_whole_stay_as_they_are():
    printed = {"output_type": "stream", "name": "stdout", "text": ["a\n"]}
    shown = {"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": {}}
    bad = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
    cells = [
        {"cell_type": "code", "source": ["x\n", "y"], "outputs": outputs, "execution_count": 3}
        for outputs in ([printed, shown], [printed, bad])
    ]
    make_readable({"cells": cells})
    assert [cell["outputs"] for cell in cells] == [[printed, shown], []]
    assert cells[0]["source"] == "x\ny"
    assert cells[0]["execution_count"] == 3
