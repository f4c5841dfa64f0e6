"""How things look: times, durations, and text from data."""

from __future__ import annotations

import pytest

from orion_nb.cli.looks import attempts, relative, rounded
from orion_nb.cli.output import first_line, plain
from orion_nb.clock import SECOND


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("bell\a", "bell�"),
        ("over\rwritten", "over�written"),
        ("\x9b2J", "�2J"),
        ("turned \u202earound", "turned �around"),
    ],
)
def test_nothing_in_a_text_steers_the_terminal(text, shown):
    assert plain(text) == shown


def test_only_the_first_line_is_told_and_not_all_of_it():
    assert first_line("\n one\ntwo") == "one"
    assert first_line(None) == ""
    assert first_line("x" * 300) == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "just now"), (-5, "5 s ago"), (90, "in 1 min"), (-7200, "2 h ago"), (90_000, "in 1 d")],
)
def test_moments_are_told_as_seen_from_now(seconds, told):
    assert relative(1_000_000 * SECOND + seconds * SECOND, 1_000_000 * SECOND) == told


def test_durations_are_told_in_their_largest_unit():
    assert [rounded(n) for n in (1, 59, 60, 3599, 3600, 86_400)] == [
        "1 s", "59 s", "1 min", "59 min", "1 h", "1 d",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("retries", "count", "attempt", "told"),
    [
        (0, 0, 0, ""),
        (0, 1, 1, ""),
        (2, 1, 1, "1 of 3"),
        (2, 3, 3, "3 of 3"),
        (2, 4, 4, "4"),
        (0, 1, 4, "4"),
        (1, 2, 4, "4"),
        (1, 0, 2, ""),
    ],
)
def test_a_rerun_is_an_attempt_of_all(retries, count, attempt, told):
    run = {"policy": {"retries": retries}, "run_count": count, "attempt": attempt}
    assert attempts(run) == told
