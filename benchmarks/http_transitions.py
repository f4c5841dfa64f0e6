"""Transitions per second over HTTP, against a handler of the same server that does nothing.

A real Jupyter server with the extension runs on the loopback interface; 1, 8 and 32 clients with
connections that are kept alive propose Running and Completed for fresh runs, one request after
another each. In the same run they send as many requests to a bare Jupyter JSON handler
(bare_extension.py) that checks the token and the body and writes nothing; and they propose as many
transitions in batches (`POST /batch`). The server is as started by a user: every transition is in
the file, and survives power loss, before it is answered.

Beside each rate is said how long 99 of 100 requests waited, how late 99 of 100 timers of the
server's event loop rang meanwhile, and the server's processor time for each transition, which other
work on the machine does not change.

    python benchmarks/http_transitions.py
    python benchmarks/http_transitions.py --normal   # in the file: survives kill -9 only
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _measure import HERE, Figure, environment, median, options, percentile, show, wait_until

TOKEN = "benchmark"
API = "/orion/api/v1"
RUNNING = {"type": "RUNNING", "name": "Running"}
COMPLETED = {"type": "COMPLETED", "name": "Completed"}


@contextmanager
def server(folder: Path, synchronous: str) -> Iterator[int]:
    """A Jupyter server with the extension and the bare handler; its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    extensions = {"orion_nb_server": True, "bare_extension": True}
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.allow_root=True"),
        *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.jpserver_extensions={extensions}"),
        *(f"--OrionApp.home={folder}", "--OrionApp.scheduler=False"),
        *(f"--OrionApp.synchronous={synchronous}", f"--ServerApp.root_dir={folder}"),
        "--ServerApp.log_level=WARN",
    ]
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {f"JUPYTER_{name}_DIR": str(folder) for name in ("RUNTIME", "CONFIG", "DATA")}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment(PYTHONPATH=path, **own), stdout=log, stderr=log
        )

    def listens() -> bool:
        if process.poll() is not None:
            sys.exit((folder / "server.log").read_text()[-2000:])
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listens, "the server does not answer")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


class Client:
    """One connection that is kept alive; as little work per request as Python lets it be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.waits: list[float] = []

    async def post(self, path: str, told: Any) -> Any:
        return await self.send("POST", path, told)

    async def get(self, path: str) -> Any:
        return await self.send("GET", path)

    async def send(self, method: str, path: str, told: Any = None) -> Any:
        body = b"" if told is None else json.dumps(told).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: token {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        started = time.perf_counter()
        self.writer.write(head.encode() + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        lines = answer.decode().split("\r\n")
        length = next(int(line[15:]) for line in lines if line.lower().startswith("content-length"))
        text = await self.reader.readexactly(length)
        self.waits.append(time.perf_counter() - started)
        if " 200 " not in lines[0] and " 201 " not in lines[0]:
            sys.exit(f"{path}: {lines[0]} {text.decode()}")
        return json.loads(text)


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[Client]]:
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        yield [Client(*pair) for pair in pairs]
    finally:
        for _, writer in pairs:
            writer.close()


async def propose(client: Client, run: str) -> None:
    """A run's two transitions."""
    path = f"{API}/runs/{run}/state"
    entered = await client.post(path, {"type": "RUNNING"})
    owner = {"attempt": entered["attempt"], "token": entered["token"]}
    ended = await client.post(path, {"type": "COMPLETED", **owner})
    assert ended["status"] == "ACCEPT", ended


async def do_nothing(client: Client, _: str) -> None:
    for state in ("RUNNING", "COMPLETED"):
        await client.post("/bare", {"type": state, "attempt": 1, "token": "0123456789abcdef"})


async def batched(client: Client, runs: list[str]) -> None:
    """The two transitions of many runs, in two requests."""
    secret = "0123456789abcdef"
    begins = [{"op": "advance", "run": run, "state": RUNNING, "secret": secret} for run in runs]
    owner = {"attempt": 1, "token": secret}
    ends = [{"op": "advance", "run": run, "state": COMPLETED, **owner} for run in runs]
    for proposals in (begins, ends):
        told = await client.post(f"{API}/batch", {"proposals": proposals})
        assert all(each["report"]["status"] == "ACCEPT" for each in told["answers"]), told


@dataclass
class Measured:
    """Transitions per second; waits of requests, lateness of the loop and processor time in ms."""

    rate: float
    wait: float
    late: float
    cpu: float


async def measure(port: int, count: int, pieces: list[Any], runs: int, work: Any) -> Measured:
    """So many clients do the work with each of the pieces, which have so many runs together."""
    left = iter(pieces)

    async def serve(client: Client) -> None:
        for piece in left:
            await work(client, piece)

    async with connected(port, count + 1) as (watcher, *clients):
        before = (await watcher.get("/bare"))["cpu"]
        started = time.perf_counter()
        await asyncio.gather(*map(serve, clients))
        took = time.perf_counter() - started
        told = await watcher.get("/bare")
    waits = [wait for client in clients for wait in client.waits]
    late = percentile(told["late"], 0.99) if told["late"] else took
    cpu = (told["cpu"] - before) / (2 * runs)
    ms = 1000
    return Measured(2 * runs / took, percentile(waits, 0.99) * ms, late * ms, cpu * ms)


def new_runs(folder: Path, count: int) -> list[str]:
    """The ids of fresh runs, written beside the server into its database."""
    from orion_nb import connect

    orion = connect(home=str(folder))
    return [orion.create_run("task", "noop").id for _ in range(count)]


def figure(way: str, count: int, found: dict[tuple[str, int], list[Measured]]) -> Figure:
    """The medians of its rounds; the ratio is to the bare handler with as many clients."""

    def middle(what: str, way: str = way) -> float:
        return median([getattr(each, what) for each in found[way, count]])

    note = f"99 %: waits {middle('wait'):.0f} ms, loop late {middle('late'):.0f} ms; "
    note += f"cpu {middle('cpu'):.3f} ms each"
    ratio = middle("rate") / middle("rate", "bare handler")
    return Figure(f"{way}, {count} clients", middle("rate"), "/s", ratio, note)


def main() -> None:
    """Measures in turn, prints medians; the ratio is to the bare handler with as many clients."""
    parser = options(__doc__, rounds=3)
    parser.add_argument("--requests", type=int, default=1000, help="per measurement; default 1000")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], help="default 1 8 32")
    parser.add_argument("--batch", type=int, default=100, help="proposals a request; default 100")
    parser.add_argument("--normal", action="store_true", help="survives kill -9, not power loss")
    told = parser.parse_args()
    found: dict[tuple[str, int], list[Measured]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with server(folder, "normal" if told.normal else "full") as port:
            ways = {"bare handler": do_nothing, "set-state": propose}
            for work in ways.values():  # warm up
                asyncio.run(measure(port, 1, new_runs(folder, 20), 20, work))
            for _ in range(told.rounds):
                for count in told.clients:
                    for way, work in ways.items():
                        runs = new_runs(folder, told.requests // 2)
                        one = asyncio.run(measure(port, count, runs, len(runs), work))
                        found.setdefault((way, count), []).append(one)
                    runs = new_runs(folder, max(told.requests // 2, told.batch * count))
                    parts = [runs[at : at + told.batch] for at in range(0, len(runs), told.batch)]
                    many = asyncio.run(measure(port, count, parts, len(runs), batched))
                    found.setdefault((f"batches of {told.batch}", count), []).append(many)
    figures = [figure(way, count, found) for way, count in found]
    show(f"Transitions over HTTP: medians of {told.rounds} rounds", figures, told.json)


if __name__ == "__main__":
    main()
