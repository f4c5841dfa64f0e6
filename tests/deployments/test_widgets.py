"""Widgets in executed notebooks: which are kept, and what they capture."""

from __future__ import annotations

import json

import pytest

from orion_nb.deployments.runner import run_notebook
from orion_nb.deployments.widgets import STATE, VIEW, kept_with, still

LIVE = """
import ipywidgets as w
hidden, slider = w.IntSlider(), w.IntSlider(41)
slider.value += 1
slider"""
CAPTURES = """
from IPython.display import clear_output, display
out, old = w.Output(), w.Output()
with out:
    print('captured')
    1 / 0
display(out, old)
with old:
    print('old')
    clear_output(wait=True)
    display(w.HBox([w.Label('new'), slider]))
gone = w.Text('gone')
display(gone)
gone.close()"""


def view(model: str, text: str = "a dial") -> dict[str, object]:
    data = {VIEW: {"model_id": model}, "text/plain": text}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def model(**state: object) -> dict[str, object]:
    return {"model_name": "M", "state": state}


@pytest.mark.slow
def test_widgets_are_kept_with_what_they_capture_though_the_run_fails(orion, write_notebook, kept):
    path = write_notebook(LIVE, CAPTURES, "print(len(out.outputs), out.outputs[0]['text'])", "1/0")

    outcome = run_notebook(path, orion=orion, timeout=200)

    assert str(outcome.state) == "Failed: cell 4: ZeroDivisionError: division by zero"
    _, live, captures, asks, *_ = kept(outcome.notebook)
    told = json.loads(outcome.notebook.read_text())["metadata"]["widgets"][STATE]
    models, names = told["state"], [each["model_name"] for each in told["state"].values()]
    shown = live["outputs"][0]["data"][VIEW]["model_id"]
    assert models[shown]["state"]["value"] == 42
    assert (names.count("IntSliderModel"), names.count("TextModel")) == (1, 0)  # shown; closed
    out, old, gone = captures["outputs"]
    first, second = models[out["data"][VIEW]["model_id"]]["state"]["outputs"]
    assert (first["text"], second["ename"]) == ("captured\n", "ZeroDivisionError")
    (new,) = models[old["data"][VIEW]["model_id"]]["state"]["outputs"]
    assert models[new["data"][VIEW]["model_id"]]["model_name"] == "HBoxModel"
    assert "LabelModel" in names
    assert VIEW not in gone["data"]
    assert asks["outputs"][0]["text"] == "2 captured\n\n"


def test_of_widgets_those_that_are_shown_are_kept_as_far_as_there_is_room():
    models = {
        "box": model(children=["IPY_MODEL_label", "IPY_MODEL_box"]),
        "label": model(value="x"),
        "large": model(value="x" * 1000),
        "aside": model(),
    }
    nb = {"cells": [{"outputs": [view("large"), view("box"), view("unknown")]}, {}]}
    assert set(kept_with(nb, models, room=500)) == {"box", "label"}
    assert set(kept_with(nb, models)) == {"box", "label", "large"}


def test_readers_without_widgets_see_what_was_captured_and_the_text_beside_the_others():
    printed = {"output_type": "stream", "name": "stdout", "text": "inner"}
    models = {"out": model(outputs=[printed, view("dial")]), "dial": model()}
    nb = {
        "cells": [{"outputs": [view("out"), view("dial", "a knob")]}, {"source": "text"}],
        "metadata": {"widgets": {STATE: {"state": models}}},
    }
    still(nb)
    inner, dial, knob = nb["cells"][0]["outputs"]
    assert inner == printed
    assert [each["data"] for each in (dial, knob)] == [
        {"text/plain": "a dial"},
        {"text/plain": "a knob"},
    ]
    assert nb["metadata"] == {}
