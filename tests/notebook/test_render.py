"""Runs as plain HTML and text: every word escaped, nothing that a sanitizer takes away."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from orion_nb.notebook import render
from orion_nb.notebook.render import Row
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    AwaitingRetry,
    Completed,
    Failed,
    Running,
    Scheduled,
    State,
)

EVIL = [
    "<img src=x onerror=alert(1)>",
    "</td></tr></table><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "&lt;b&gt;",
    "<style>*{display:none}</style>",
]
ALLOWED = set("div b code span table thead tbody tr th td ol li details summary".split())
SECOND = 1_000_000


class Seen(HTMLParser):
    """The tags, attributes and text of a piece of HTML, and whether its tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def run_of(state: State, name: str = "load", **fields: Any) -> Run:
    return Run("0" * 28 + "beef", "task", name, state, "0" * 32, **fields)


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_words_are_shown_as_words(evil: str) -> None:
    run = run_of(Failed(evil), evil, attempt=1)
    row = Row(evil, "FAILED", evil, message=evil)
    for html, text in (
        render.chip(evil, Failed(evil), run, 3),
        render.run_tables(row, "0" * 32, [row] * 50, 0),
        render.list_tables([run], 0),
        render.lines([evil], evil),
    ):
        seen = Seen(html)
        assert seen.tags <= ALLOWED
        assert seen.attributes <= {"style", "scope"}
        assert evil in seen.text
        assert evil in text


@pytest.mark.parametrize(
    ("state", "fields", "retries", "text"),
    [
        (Running(), {"attempt": 1}, 0, "◐ Running  load  run 0000beef"),
        (Running(), {"attempt": 2}, 3, "◐ Running  load  attempt 2 of 4  run 0000beef"),
        (
            AwaitingRetry(0, message="ValueError: no\nand more", reason="retry in 5 s"),
            {"attempt": 1},
            3,
            "↻ AwaitingRetry  load  attempt 1 of 4  ValueError: no  run 0000beef",
        ),
        (
            Completed(),
            {"attempt": 1, "start_time": SECOND, "end_time": 13_400_000},
            0,
            "✔ Completed  load  12.4 s  run 0000beef",
        ),
    ],
)
def test_the_line_of_a_task_cell(
    state: State, fields: dict[str, Any], retries: int, text: str
) -> None:
    html, plain = render.chip("load", state, run_of(state, **fields), retries)
    assert plain == text
    assert all(word in Seen(html).text for word in text.split("  "))


def test_a_table_of_a_flow_and_its_tasks() -> None:
    title = Row("prices", "FAILED", "Failed", 1, 0, 90 * SECOND, "KeyError: 'x'\nmore")
    rows = [
        Row("load", "COMPLETED", "Completed", 2, 0, SECOND),
        Row("clean", "FAILED", "Failed", 1, SECOND, 2 * SECOND, "KeyError: 'x'"),
        Row("save", "PENDING", "NotReady"),
    ]
    html, text = render.run_tables(title, "0" * 28 + "beef", rows, 100 * SECOND)
    assert text.splitlines() == [
        "✖ Failed  prices",
        "  1 min 30 s · 1 ✔ Completed · 1 ✖ Failed · 1 ○ NotReady · run 0000beef",
        "  KeyError: 'x'",
        "  load   ✔ Completed  2  1.0 s",
        "  clean  ✖ Failed     1  1.0 s  KeyError: 'x'",
        "  save   ○ NotReady",
    ]
    assert html.count("<tr>") == 4
    assert '<th scope="col"' in html


def test_a_flow_without_tasks_has_no_table() -> None:
    html, text = render.run_tables(Row("f", "RUNNING", "Running", 1, 0), "0" * 32, [], SECOND)
    assert "<table" not in html
    assert text == "◐ Running  f\n  1.0 s · run 00000000"


def test_many_tasks_are_folded_and_those_that_failed_are_not() -> None:
    rows = [Row(f"t{n}", "COMPLETED", "Completed", 1, 0, 1) for n in range(1000)]
    rows[777] = Row("t777", "FAILED", "Failed", 1, 0, 1, "KeyError")
    html, text = render.run_tables(rows[0], "0" * 32, rows, 0)
    open_table, _, folded = html.partition("<details><summary>the first 200 tasks</summary>")
    assert open_table.count("<tr>") == 1 + 40
    assert folded.count("<tr>") == 1 + 200
    for shown in (open_table, text):
        assert "t777" in shown
        assert shown.index("t0") < shown.index("t18") < shown.index("t777")
    assert len(text.splitlines()) == 2 + 20 + 1
    assert text.splitlines()[-1] == "  … 980 more"
    html, _ = render.run_tables(rows[0], "0" * 32, rows[:40], 0)
    assert "<details>" not in html
    assert "all 41 tasks" in render.run_tables(rows[0], "0" * 32, rows[:41], 0)[0]


def test_a_run_that_is_late_is_shown_so() -> None:
    run = run_of(Scheduled(0))
    assert "◷! Late" in render.list_tables([run], 0)[1]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (None, ""),
        ("  \n one\ntwo", "one"),
        ("a\x1b[31mred\x00", "a�[31mred�"),
        ("\u202eevil", "�evil"),
        ("x" * 200, "x" * 159 + "…"),
    ],
)
def test_a_message_is_one_line_that_can_be_printed(said: str | None, shown: str) -> None:
    assert render.first_line(said) == shown


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [(None, None, ""), (0, None, "10.0 s"), (0, SECOND, "1.0 s"), (20 * SECOND, None, "0 s")],
)
def test_how_long_it_took(start: int | None, end: int | None, shown: str) -> None:
    assert render.took(start, end, 10 * SECOND) == shown
