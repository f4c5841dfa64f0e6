"""Durations are read exactly, refused clearly and shown briefly."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.errors import InvalidInput
from orion_nb.schemas import durations


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("10s", 10.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("250ms", 0.25),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("3us", 0.000003),
        ("3µs", 0.000003),
        ("2d", 172_800.0),
        ("1w", 604_800.0),
        ("1w2d3h4m5s6ms7us", 788_645.006007),
        (" 5 M ", 300.0),
        ("10", 10.0),
        (10, 10.0),
        (0.25, 0.25),
        (0, 0.0),
        (timedelta(minutes=1, microseconds=1), 60.000001),
    ],
)
def test_what_people_write_is_read_as_seconds(value, seconds):
    assert durations.seconds(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "10x", "", "s", "-5s", "1m1h", "1h1h", "1e5s", "10 s s", "٣s", "9" * 60 + "w", "1" * 200,
        -1, -1e-9, float("nan"), float("inf"), 1e300, 10**100, True, None, b"1s", [1],
        timedelta(seconds=-1),
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(InvalidInput, match="is not a duration"):
        durations.seconds(value)


def test_the_error_shows_the_value_and_how_to_write_it():
    with pytest.raises(InvalidInput) as caught:
        durations.seconds("10x")
    assert str(caught.value) == "'10x' is not a duration (try 10s, 5m, 1h30m)"
    with pytest.raises(InvalidInput) as caught:
        durations.seconds("10x", field="timeout")
    assert str(caught.value) == "timeout: '10x' is not a duration (try 10s, 5m, 1h30m)"
    assert caught.value.field == "timeout"


@given(st.integers(0, durations.LONGEST))
def test_a_text_reads_back_as_exactly_the_same_duration(micros):
    assert durations.micros(durations.text(micros)) == micros


@given(st.decimals(0, 10_000, places=6))
def test_decimals_are_exact_to_the_microsecond(number):
    assert durations.micros(f"{number}s") == int(number * 1_000_000)


@given(st.text(max_size=40) | st.from_regex(r"[0-9.]{1,9}[a-zµ ]{0,3}", fullmatch=True))
def test_any_text_is_a_duration_or_a_clear_error(text):
    with contextlib.suppress(InvalidInput):
        assert durations.seconds(text) >= 0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.000003, "3 µs"),
        (0.0123, "12 ms"),
        (0.9996, "1.0 s"),
        (12.4, "12.4 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (86_399, "1 d 00 h"),
        (100_800, "1 d 04 h"),
    ],
)
def test_a_duration_is_shown_in_two_units_at_most(seconds, shown):
    assert durations.show(seconds) == shown


def test_reading_durations_needs_no_pydantic():
    code = "import sys, orion_nb.schemas.durations; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
