"""The line of %%task: each option, and each error in exact words."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.error import UsageError

from orion_nb.notebook.options import HelpWanted, from_comment, read_line

DEFAULTS: dict[str, Any] = {
    "name": None,
    "retries": 0,
    "retry_delay": [0.0],
    "timeout": None,
    "tags": (),
    "persist": None,
    "cache": None,
    "cache_key": None,
    "cache_refresh": None,
    "frames": None,
    "quiet": False,
}


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("", {}),
        ("load", {"name": "load"}),
        ("my.task-2", {"name": "my.task-2"}),
        ("load --retries 3", {"name": "load", "retries": 3}),
        ("--retries=100 load", {"name": "load", "retries": 100}),
        ("--retry-delay 10s", {"retry_delay": [10.0]}),
        ("--retry-delay 1m,5m,1h30m", {"retry_delay": [60.0, 300.0, 5400.0]}),
        ("--retry-delay '1m, 250ms'", {"retry_delay": [60.0, 0.25]}),
        ("--timeout 2.5", {"timeout": 2.5}),
        ("--tags a,b", {"tags": ("a", "b")}),
        ("--tags 'north sea, b,'", {"tags": ("north sea", "b")}),
        ("--quiet", {"quiet": True}),
        ("--cache 1d", {"cache": 86400.0}),
        ("--cache forever --refresh", {"cache": True, "cache_refresh": True}),
        ("--cache-key '{day}'", {"cache": True, "cache_key": "{day}"}),
    ],
)
def test_a_line_says_what_it_says(line: str, changes: dict[str, Any]) -> None:
    assert read_line(line) == {**DEFAULTS, **changes}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("'1 x'", "%%task: bad task name '1 x': use letters, digits, _ . -"),
        ("1x", "%%task: bad task name '1x': use letters, digits, _ . -"),
        ("<img>", "%%task: bad task name '<img>': use letters, digits, _ . -"),
        ("a" * 101, f"%%task: bad task name '{'a' * 101}': use letters, digits, _ . -"),
        ("--retries two", "%%task: --retries: expected 0..100, got 'two'"),
        ("--retries 101", "%%task: --retries: expected 0..100, got '101'"),
        ("--retries=-1", "%%task: --retries: expected 0..100, got '-1'"),
        ("--retries 1.5", "%%task: --retries: expected 0..100, got '1.5'"),
        (
            "--retry-delay 10x",
            "%%task: --retry-delay: '10x' is not a duration (try 10s, 5m, 1h30m)",
        ),
        (
            "--retry-delay 1m,,2m",
            "%%task: --retry-delay: '' is not a duration (try 10s, 5m, 1h30m)",
        ),
        ("--timeout soon", "%%task: --timeout: 'soon' is not a duration (try 10s, 5m, 1h30m)"),
        ("load it", "%%task: unrecognized arguments: it"),
        ("--retry 3", "%%task: unrecognized arguments: --retry"),
        ("--retries", "%%task: argument --retries: expected one argument"),
        ("load 'it", '%%task: No closing quotation in "load \'it"'),
    ],
)
def test_a_line_that_cant_be_is_told_why(line: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_line(line)
    assert str(caught.value).startswith(says)


def test_help_shows_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HelpWanted):
        read_line("load --help")
    shown = capsys.readouterr().out
    for word in ("usage: %%task", "--retries N", "--retry-delay DUR[,DUR...]", "--timeout DUR",
                 "--tags A,B", "--quiet", "#| task: load retries=3 retry-delay=10s"):  # fmt: skip
        assert word in shown


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("#| task: load", "load"),
        ("#|task:load\n", "load"),
        ("#| task: load retries=3 retry-delay=1m,5m", "load --retries=3 --retry-delay=1m,5m"),
        ("#| task: load quiet", "load --quiet"),
        ("#| task:", ""),
        ("#| tasks: load", None),
        ("# task: load", None),
        ("x = 1  #| task: load", None),
    ],
)
def test_the_same_in_a_comment(line: str, told: str | None) -> None:
    assert from_comment(line) == told
