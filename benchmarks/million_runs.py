"""What lists, filters, counts and histories cost over HTTP with a million runs in the database.

The database is filled once, and kept if a folder is named for it; a real Jupyter server with the
extension is started on it. Each request is sent one after the other, then all of them by 32 clients
at once, while a timer in the server's event loop is watched. The bars: 95 of 100 answers within
50 ms, 99 of 100 timers not later than 100 ms.

    python benchmarks/million_runs.py --folder /tmp/million
    python benchmarks/million_runs.py --runs 100000
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from _measure import Figure, median, options, percentile, show
from _million import fill
from http_transitions import API, connected, server

BAR, LOOP_BAR = 50.0, 100.0
CLIENTS = 32

Asked = tuple[str, str, dict[str, Any] | None]


#: Lists and counts, by what they are called.
FILTERS: dict[str, dict[str, Any]] = {
    "": {},
    "200 a page": {"limit": 200},
    "flows": {"kind": "flow"},
    "at the top": {"top_level": True},
    "failed": {"states": ["FAILED"]},
    "failed flows": {"states": ["FAILED"], "kind": "flow"},
    "crashed or cancelled": {"states": ["Crashed", "CANCELLED"]},
    "running, of which there are none": {"states": ["RUNNING"]},
    "late": {"states": ["Late"]},
    "scheduled": {"states": ["SCHEDULED"], "kind": "flow"},
    "of a deployment": {"deployment": "deployment 07"},
    "of a name": {"name": "train b"},
    "tasks of a name": {"kind": "task", "name": "fit train b"},
    "a name that is not": {"name": "nothing"},
    "a text": {"text": "train"},
    "a text that is not": {"text": "no such text"},
    "of the last day": {"q": "since:24h"},
    "of the tenth week": {"q": "since:70d until:63d"},
    "a tag": {"q": "tag:gpu"},
    "a tag that is not": {"q": "tag:nothing"},
    "not a tag": {"q": "-tag:db state:failed"},
    "a parameter": {"q": "param:day=40"},
    "long ones": {"q": "dur>5m"},
    "several words": {"q": 'state:failed since:30d tag:db "train"'},
}
RUN = ("", "/states", "/why", "/logs", "/logs?tree=true", "/artifacts", "/lineage")


def requests(folder: Path) -> dict[str, Asked]:
    """What is asked, by what it is called: method, path and body."""
    with sqlite3.connect(folder / "orion.db") as connection:
        sql = "SELECT id, root FROM runs ORDER BY id LIMIT 1 OFFSET (SELECT count(*) / 2 FROM runs)"
        middle, root = (value.hex() for value in connection.execute(sql).fetchone())
        sql = "SELECT root FROM runs GROUP BY root ORDER BY count(*) DESC LIMIT 1"
        largest = connection.execute(sql).fetchone()[0].hex()
        (name,) = connection.execute("SELECT name FROM runs WHERE kind='flow' LIMIT 1").fetchone()
    connection.close()
    filters = FILTERS | {
        "of a tree": {"root": root},
        "of the largest tree": {"root": largest},
        "failed, of the largest tree": {"root": largest, "states": ["FAILED"]},
        "the end of an id": {"text": middle[-8:]},
    }
    asked: dict[str, Asked] = {}
    for what, told in filters.items():
        asked[f"list {what}".strip()] = ("POST", "/runs/filter", told)
        told = {key: value for key, value in told.items() if key != "limit"}
        asked[f"count {what}".strip()] = ("POST", "/runs/count-by", told)
    return asked | _summaries() | _others(middle, name)


def _summaries() -> dict[str, Asked]:
    """Counts by other things than the state, and histories."""
    asked: dict[str, Asked] = {"history of a day": ("POST", "/runs/history", {})}
    for by in ("name", "kind", "flow", "deployment", "tag"):
        asked[f"count by {by}"] = ("POST", "/runs/count-by", {"by": by})
        week = {"by": by, "q": "since:7d"}
        asked[f"count by {by}, of a week"] = ("POST", "/runs/count-by", week)
    for days in (7, 90):
        for kind in ("flow", None):
            told = {"since": _ago(days), "kind": kind}
            asked[f"history of {days} days, {kind or 'all'}"] = ("POST", "/runs/history", told)
    return asked


def _others(run: str, name: str) -> dict[str, Asked]:
    """What is asked of one run, and lists of other things."""
    asked: dict[str, Asked] = {f"run{path}": ("GET", f"/runs/{run}{path}", None) for path in RUN}
    asked["run by the end of its id"] = ("GET", f"/runs/{run[-8:]}", None)
    asked["run by its name"] = ("GET", f"/runs/{quote(name)}", None)
    asked["logs"] = ("POST", "/logs/filter", {})
    asked["newest logs"] = ("POST", "/logs/filter", {"newest": True})
    asked["logs with a text"] = ("POST", "/logs/filter", {"text": "train", "newest": True})
    asked["logs with a text that is not"] = ("POST", "/logs/filter", {"text": "nothing"})
    for path in ("deployments", "deployments/deployment%2007", "limits", "database", "health"):
        asked[path] = ("GET", f"/{path}", None)
    asked["events"] = ("GET", "/events?after=1&wait=0", None)
    return asked


def _ago(days: int) -> int:
    from orion_nb import clock

    return clock.now() - days * 24 * 3600 * clock.SECOND


async def ask(port: int, asked: dict[str, Asked], rounds: int) -> dict[str, list[float]]:
    """The waits of each request in ms, one request at a time."""
    found: dict[str, list[float]] = {name: [] for name in asked}
    async with connected(port, 1) as (client,):
        for _ in range(rounds):
            for name, (method, path, told) in asked.items():
                await client.send(method, API + path, told)
                found[name].append(client.waits.pop() * 1000)
    return found


async def ask_at_once(port: int, asked: dict[str, Asked], rounds: int) -> tuple[float, list[float]]:
    """All requests by many clients at once: requests a second, and how late the loop was, in ms."""
    loop = asyncio.get_running_loop()
    left = iter(list(asked.values()) * rounds)

    async def serve(client: Any) -> None:
        for method, path, told in left:
            await client.send(method, API + path, told)

    async with connected(port, CLIENTS + 1) as (watcher, *clients):
        await watcher.get("/bare")
        started = loop.time()
        await asyncio.gather(*map(serve, clients))
        took = loop.time() - started
        late = (await watcher.get("/bare"))["late"]
    return len(asked) * rounds / took, [each * 1000 for each in late]


def main() -> None:
    """Fills the folder if it is empty, measures, and says what missed its bar."""
    parser = options(__doc__, rounds=20)
    parser.add_argument("--folder", type=Path, help="where the database is kept; default nowhere")
    parser.add_argument("--runs", type=int, default=1_000_000, help="default 1000000")
    parser.add_argument("--only", help="requests whose name has this in it")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = told.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "orion.db").exists():
            took = fill(folder, told.runs)
            print(f"{told.runs:,} runs were written in {took:.0f} s", file=sys.stderr)
        asked = {k: v for k, v in requests(folder).items() if not told.only or told.only in k}
        with server(folder, "full") as port:
            asyncio.run(ask(port, asked, 1))  # warm up
            waits = asyncio.run(ask(port, asked, told.rounds))
            rate, late = asyncio.run(ask_at_once(port, asked, 2))
    figures = [
        Figure(
            name, percentile(each, 0.95), "ms", None, f"median {median(each):.1f}{_missed(each)}"
        )
        for name, each in waits.items()
    ]
    everything = [wait for each in waits.values() for wait in each]
    figures.append(Figure("all of them, p95", percentile(everything, 0.95), "ms"))
    figures.append(Figure(f"by {CLIENTS} clients at once", rate, "/s"))
    over = "  over the bar" if percentile(late, 0.99) > LOOP_BAR else ""
    figures.append(Figure("loop late meanwhile, p99", percentile(late, 0.99), "ms", None, over))
    show("Answers with many runs: p95", figures, told.json)


def _missed(waits: list[float]) -> str:
    return "  over the bar" if percentile(waits, 0.95) > BAR else ""


if __name__ == "__main__":
    main()
