"""How soon a waiter starts: from the state that releases it to the first line of what waited.

The state's own timestamp is where it counts from: it is taken under the write lock, so the commit
is part of the wait. Cases:

- a task that waits for another one, in the same process (its NotReady is in the file);
- a watcher of events in another process (`Orion.watch`), which learns of a state.

    python benchmarks/wake.py [--times 100]
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from _measure import Figure, environment, median, options, percentile, show

WATCHER = """
import json, sys
from orion_nb import clock, connect
orion = connect()
after = orion.last_event()
print("ready", flush=True)
left = int(sys.argv[1])
for events in orion.watch(after):
    now = clock.now()
    done = [e for e in events if e.type == "COMPLETED" and e.name == "noop"]
    for event in done:
        print(now - event.timestamp, flush=True)
    left -= len(done)
    if left <= 0:
        break
"""


def upstream(times: int) -> list[float]:
    """Milliseconds from the upstream's Completed to the body of the task that waited for it."""
    from orion_nb import clock, flow, task

    release = threading.Event()

    @task
    def first() -> None:
        release.wait()

    @task
    def second(_: None) -> int:
        return clock.now()

    @flow
    def once() -> float:
        release.clear()
        upstream = first.submit()
        waiter = second.submit(upstream)
        release.set()
        began = waiter.result()
        assert upstream.state is not None
        return float(began - upstream.state.timestamp) / 1000

    return [once() for _ in range(times)]


def watcher(times: int) -> list[float]:
    """Milliseconds from a Completed to a watcher of events in another process."""
    from orion_nb import task

    @task
    def noop() -> None:
        pass

    process = subprocess.Popen(
        [sys.executable, "-c", WATCHER, str(times)],
        env=environment(ORION_NB_HOME=os.environ["ORION_NB_HOME"]),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    found = []
    for _ in range(times):
        noop()
        found.append(int(process.stdout.readline()) / 1000)
        time.sleep(random.uniform(0.005, 0.025))  # at any moment between two looks
    process.wait(30)
    return found


#: What is measured, by name: a function of how many times, answering milliseconds.
CASES: dict[str, Callable[[int], list[float]]] = {
    "upstream, in process": upstream,
    "watch, across processes": watcher,
}


def main() -> None:
    """Prints the median, and what 19 of 20 stay below."""
    parser = options(__doc__, rounds=1)
    parser.add_argument("--times", type=int, default=100, help="each case a round; default 100")
    told = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as home:
        os.environ["ORION_NB_HOME"] = home
        from orion_nb import connect

        for _ in range(told.rounds):
            for name, case in CASES.items():
                case(3)
                found[name] += case(told.times)
        connect().close()
    figures = [
        Figure(name, median(waits), "ms", note=f"95 % within {percentile(waits, 0.95):.1f} ms")
        for name, waits in found.items()
    ]
    title = f"From the releasing state to the waiter, {told.rounds} x {told.times}"
    show(title, figures, told.json)


if __name__ == "__main__":
    main()
