"""Deployments under fire: kernels, runners, workers and servers that end by kill -9."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from orion_nb.api.orion import Orion
from orion_nb.schemas.runs import Run
from orion_nb.store.listing import RunFilter

MARK = b"ORION_NB_ATTEMPT="
MANY = 10_000
#: It says that it ran, leaves a process in a session of its own (one more by a fork without exec),
#: and takes its time.
CELLS = (
    "import os, subprocess, sys, time\n"
    "with open('ran.txt', 'a') as file:\n"
    "    file.write(os.environ['ORION_NB_RUN_ID'] + '\\n')",
    "sleeper = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
    "subprocess.Popen(sleeper, start_new_session=True)\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork():\n"
    "        os._exit(0)\n"
    "    time.sleep(600)",
    *("time.sleep(0.2)",) * 8,
)


class Battle:
    """Keeps two processes alive that start runs; kills what it is told to; knows what is left."""

    def __init__(self, home: Path, scratch: Path, chance: random.Random) -> None:
        self.home, self.scratch, self.chance = home, scratch, chance
        self._mine: list[subprocess.Popen[bytes]] = []
        self.folder = home.parent
        scratch.mkdir(parents=True)

    def write_notebook(self) -> Path:
        cells = [
            {
                "cell_type": "code",
                "id": f"c{place}",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for place, source in enumerate(CELLS)
        ]
        told = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        path = self.folder / "battle.ipynb"
        path.write_text(json.dumps(told))
        return path

    def start(self, kind: str = "worker") -> subprocess.Popen[bytes]:
        """A worker or a server that starts runs."""
        command = [sys.executable, "-m", "orion_nb", "worker", "--concurrency", "2"]
        if kind == "server":
            command = [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--ServerApp.port=0"),
                *("--ServerApp.ip=127.0.0.1", "--allow-root"),
                *(f"--ServerApp.root_dir={self.folder}", "--OrionApp.concurrency=2"),
            ]
        log = (self.folder / "battle.log").open("ab")
        environ = {**os.environ, "TMPDIR": str(self.scratch), "JUPYTER_TOKEN": "secret"}
        with log:
            made = subprocess.Popen(
                command, stdout=log, stderr=log, env=environ, start_new_session=True
            )
        self._mine.append(made)
        return made

    def choose(self, what: Callable[[], list[int]], patience: float = 60.0) -> int:
        """One of these processes, once there is any."""
        deadline = time.monotonic() + patience
        while not (found := what()):
            assert time.monotonic() < deadline, "in vain waited for something to kill"
            time.sleep(0.02)
        return self.chance.choice(sorted(found))

    def owners(self) -> list[int]:
        return [each.pid for each in self._mine if each.poll() is None]

    def kernels(self) -> list[int]:
        """Kernels that execute, or are about to; not those that wait."""
        runners = set(self.runners())
        return [pid for pid in self.processes() if _parent(pid) in runners and self.run_of(pid)]

    def runners(self) -> list[int]:
        """All runners, those that wait, too."""
        return [pid for pid in self.processes() if "standby_runner.py" in _command(pid)]

    def run_of(self, pid: int) -> str:
        """The run that has started a kernel's process; empty if it waits for one."""
        told = next((each for each in _environ(pid) if each.startswith(MARK)), MARK)
        return told[len(MARK) :].decode().partition(".")[0].strip("-")

    def run_under(self, runner: int) -> str:
        """The run that a runner executes; empty if it waits, or has no kernel yet."""
        found = (self.run_of(pid) for pid in self.processes() if _parent(pid) == runner)
        return next(found, "")

    def processes(self) -> Iterator[int]:
        """Those that work on this data folder."""
        wanted = f"ORION_NB_HOME={self.home}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            if wanted in _environ(int(entry.name)) and int(entry.name) != os.getpid():
                yield int(entry.name)

    def end(self) -> None:
        """All that start runs are told to end, and have."""
        for each in self._mine:
            if each.poll() is None:
                each.terminate()
        for each in self._mine:
            each.wait(60)

    def forsake(self) -> None:
        """What a failed test has left is gone."""
        for pid in self.processes():
            kill(pid)
        for each in self._mine:
            each.wait(60)


def runs_of(orion: Orion, name: str) -> list[Run]:
    """The runs of a deployment, oldest first."""
    wanted = RunFilter(kind="flow", deployment=orion.deployment_id(name))
    return orion.list_runs(wanted, MANY)[::-1]


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _parent(pid: int) -> int:
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[1])
    return 0


def _environ(pid: int) -> list[bytes]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
