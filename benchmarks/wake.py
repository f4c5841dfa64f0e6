"""How soon a waiter starts: from the state that releases it to the first line of what waited.

The state's own timestamp is where it counts from: it is taken under the write lock, so the commit
is part of the wait. Cases:

- a task that waits for another one, in the same process (its NotReady is in the file);
- a task that waits for the only slot of a limit, in the same process, and in another one;
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

from _measure import Figure, environment, median, options, percentile, show, wait_until

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


WAITER = """
import sys
from orion_nb import clock, task
@task(concurrency={"one": 1})
def waiter():
    print(clock.now(), flush=True)
for _ in sys.stdin:
    waiter()
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


def slot(times: int) -> list[float]:
    """Milliseconds from the Completed of what held a slot to the body that waited for it."""
    from orion_nb import clock, flow, task

    holds_it, release = threading.Event(), threading.Event()

    @task(concurrency={"one": 1})
    def holder() -> None:
        holds_it.set()
        release.wait()

    @task(concurrency={"one": 1})
    def waiter() -> int:
        return clock.now()

    @flow
    def once() -> float:
        holds_it.clear()
        release.clear()
        holds = holder.submit()
        holds_it.wait()
        waits = waiter.submit()
        _until_waiting()
        release.set()
        began = waits.result()
        assert holds.state is not None
        return float(began - holds.state.timestamp) / 1000

    return [once() for _ in range(times)]


def slot_elsewhere(times: int) -> list[float]:
    """The same, with what waits in another process."""
    from orion_nb import flow, task

    holds_it, release = threading.Event(), threading.Event()

    @task(concurrency={"one": 1})
    def holder() -> None:
        holds_it.set()
        release.wait()

    process = subprocess.Popen(
        [sys.executable, "-c", WAITER],
        env=environment(ORION_NB_HOME=os.environ["ORION_NB_HOME"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    @flow
    def once() -> float:
        assert process.stdin is not None
        assert process.stdout is not None
        holds_it.clear()
        release.clear()
        holds = holder.submit()
        holds_it.wait()
        process.stdin.write("go\n")
        process.stdin.flush()
        _until_waiting()
        time.sleep(random.uniform(0.0, 0.1))  # at any moment between two looks
        release.set()
        began = int(process.stdout.readline())
        holds.result()
        assert holds.state is not None
        return (began - holds.state.timestamp) / 1000

    found = [once() for _ in range(times)]
    process.stdin.close()
    process.wait(30)
    return found


def _until_waiting() -> None:
    from orion_nb import connect

    wait_until(lambda: connect().read_limit("one")["waiting"] == 1, "nobody waits for the slot")


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
    "slot, in process": slot,
    "slot, across processes": slot_elsewhere,
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

        connect().set_limit("one", 1)
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
