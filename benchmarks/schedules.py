"""What schedules cost: the next 100 times of each kind, and a scheduler with 10,000 deployments.

- next 100: processor time to read the schedule and tell its next 100 instants; the rules began ten
  years ago, one never fires;
- idle tick: what a scheduler asks when nothing is due;
- all due: one scheduler makes a run for each deployment, all due at the same instant; each has a
  file, parameters and tags of its own, and one of some forty schedules.

    python benchmarks/schedules.py [--deployments 10000]
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _measure import Figure, median, options, show

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
MINUTES = "DTSTART;TZID=Europe/Prague:20161122T000000\nRRULE:FREQ=MINUTELY"
EVENT = (
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Prague:20161122T090000\n"
    "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR\nEXDATE;TZID=Europe/Prague:20261125T090000\n"
    "END:VEVENT\nEND:VCALENDAR"
)
KINDS: dict[str, Any] = {
    "cron every 15 minutes": "*/15 * * * *",
    "cron weekdays at nine": "0 9 * * 1-5",
    "cron that never fires": "0 0 30 2 *",
    "interval of 250 ms": "250ms",
    "interval of a day": "1d",
    "rrule weekdays at nine": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9",
    "rrule of minutes for ten years": MINUTES,
    "rrule of minutes, counted": f"{MINUTES};COUNT=100000000",
    "rrule that never fires": "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
    "ics": {"kind": "ics", "ics": EVENT},
}
#: Schedules that are due at each full hour; with the zones they are some forty.
HOURLY = ("0 * * * *", "0 */1 * * *", "1h", "FREQ=HOURLY;BYMINUTE=0;BYSECOND=0")
ZONES = (
    *("UTC", "Europe/Prague", "Asia/Tokyo", "America/New_York", "America/Sao_Paulo"),
    *("Africa/Cairo", "Asia/Shanghai", "Pacific/Auckland", "America/Denver", "Asia/Dubai"),
)


def next_100(value: Any, turn: int) -> float:
    """Milliseconds of processor time, nothing of the schedule being known yet."""
    from orion_nb.schemas.schedules import parse_schedule

    if isinstance(value, dict):
        value = {**value, "ics": value["ics"].replace("UID:1", f"UID:{turn}")}
    elif value.startswith(("FREQ", "DTSTART")):
        value = f"{value};WKST={('MO', 'TU', 'WE', 'TH', 'FR')[turn % 5]}"
    begun = time.process_time()
    parse_schedule(value, timezone="Europe/Prague").upcoming(NOW, n=100)
    return (time.process_time() - begun) * 1000


def scheduler(deployments: int) -> tuple[float, float]:
    """Milliseconds of an idle tick, and seconds until all that is due has a run."""
    from orion_nb import clock
    from orion_nb.api.orion import Orion
    from orion_nb.settings import Settings

    with tempfile.TemporaryDirectory() as folder, clock.frozen(NOW) as now:
        notebook = Path(folder) / "empty.ipynb"
        notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
        orion = Orion(Settings.load(home=Path(folder)))
        try:
            _deploy(orion, notebook, deployments)
            idle = [_timed(lambda: (orion.next_due(), orion.schedule_due())) for _ in range(50)]
            now.advance(3600)
            begun = time.perf_counter()
            made = len(orion.schedule_due())
            taken = time.perf_counter() - begun
        finally:
            orion.close()
    assert made == deployments
    return median(idle), taken


def _deploy(orion: Any, notebook: Path, count: int) -> None:
    """The first as people do it; the others are written like it."""
    from orion_nb.schemas.runs import new_id
    from orion_nb.schemas.schedules import parse_schedule
    from orion_nb.store import deployments

    orion.create_deployment("0", str(notebook), schedules=["0 * * * *"])
    first = orion.find_deployment("0")
    hourly = [parse_schedule(text, timezone=zone) for text in HOURLY for zone in ZONES]
    others = [
        first.model_copy(
            update={
                "id": new_id(),
                "name": f"report {number}",
                "path": str(notebook.with_name(f"report {number}.ipynb")),
                "parameters": {"region": number, "title": f"Report of {number}"},
                "tags": (f"team {number % 100}",),
                "schedules": (hourly[number % len(hourly)],),
            }
        )
        for number in range(1, count)
    ]
    orion.database.write(lambda tx: [deployments.insert(tx, each) for each in others])


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--deployments", type=int, default=10_000)
    given = parser.parse_args()
    figures = []
    for name, value in KINDS.items():
        next_100(value, -1)  # imports
        times = [next_100(value, turn) for turn in range(given.rounds)]
        figures.append(Figure(f"next 100: {name}", median(times), "ms"))
    idle, due = scheduler(given.deployments)
    figures.append(Figure("idle tick", idle, "ms", note=f"{given.deployments:,} deployments"))
    figures.append(Figure("all due", due, "s", note=f"{given.deployments:,} deployments"))
    show(f"schedules: medians of {given.rounds} rounds", figures, given.json)


if __name__ == "__main__":
    main()
