"""Transitions per second through the remote API, as user code proposes them and in batches.

A real Jupyter server runs on the loopback interface; a process that has `ORION_NB_API_URL` set
begins and ends task runs: one after another, on 8 and on 32 threads whose proposals gather while a
request is under way, and as one batch (what an outbox delivers). Then the server is killed, and the
same is proposed while it is away: judged in the process, and kept on the disk.

    python benchmarks/remote.py
"""

from __future__ import annotations

import io
import tempfile
import threading
import time
from contextlib import redirect_stderr
from pathlib import Path

from _measure import Figure, in_turn, median, options, show
from http_transitions import TOKEN, server

from orion_nb.api.remote import RemoteOrion
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import Completed, Running
from orion_nb.schemas.values import evolve
from orion_nb.settings import Settings

BATCH = 200


def live(api: RemoteOrion, flow: Run, count: int) -> None:
    """So many task runs within the flow, from begin to end."""
    for _ in range(count):
        made = evolve(api.new_run("task", "noop"), parent=flow.id, root=flow.id)
        run, _ = api.begin(made, Running())
        api.advance(run, Completed())


def alone(api: RemoteOrion, flow: Run, transitions: int) -> float:
    started = time.perf_counter()
    live(api, flow, transitions // 2)
    return transitions / (time.perf_counter() - started)


def threaded(api: RemoteOrion, flow: Run, transitions: int, count: int) -> float:
    each = max(1, transitions // 2 // count)
    threads = [threading.Thread(target=live, args=(api, flow, each)) for _ in range(count)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 2 * each * count / (time.perf_counter() - started)


def batched(api: RemoteOrion, flow: Run, transitions: int) -> float:
    proposals = []
    for _ in range(transitions // 2):
        run = new_id()
        told = {"id": run, "kind": "task", "name": "noop", "parent": flow.id}
        ours = {"secret": run[-16:], "transition_id": f"{run}-1"}
        proposals.append({"op": "begin", "run": told, "state": {"type": "RUNNING"}, **ours})
        owner = {"attempt": 1, "token": run[-16:], "transition_id": f"{run}-2"}
        proposals.append({"op": "advance", "run": run, "state": {"type": "COMPLETED"}, **owner})
    started = time.perf_counter()
    for at in range(0, len(proposals), BATCH):
        answers = api.batch(proposals[at : at + BATCH])["answers"]
        assert not any("error" in answer for answer in answers)
    return transitions / (time.perf_counter() - started)


def main() -> None:
    """Measures in turn, prints medians; the ratio is to one thread."""
    parser = options(__doc__, rounds=5)
    parser.add_argument("--transitions", type=int, default=1000, help="per measurement")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / "client"
        with server(folder, "full") as port:
            url = f"http://127.0.0.1:{port}"
            api = RemoteOrion(Settings.load({}, api_url=url, api_token=TOKEN, home=home))
            flow, _ = api.begin(api.new_run("flow", "all"), Running())
            live(api, flow, 20)
            count = told.transitions
            found = in_turn(
                told.rounds,
                {
                    "one thread": lambda: alone(api, flow, count // 4),
                    "8 threads": lambda: threaded(api, flow, count, 8),
                    "32 threads": lambda: threaded(api, flow, count, 32),
                    f"batches of {BATCH}": lambda: batched(api, flow, count),
                },
            )
        live(api, flow, 1)
        found |= in_turn(told.rounds, {"server away": lambda: alone(api, flow, count)})
        with redirect_stderr(io.StringIO()):  # it says what it leaves
            api.close()
    least = median(found["one thread"])
    figures = [
        Figure(way, median(rates), "/s", median(rates) / least) for way, rates in found.items()
    ]
    show(f"Transitions from afar: medians of {told.rounds} rounds", figures, told.json)


if __name__ == "__main__":
    main()
