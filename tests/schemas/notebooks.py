"""Notebooks with a parameters cell."""

from __future__ import annotations

from orion_nb.schemas.parameters import read_parameters

REPORT = """\
from datetime import date as today
day: date = today  # the day to report on
limit: int = 100
"""


def code(source, *tags, **more):
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
        **more,
    }


def notebook(source=REPORT, *tags, **metadata):
    """A notebook with a cell before and one after its parameters cell."""
    cells = [code("import os"), code(source, *(tags or ("parameters",))), code("print(limit)")]
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def checked(source, **values):
    return read_parameters(notebook(source)).validate(values)
