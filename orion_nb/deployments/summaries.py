"""A run as people read it at the end of a cell: its state, its name, and a few facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from orion_nb import clock
from orion_nb.schemas.durations import show
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import look

#: Parameters are shown with so many characters each.
LONGEST = 200


def as_text(run: Run, notebook: Path | None, tasks: Sequence[Run] = ()) -> str:
    """One line on the run, and one for each fact; `notebook` is its executed one."""
    head = f"{look(run.state.type, run.state.name).glyph} {run.state.name}  {run.kind} "
    lines = [f"{head}{run.name} ({short(run.id)})"]
    lines += [f"  {name}: {text}" for name, text in _facts(run, notebook, tasks)]
    return "\n".join(lines)


def as_html(run: Run, notebook: Path | None, tasks: Sequence[Run] = ()) -> str:
    """The same as a small table."""
    glyph = look(run.state.type, run.state.name).glyph
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;padding-right:12px">{escape(name)}</th>'
        f'<td style="text-align:left"><code>{escape(text)}</code></td></tr>'
        for name, text in _facts(run, notebook, tasks)
    )
    return (
        f"<div><b>{escape(f'{glyph} {run.state.name}')}</b> {run.kind} "
        f"<code>{escape(run.name)}</code> run {short(run.id)}"
        f"<table><tbody>{rows}</tbody></table></div>"
    )


def _facts(run: Run, notebook: Path | None, tasks: Sequence[Run]) -> Iterator[tuple[str, str]]:
    if run.state.message:
        yield "message", run.state.message.strip()[: 5 * LONGEST]
    for name, value in (run.parameters or {}).items():
        yield name, f"{value!r:.{LONGEST}}"
    if run.start_time is not None and (run.end_time is not None or run.run_count):
        yield "started", clock.iso(run.start_time)[:19] + "Z"
        ended = run.end_time if run.end_time is not None else clock.now()
        yield (
            "took" if run.end_time is not None else "for",
            show(max(0, ended - run.start_time) / clock.SECOND),
        )
    if run.attempt > 1:
        yield "attempts", str(run.attempt)
    if tasks:
        states = Counter(task.state.name for task in tasks)
        yield "tasks", ", ".join(f"{count:,} {name}" for name, count in states.items())
    if notebook is not None:
        yield "notebook", str(notebook)
