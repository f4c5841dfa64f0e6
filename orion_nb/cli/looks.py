"""How runs look in a terminal: states as glyph, word and colour; ids, times and durations short.

Colours are those of the terminal's own theme, which its user can read; the glyph and the word say
the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orion_nb import clock
from orion_nb.cli.output import first_line, plain
from orion_nb.clock import SECOND
from orion_nb.schemas.durations import show
from orion_nb.schemas.runs import short
from orion_nb.schemas.states import AwaitingRetry, is_late, look

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

#: A run as `Run.as_json` tells it.
RunJson = Mapping[str, Any]

STYLES = {
    "SCHEDULED": "yellow",
    "PENDING": "default",
    "RUNNING": "bright_blue",
    "PAUSED": "magenta",
    "CANCELLING": "bright_black",
    "COMPLETED": "green",
    "FAILED": "bold red",
    "CRASHED": "bold bright_magenta",
    "CANCELLED": "bright_black",
}
AWAITING_RETRY = AwaitingRetry(0).name

NO_WIDTHS: Mapping[str, int] = {}

#: A moving picture of what runs; one picture each quarter of a second.
SPINNER = "◐◓◑◒"


def state_text(state: Mapping[str, Any], *, now: int | None = None, moving: bool = False) -> Text:
    """A state as glyph and word, in its colour; a scheduled one that is late says so."""
    from rich.text import Text

    at = clock.now() if now is None else now
    kind = state["type"]
    name = "Late" if is_late(kind, state["scheduled_time"], at) else state["name"]
    glyph = look(kind, name).glyph
    if moving and kind == "RUNNING":
        glyph = SPINNER[at // (SECOND // 4) % len(SPINNER)]
    return Text(f"{glyph} {plain(name)}", style=STYLES[kind], no_wrap=True)


def runs_table(runs: Iterable[RunJson], *, now: int | None = None) -> Table:
    """Runs as a table, one line each."""
    at = clock.now() if now is None else now
    columns = ("run", "name", "state", "attempt", "when", ("took", "right"), "message")
    table = plain_table(*columns, cuttable=["name"], widths={"name": 10})
    for run in runs:
        table.add_row(
            short(run["id"]),
            name_text(run),
            state_text(run["state"], now=at),
            attempts(run),
            relative(_when(run), at),
            took(run, at),
            cut(note(run, at)),
        )
    return table


def plain_table(
    *columns: str | tuple[str, str],
    cuttable: Collection[str] = (),
    widths: Mapping[str, int] = NO_WIDTHS,
) -> Table:
    """An empty table with quiet lines; a column is a title, or a title and `"right"`.

    Where there is no room the last column and those in `cuttable` give way: their cells are `cut`
    texts. `widths` are what a column takes at least.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for column in columns:
        title, side = (column, "left") if isinstance(column, str) else column
        table.add_column(
            title,
            justify="right" if side == "right" else "left",
            no_wrap=column != columns[-1] and title not in cuttable,
            min_width=widths.get(title),
        )
    return table


def cut(text: str) -> Text:
    """A text on one line, cut off where there is no room."""
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ellipsis")


def name_text(run: RunJson) -> Text:
    """The name of a run; a task's is dim where flows stand beside it."""
    name = cut(plain(run["run_name"] or run["name"]))
    name.stylize("" if run["kind"] == "flow" else "dim")
    return name


def attempts(run: RunJson) -> str:
    """`2 of 3`: which attempt it is and how many there may be; nothing for `1 of 1`, or before.

    Of what was rerun, which attempt of all it is.
    """
    allowed = run["policy"]["retries"] + 1
    count, attempt = run["run_count"], run["attempt"]
    if count == 0 or (allowed == 1 and attempt == 1):
        return ""
    return f"{count} of {allowed}" if attempt == count <= allowed else str(attempt)


def took(run: RunJson, now: int) -> str:
    """How long it has been at work since it was asked for: from its first start to its end, or now.

    Nothing of one that has not started, or is to be rerun.
    """
    start = run["start_time"]
    if start is None or not (run["end_time"] or run["run_count"]):
        return ""
    return show(max(0, (run["end_time"] or now) - start) / SECOND)


def mark_text(mark: str) -> str:
    """What a rule has marked a run with: `⚑ missed sla`."""
    return f"⚑ {plain(mark).replace('_', ' ')}"


def note(run: RunJson, now: int) -> str:
    """What is worth saying about it: its marks, why it failed, when it goes on, what blocks it."""
    parts = [*map(mark_text, run["marks"]), _state_note(run, now)]
    return "  ".join(part for part in parts if part)


def _state_note(run: RunJson, now: int) -> str:
    state = run["state"]
    if state["name"] == AWAITING_RETRY:
        wait = max(0, state["scheduled_time"] - now) / SECOND
        return f"again in {wait:.1f} s: {first_line(state['message'])}"
    if run["blocked"] and run["blocked"]["reason"]:
        return first_line(run["blocked"]["reason"])
    return first_line(state["message"])


def relative(micros: int | None, now: int) -> str:
    """A moment as seen from now: `4 s ago`, `in 12 min`, `just now`."""
    if micros is None:
        return ""
    seconds = round(abs(now - micros) / SECOND)
    if seconds < 1:
        return "just now"
    told = rounded(seconds)
    return f"{told} ago" if micros <= now else f"in {told}"


def rounded(seconds: int) -> str:
    """A duration in its largest unit: `4 s`, `12 min`, `3 h`, `2 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def local(micros: int) -> str:
    """A moment on the clock of this machine, with its zone: `Mon 2026-11-23 09:00:00 CET`."""
    return in_zone(clock.utc(micros).astimezone())


def utc(micros: int) -> str:
    """A moment in UTC: `2026-11-23 08:00:00Z`."""
    return f"{clock.utc(micros):%Y-%m-%d %H:%M:%S}Z"


def in_zone(moment: datetime) -> str:
    return f"{moment:%a %Y-%m-%d %H:%M:%S %Z}".rstrip()


def clock_time(micros: int, width: int = 10) -> str:
    """The time of day on this machine's clock, to the tenth of a second unless it may be wider."""
    return f"{clock.utc(micros).astimezone():%H:%M:%S.%f}"[:width]


def times_table(times: Iterable[int], *, zone: str | None = None) -> Table:
    """Moments in local time, in UTC, and in `zone` if it is another one."""
    from zoneinfo import ZoneInfo

    now = clock.now()
    elsewhere = None if zone in (None, "UTC") else ZoneInfo(str(zone))
    table = plain_table("local", "UTC", *([str(zone)] if elsewhere else []), "")
    for at in times:
        there = [f"{clock.utc(at).astimezone(elsewhere):%a %H:%M:%S %Z}"] if elsewhere else []
        table.add_row(local(at), utc(at), *there, relative(at, now))
    return table


def _when(run: RunJson) -> int | None:
    """When it started; before that, when it is to start."""
    when: int | None = run["start_time"] or run["state"]["scheduled_time"] or run["created"]
    return when
