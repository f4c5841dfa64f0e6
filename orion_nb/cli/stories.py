"""What happened to a run and why, told in a terminal: sentences, states, and each rule asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orion_nb import clock
from orion_nb.cli import looks
from orion_nb.cli.output import first_line, plain
from orion_nb.schemas.durations import show
from orion_nb.schemas.runs import short

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

#: What a rule said, as a mark; by verdict.
MARKS = {"pass": ("·", "dim"), "rewrite": ("↪", "bold yellow"), "wait": ("◷", "bold yellow")}
OBJECTS = ("✋", "bold red")
NOTES = ("✎", "default")  # it passed, and had something to say
#: How wide a time of day is that is told to the millisecond.
MILLISECONDS = 12


def headline(run: looks.RunJson) -> Text:
    """The run in one line: name, id, state, attempt, how long it took."""
    from rich.text import Text

    now = clock.now()
    line = Text().append(plain(run["name"]), style="bold")
    line.append(f" {short(run['id'])}", style="dim")
    line.append("  ").append_text(looks.state_text(run["state"], now=now))
    tries, took = looks.attempts(run), looks.took(run, now)
    if tries:
        line.append(f"  attempt {tries}")
    for mark in run["marks"]:
        line.append(f"  {looks.mark_text(mark)}", style="yellow")
    if took:
        line.append(f"  took {took}", style="dim")
    return line


def summary(told: Mapping[str, Any]) -> Group:
    """The headline and the sentences of `Orion.why`."""
    from rich.console import Group

    return Group(headline(told["run"]), *(indented(line) for line in sentences(told)))


def sentences(told: Mapping[str, Any], *, standing: bool = False) -> list[str]:
    """The sentences of `Orion.why`, with the times of this machine's clock.

    With `standing` only those on how the run stands now: no state and no note is told in them.
    """
    lines = []
    for each in told["sentences"]:
        at = each["timestamp"]
        if at is None:
            lines.append(each["text"])
        elif not standing:
            lines.append(f"{looks.clock_time(at, MILLISECONDS)} {each['text']}")
    return lines


def indented(line: str) -> Any:
    """A line of text, wrapped where it is too long and indented throughout."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(plain(line)), (0, 0, 0, 2), expand=False)


def run_story(told: Mapping[str, Any]) -> Group:
    """A run with its facts, its states and its tasks."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [headline(told["run"]), _facts(told["run"]), Text("")]
    parts += [*states_told(told["states"], rules=False), *noted(told)]
    standing = [line for line in sentences(told, standing=True) if not line.startswith("in it, ")]
    if standing:
        parts += [Text(""), *(Text(plain(line)) for line in standing)]
    if told.get("cells"):
        parts += [Text(""), *cells_told(told["cells"])]
    if told["tasks"]:
        parts += [Text(""), Text("In it", style="bold"), looks.runs_table(told["tasks"])]
    return Group(*parts)


def cells_told(told: Mapping[str, Any]) -> Iterator[Any]:
    """How far a notebook has come, and each cell that was begun: its state, time and outputs."""
    from rich.text import Text

    done = f"  {told['done']} of {told['total']} executed"
    line = Text("Cells", style="bold").append(done, style="dim")
    if told["left"] is not None:
        line.append(f", about {looks.rounded(round(told['left']))} left", style="dim")
    if told["peak_memory"]:
        line.append(f", peak memory {told['peak_memory'] / 2**20:,.0f} MiB", style="dim")
    yield line
    right = [(name, "right") for name in ("took", "tries", "output")]
    table = looks.plain_table("cell", "state", *right, "source")
    for cell in told["cells"]:
        if cell["number"] is not None:
            took = show(cell["seconds"] or 0.0)
            size = f"{cell['output_bytes']:,}" if cell["output_bytes"] else ""
            tries = str(cell["attempts"]) if cell["attempts"] > 1 else ""
            source = looks.cut(plain(cell["source"]))
            table.add_row(str(cell["number"]), cell["state"], took, tries, size, source)
    yield table


def full_story(told: Mapping[str, Any]) -> Group:
    """Each state with what every rule said about it, then what else there is to say."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [headline(told["run"]), *states_told(told["states"], rules=True)]
    parts += noted(told)
    parts += [Text(plain(line)) for line in sentences(told, standing=True)]
    if told["blocked"]:
        parts += [Text(""), Text("Blocked", style="bold"), report_table(told["blocked"])]
    return Group(*parts)


def noted(told: Mapping[str, Any]) -> list[Any]:
    """What else was noted on a run: a message that came too late, a promise that was missed."""
    from rich.text import Text

    times = ((looks.clock_time(each["timestamp"]), each["text"]) for each in told["notes"])
    return [Text(f"{time}  note: {plain(text)}") for time, text in times]


def states_told(states: list[dict[str, Any]], *, rules: bool) -> Iterator[Any]:
    """Each state a run entered, with its time and reason, and the lines of its report."""
    from rich.padding import Padding
    from rich.text import Text

    widest = max(len(state["name"]) for state in states) + 2
    for state in states:
        line = Text(looks.clock_time(state["timestamp"]), style="dim")
        shown = looks.state_text(state, now=state["timestamp"])
        shown.pad_right(max(0, widest - len(shown)))
        yield Text("  ").join([line, shown, Text(_said(state))])
        if state["message"]:
            yield Padding(Text(first_line(state["message"])), (0, 0, 0, 12), expand=False)
        if rules and state["report"] is not None:
            yield Padding(report_table(state["report"]), (0, 0, 0, 12), expand=False)


def _said(state: Mapping[str, Any]) -> str:
    """Why a state was entered: what was proposed instead of it, the reason, who did it."""
    said, report = first_line(state["reason"]), state["report"]
    if report is not None and report["status"] == "REJECT":
        said = f"{plain(report['proposed'])} was proposed; {said}"
    return f"{said} (by {plain(state['by'])})" if state["by"] and state["by"] not in said else said


def report_table(report: Mapping[str, Any]) -> Table:
    """The lines of a report: each rule that was asked, and what it said."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    for row in _rule_rows(report):
        table.add_row(*row)
    return table


def verdict(run: looks.RunJson, report: Mapping[str, Any]) -> Group:
    """What would come of a proposal, and which rules say so."""
    from rich.console import Group
    from rich.text import Text

    entered = report["status"] == "ACCEPT" or (
        report["status"] == "REJECT" and report["rules"][-1]["verdict"] != "reject"
    )
    line = Text(f"Proposing {plain(report['proposed'])} now: {report['status']}, ")
    line.append("it would become " if entered else "it would stay ")
    line.append_text(looks.state_text(report["state"]))
    if report["reason"]:
        line.append(f": {first_line(report['reason'])}")
    return Group(headline(run), line, Text(""), report_table(report))


def _rule_rows(report: Mapping[str, Any]) -> Iterator[tuple[Text, Text]]:
    from rich.text import Text

    for line in report["rules"]:
        mark, style = MARKS.get(line["verdict"], OBJECTS)
        said = line["reason"] or line["says"]
        if line["verdict"] == "pass" and line["reason"]:
            mark, style = NOTES
        yield Text(f"{mark} {line['rule']}", style=style), Text(first_line(said), style=style)


def _facts(run: looks.RunJson) -> Table:
    from rich.table import Table
    from rich.text import Text

    now = clock.now()
    table = Table.grid(padding=(0, 2))
    shown = {
        "id": run["id"],
        "kind": run["kind"],
        "in": run["parent"],
        "deployment": run["name"] if run["deployment"] else None,
        "created": _moment(run["created"], now),
        "scheduled": _moment(run["scheduled_time"], now),
        "started": _moment(run["start_time"], now),
        "ended": _moment(run["end_time"], now),
        "parameters": json.dumps(run["parameters"]) if run["parameters"] else None,
        "kernel": run["policy"]["kernel"],
        "env": " ".join(f"{name}={value}" for name, value in run["policy"]["env"].items()),
        "tags": ", ".join(run["tags"]),
        "source": _source(run.get("source")),
        "message": first_line(run["state"]["message"]),
        "result": _result(run["state"]["result"]),
    }
    for name, value in shown.items():
        if value:
            table.add_row(Text(name, style="dim"), Text(plain(value)))
    return table


def _source(told: Mapping[str, Any] | None) -> str | None:
    return f"{told['path']}, {told['track']} {told['sha256'][:12]}" if told else None


def _moment(micros: int | None, now: int) -> str | None:
    return None if micros is None else f"{looks.local(micros)}, {looks.relative(micros, now)}"


def _result(text: str | None) -> str | None:
    """The beginning of a result, as it was noted when it was written."""
    from orion_nb.errors import InvalidInput
    from orion_nb.schemas.results import Reference

    if text is None:
        return None
    try:
        return first_line(str(Reference.from_text(text)), 80)
    except InvalidInput:
        return first_line(text, 80)  # of somebody who keeps results in their own way
