"""Runs as text and as plain HTML: readable on GitHub, in a saved file, without any script.

Only inline style, no script, no style element, no SVG; every word from data is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice

from orion_nb import clock
from orion_nb.schemas import durations
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import COMPLETED, State, is_late, look

ROWS_IN_HTML = 40
ROWS_FOLDED = 200
ROWS_IN_TEXT = 20
CELL = "text-align:left;padding:2px 12px 2px 0"
#: Columns of a few words that are not broken, however little room there is.
WHOLE = {"state", "started", "time"}
MUTED = "opacity:0.7"
PLAIN = "font-family:sans-serif;font-size:13px"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of runs; times are microseconds since the epoch, UTC."""

    name: str
    type: str
    state: str
    attempt: int = 0
    start: int | None = None
    end: int | None = None
    message: str | None = None

    @classmethod
    def of(cls, run: Run) -> Row:
        late = is_late(run.state.type, run.state.scheduled_time, clock.now())
        word = "Late" if late else run.state.name
        said = run.state.message or run.state.reason
        return cls(run.name, run.state.type, word, run.attempt, run.start_time, run.end_time, said)


def state_words(kind: str, name: str) -> str:
    """A state as glyph and word."""
    return f"{look(kind, name).glyph} {name}"


def took(start: int | None, end: int | None, now: int) -> str:
    """How long a run took, or has been going on."""
    if start is None:
        return ""
    return durations.show(max(0, (end if end is not None else now) - start) / clock.SECOND)


def first_line(text: str | None, longest: int = 160) -> str:
    line = (text or "").strip().partition("\n")[0]
    line = "".join(letter if letter.isprintable() else "�" for letter in line)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def chip(name: str, state: State, run: Run | None, retries: int) -> tuple[str, str]:
    """The line a task cell shows, as HTML and as text."""
    words = state_words(state.type, state.name)
    parts = []
    if run is not None and run.attempt and (retries or run.attempt > 1):
        most = f" of {retries + 1}" if run.attempt <= retries + 1 else ""  # a rerun is one more
        parts.append(f"attempt {run.attempt}{most}")
    if state.is_terminal and run is not None and run.start_time is not None:
        parts.append(took(run.start_time, run.end_time, clock.now()))
    if said := first_line(state.message or state.reason):
        parts.append(said)
    if run is not None:
        parts.append(f"run {short(run.id)}")
    text = f"{words}  {name}  {'  '.join(parts)}".rstrip()
    html = (
        f'<div style="{PLAIN}"><b>{escape(words)}</b> '
        f"<code>{escape(name)}</code> "
        f'<span style="{MUTED}">{escape(" · ".join(parts))}</span></div>'
    )
    return html, text


def run_tables(title: Row, run_id: str, rows: Sequence[Row], now: int) -> tuple[str, str]:
    """A flow run and its tasks as a static table: HTML and text."""
    headline = f"{state_words(title.type, title.state)}  {title.name}"
    counts: dict[str, int] = {}
    for row in rows:
        words = state_words(row.type, row.state)
        counts[words] = counts.get(words, 0) + 1
    told = [took(title.start, title.end, now), *(f"{n} {words}" for words, n in counts.items())]
    detail = " · ".join([part for part in told if part] + [f"run {short(run_id)}"])
    said = first_line(title.message)
    text = [headline, f"  {detail}", *([f"  {said}"] if said else [])]
    brief = [_cells(row, now) for row in _chosen(rows, ROWS_IN_TEXT)]
    text += ["  " + "  ".join(cells).rstrip() for cells in _padded(brief)]
    if len(rows) > ROWS_IN_TEXT:
        text.append(f"  … {len(rows) - ROWS_IN_TEXT} more")
    html = (
        f'<div style="{PLAIN}"><b>{escape(state_words(title.type, title.state))}</b> '
        f"<code>{escape(title.name)}</code>"
        f'<div style="{MUTED}">{escape(detail)}</div>'
        f"{f'<div>{escape(said)}</div>' if said else ''}"
        f"{_task_table(_chosen(rows, ROWS_IN_HTML), now)}"
    )
    if len(rows) > ROWS_IN_HTML:
        folded = rows[:ROWS_FOLDED]
        which = f"all {len(rows)}" if len(folded) == len(rows) else f"the first {len(folded)}"
        html += f"<details><summary>{which} tasks</summary>{_task_table(folded, now)}</details>"
    return html + "</div>", "\n".join(text)


def _chosen(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """As many as there is room for, in their order; those that did not complete come first."""
    bad = [at for at, row in enumerate(rows) if row.type != COMPLETED][:most]
    rest = (at for at, row in enumerate(rows) if row.type == COMPLETED)
    return [rows[at] for at in sorted([*bad, *islice(rest, most - len(bad))])]


def _task_table(rows: Sequence[Row], now: int) -> str:
    heads = ("task", "state", "attempts", "time", "message")
    return _html_table(heads, [_cells(row, now) for row in rows])


def list_tables(runs: Sequence[Run], now: int, states: Sequence[str] = ()) -> tuple[str, str]:
    """Runs of any kind as a table, HTML and text; `states` are those that were asked for."""
    if not runs:
        says = "No runs yet: call a @flow, or execute a %%task cell."
        if states:
            says = f"No runs are {' or '.join(states)}."
        return f"<div>{escape(says)}</div>", says
    heads = ("run", "name", "state", "attempts", "started", "time", "message")
    shown = []
    for run in runs:
        name, state, attempts, time, message = _cells(Row.of(run), now)
        began = clock.iso(run.start_time)[:19].replace("T", " ") + "Z" if run.start_time else ""
        shown.append((short(run.id), name, state, attempts, began, time, message))
    text = "\n".join("  ".join(cells).rstrip() for cells in _padded([heads, *shown]))
    return _html_table(heads, shown), text


def lines(said: Sequence[str], head: str = "") -> tuple[str, str]:
    """Sentences as a list under a headline: HTML and text."""
    items = "".join(f"<li>{escape(line)}</li>" for line in said)
    top = f"<b>{escape(head)}</b>" if head else ""
    html = f'<div style="{PLAIN}">{top}<ol>{items}</ol></div>'
    return html, "\n".join([head, *said] if head else said)


def names(head: str, rows: Sequence[tuple[str, str, str]], notes: Sequence[str]) -> tuple[str, str]:
    """Names, their values and a word on some of them, under a headline; then what else is to say.

    HTML and text.
    """
    body = "".join(
        f'<tr><td style="{CELL}"><code>{escape(name)}</code></td>'
        f'<td style="{CELL}"><code>{escape(value)}</code></td>'
        f'<td style="{CELL};{MUTED}">{escape(word)}</td></tr>'
        for name, value, word in rows
    )
    below = "".join(f'<div style="{MUTED}">{escape(note)}</div>' for note in notes)
    table = f"<table>{body}</table>" if rows else ""
    html = f'<div style="{PLAIN}"><b>{escape(head)}</b>{table}{below}</div>'
    told = ["  ".join(each).rstrip() for each in _padded(rows)] if rows else []
    return html, "\n".join([head, *(f"  {line}" for line in told), *notes])


def _cells(row: Row, now: int) -> tuple[str, str, str, str, str]:
    attempts = str(row.attempt) if row.attempt else ""
    words = state_words(row.type, row.state)
    return row.name, words, attempts, took(row.start, row.end, now), first_line(row.message)


def _padded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]


def _html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    top = "".join(f'<th scope="col" style="{CELL}">{escape(head)}</th>' for head in heads)
    styles = [f"{CELL};white-space:nowrap" if head in WHOLE else CELL for head in heads]
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{style}">{escape(cell)}</td>'
            for style, cell in zip(styles, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
