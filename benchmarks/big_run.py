"""What the page, the API and the card take for one run with 10,000 tasks.

A flow with so many tasks, half of them fed by the others, is run for real in an empty data folder;
then a real Jupyter server with the extension is asked for what the run's page asks for, and for
the graph. Beside each is said what it costs the server's processor, which other work on the machine
does not change. The bars: the first byte of the page, and 95 of 100 answers, within 300 ms. With
`--chromium PATH` the card is drawn in that browser, with all tasks in it, scrolled through its page
while thirty messages a second move a hundred tasks each; the bar is 60 frames a second.

    python benchmarks/big_run.py
    python benchmarks/big_run.py --tasks 1000 --chromium /usr/bin/chromium
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _measure import Figure, environment, median, options, percentile, show
from http_transitions import API, TOKEN, connected, server

BAR, FRAMES = 300.0, 60.0
ROOT = Path(__file__).parents[1]
CARD = ROOT / "widgets" / "orion_nb_widgets" / "static"
#: Half of the tasks, and as many that each take the result of one of them.
FLOW = """
import sys
from orion_nb import flow, task

@task
def load(n):
    return n

@task
def fit(n):
    return n

@flow
def big(count):
    return sum(fit(load.submit(n)) for n in range(count))

big(int(sys.argv[1]) // 2)
"""
#: Draws the card, and answers the milliseconds between its frames while it is scrolled.
SCROLL = """async ([script, style, run, tasks]) => {
    const listeners = {};
    const kinds = [["RUNNING", "Running"], ["COMPLETED", "Completed"], ["FAILED", "Failed"]];
    const row = (n, [type, name]) => [n, `load ${n}`, type, name, 1, run.now, null, ""];
    const told = Array.from({ length: tasks }, (_, n) => row(n, kinds[0]));
    const snapshot = JSON.stringify({ seq: 1, run, tasks: told, total: tasks, counts: {} });
    const model = {
        get: (name) => ({ run, snapshot, url: "", looks: {} })[name],
        on: (event, call) => (listeners[event] = call), off() {}, send() {},
    };
    document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
    const space = () => Object.assign(document.createElement("div"), { style: "height:3000px" });
    const el = document.createElement("div");
    document.body.append(space(), el, space());
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const began = performance.now();
    const { render } = (await import(url)).default();
    render({ model, el });
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    await frame();
    const painted = performance.now() - began;
    let seq = 1;
    const timer = setInterval(() => {
        seq += 1;
        const at = (n) => row((seq * 100 + n) % tasks, kinds[seq % 3]);
        const some = Array.from({ length: 100 }, (_, n) => at(n));
        listeners["msg:custom"]({ kind: "delta", seq, tasks: some });
    }, 33);
    const waits = [];
    let last = await frame();
    for (let n = 0; n < 240; n++) {
        scrollTo(0, 2000 + 8 * n);
        const now = await frame();
        waits.push(now - last);
        last = now;
    }
    clearInterval(timer);
    return [painted, waits];
}"""


def fill(folder: Path, tasks: int) -> float:
    """The folder's database has a run with so many tasks; the seconds it took."""
    script = folder / "big.py"
    script.write_text(FLOW)
    started = time.perf_counter()
    told = environment(ORION_NB_HOME=str(folder))
    subprocess.run([sys.executable, str(script), str(tasks)], env=told, check=True)
    return time.perf_counter() - started


async def first_byte(port: int, path: str) -> float:
    """How long the first byte of an answer takes, in ms."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token {TOKEN}\r\n\r\n"
    started = time.perf_counter()
    writer.write(head.encode())
    first = await reader.read(1)
    took = time.perf_counter() - started
    answer = first + await reader.readuntil(b"\r\n\r\n")
    writer.close()
    if b" 200 " not in answer.splitlines()[0]:
        sys.exit(f"{path}: {answer.splitlines()[0]!r}")
    return took * 1000


def newest(folder: Path) -> tuple[str, str]:
    """The id of the run, and that of its last task."""
    with sqlite3.connect(folder / "orion.db") as connection:
        sql = "SELECT lower(hex(max(id))) FROM runs WHERE kind = ?"
        run, task = (connection.execute(sql, (kind,)).fetchone()[0] for kind in ("flow", "task"))
    connection.close()
    return str(run), str(task)


Waits = dict[str, list[float]]


async def ask(port: int, rounds: int, run: str, task: str) -> tuple[Waits, dict[str, float]]:
    """The waits of each request in ms, one at a time, and what it costs the server's processor."""
    async with connected(port, 1) as (client,):
        asked: dict[str, tuple[str, str, Any]] = {
            "run": ("GET", f"/runs/{run}", None),
            "run, why": ("GET", f"/runs/{run}/why", None),
            "run, counts": ("POST", "/runs/count-by", {"root": run}),
            "run, 200 tasks": ("POST", "/runs/filter", {"root": run, "limit": 200}),
            "run, failed tasks": ("POST", "/runs/filter", {"root": run, "states": ["FAILED"]}),
            "run, graph": ("GET", f"/runs/{run}/graph", None),
            "run, lineage": ("GET", f"/runs/{run}/lineage", None),
            "task, lineage": ("GET", f"/runs/{task}/lineage", None),
            "run, logs": ("GET", f"/runs/{run}/logs?tree=true", None),
            "events": ("GET", f"/events?after=0&wait=0&root={run}", None),
        }
        found: Waits = {name: [] for name in ("page, first byte", *asked)}
        cpu = dict.fromkeys(asked, 0.0)
        for turn in range(rounds + 1):
            wait = await first_byte(port, f"/orion/?token={TOKEN}")
            waits = {"page, first byte": wait}
            for name, (method, path, told) in asked.items():
                before = (await client.get("/bare"))["cpu"]
                await client.send(method, API + path, told)
                waits[name] = client.waits.pop() * 1000
                if turn:
                    cpu[name] += ((await client.get("/bare"))["cpu"] - before) * 1000 / rounds
            for name, wait in waits.items():
                if turn:  # the first one warms up
                    found[name].append(wait)
        return found, cpu


def scroll(chromium: str, tasks: int) -> tuple[float, list[float]]:
    """The ms until the card is painted, and those between its frames while it is scrolled."""
    from playwright.sync_api import sync_playwright

    state = {"type": "RUNNING", "name": "Running"}
    run = {"id": "0" * 32, "short": "0" * 8, "name": "big", "state": state, "started": 0,
           "ended": None, "now": 60_000}  # fmt: skip
    script, style = ((CARD / f"orion-card.{kind}").read_text("utf-8") for kind in ("js", "css"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        page.goto("about:blank")
        painted, waits = page.evaluate(SCROLL, [script, style, run, tasks])
        browser.close()
    return float(painted), [float(wait) for wait in waits]


def main() -> None:
    """Runs the flow, measures, and says what missed its bar."""
    parser = options(__doc__, rounds=20)
    parser.add_argument("--tasks", type=int, default=10_000, help="default 10000")
    parser.add_argument("--chromium", help="also draw the card in this browser")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took = fill(folder, told.tasks)
        with server(folder, "full") as port:
            waits, cpu = asyncio.run(ask(port, told.rounds, *newest(folder)))
        size = sum(each.stat().st_size for each in folder.glob("orion.db*"))
    figures = [
        Figure(what, percentile(each, 0.95), "ms", None, _note(each, cpu.get(what)))
        for what, each in waits.items()
    ]
    figures.append(Figure("to run it", took, "s"))
    figures.append(Figure("database", size / 2**20, "MiB", None, f"{size / told.tasks:.0f} B/task"))
    if told.chromium:
        painted, frames = scroll(told.chromium, told.tasks)
        figures.append(Figure("card, first paint", painted, "ms"))
        rate = 1000 / median(frames)
        slow = f"slowest of 100 frames {percentile(frames, 0.99):.1f} ms"
        under = "  under the bar" if rate < FRAMES * 0.99 else ""
        figures.append(Figure("card, scrolled", rate, "frames/s", None, slow + under))
    show(f"One run with {told.tasks:,} tasks: p95", figures, told.json)


def _note(waits: list[float], cpu: float | None) -> str:
    over = "  over the bar" if percentile(waits, 0.95) > BAR else ""
    return f"median {median(waits):.1f}{'' if cpu is None else f', cpu {cpu:.1f} ms'}{over}"


if __name__ == "__main__":
    main()
