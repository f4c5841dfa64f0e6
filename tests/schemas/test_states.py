"""States: their types and names, how they are made, shown and called late."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from orion_nb.clock import SECOND
from orion_nb.schemas import states
from orion_nb.schemas.states import (
    ACTIVE,
    LOOKS,
    NAMES,
    TERMINAL,
    Look,
    State,
    StateType,
    is_late,
    look,
    state,
)


def test_every_type_has_names_of_its_own_and_is_active_or_finished():
    assert set(NAMES) == set(StateType) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL
    everyone = [name for names in NAMES.values() for name in names]
    assert len(everyone) == len(set(everyone))


@pytest.mark.parametrize("kind", list(StateType))
def test_a_state_of_a_type_has_its_default_name(kind):
    assert state(kind).name == NAMES[kind][0]
    assert state(kind.value).type is kind
    assert state(kind).is_terminal == (kind in TERMINAL)


@pytest.mark.parametrize(
    "name",
    [name for names in NAMES.values() for name in names if hasattr(states, name)],
)
def test_a_state_is_made_by_its_name(name):
    make = getattr(states, name)
    given = {"Scheduled": (7,), "AwaitingRetry": (7,), "Cached": (None,)}.get(name, ())
    made = make(*given, message="why")
    assert made.name == name
    assert made.name in NAMES[made.type]
    assert made.message == "why"
    assert made.scheduled_time == (7 if given == (7,) else None)


def test_a_type_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="DONE"):
        state("DONE")


def test_a_state_does_not_change():
    made = state("RUNNING")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "Retrying"
    assert made.because("it was time") == dataclasses.replace(made, reason="it was time")
    assert made.reason is None


def test_states_are_equal_wherever_they_are_kept():
    assert state("RUNNING", n=4) == state("RUNNING", n=5)
    assert hash(state("RUNNING")) == hash(state("RUNNING"))
    assert state("RUNNING") != state("RUNNING", "Retrying")


def test_a_state_reads_as_its_name_and_message():
    assert str(state("FAILED", message="no ink")) == "Failed: no ink"
    assert str(state("FAILED")) == "Failed"


def test_a_state_as_json_has_all_its_fields():
    made = state("FAILED", message="x", timestamp=5)
    told = json.loads(json.dumps(made.as_json()))
    assert set(told) == {field.name for field in dataclasses.fields(State)}
    assert (told["type"], told["timestamp"]) == ("FAILED", 5)


@pytest.mark.parametrize(
    ("kind", "due", "now", "late"),
    [
        ("SCHEDULED", 0, 15 * SECOND, False),
        ("SCHEDULED", 0, 15 * SECOND + 1, True),
        ("SCHEDULED", 10, 0, False),
        ("SCHEDULED", None, 10**15, False),
        ("PENDING", 0, 10**15, False),
        ("RUNNING", 0, 10**15, False),
    ],
)
def test_late_is_scheduled_and_fifteen_seconds_past_its_time(kind, due, now, late):
    assert is_late(kind, due, now) is late


def test_every_state_has_a_look_with_a_glyph():
    for kind, names in NAMES.items():
        for name in names:
            assert isinstance(look(kind, name), Look)
            assert look(kind, name).glyph
    assert look("SCHEDULED", "AwaitingRetry") is LOOKS["AwaitingRetry"]
    assert look("COMPLETED", "Completed") is LOOKS["COMPLETED"]


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(math.prod(pair) for pair in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("ground", "which"), [("#ffffff", "light"), ("#111111", "dark")])
def test_the_colour_of_every_state_can_be_told_from_its_ground(ground, which):
    """WCAG 2.2, 1.4.11: three to one for what is no text."""
    for name, shown in LOOKS.items():
        one, two = sorted((luminance(getattr(shown, which)), luminance(ground)))
        assert round((two + 0.05) / (one + 0.05), 1) >= 3, name
