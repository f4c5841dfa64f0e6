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
from datetime import UTC, datetime
from pathlib import Path

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.schemas.runs import Run
from orion_nb.store.listing import RunFilter
from tests.chaos.victims import children, command_of, environ_of, mark_of

MANY = 10_000
NOTE = (
    "import os, sys, subprocess, time\n"
    "def note(name):\n"
    "    mark = '.'.join(os.environ['ORION_NB_ATTEMPT'].split('.')[:2])\n"
    "    with open(name, 'a') as file:\n"
    "        file.write(mark + '\\n')\n"
    "note('begun.txt')"
)
#: It says that it begins, leaves a process in a session of its own (one more by a fork without
#: exec), takes its time, and says that it is done.
CELLS = (
    NOTE,
    "sleeper = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
    "subprocess.Popen(sleeper, start_new_session=True)\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork():\n"
    "        os._exit(0)\n"
    "    time.sleep(600)",
    *("time.sleep(0.2)",) * 8,
    "note('done.txt')",
)
#: It says that it begins and that it is done.
BRIEF = (NOTE, "note('done.txt')")


class Battle:
    """Keeps processes alive that start runs; kills what it is told to; knows what is left."""

    def __init__(self, home: Path, scratch: Path, chance: random.Random) -> None:
        self.home, self.scratch, self.chance = home, scratch, chance
        self._mine: list[subprocess.Popen[bytes]] = []
        self.folder = home.parent
        scratch.mkdir(parents=True)
        for name in ("begun.txt", "done.txt"):
            (self.folder / name).touch()

    def write_notebook(self, sources: tuple[str, ...] = CELLS, name: str = "battle") -> Path:
        cells = [
            {
                "cell_type": "code",
                "id": f"c{place}",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for place, source in enumerate(sources)
        ]
        told = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        path = self.folder / f"{name}.ipynb"
        path.write_text(json.dumps(told))
        return path

    def start(
        self, kind: str = "worker", *, concurrency: int = 2, before: tuple[str, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """A worker or a server that starts runs; `before` is what its command is put behind."""
        command = [sys.executable, "-m", "orion_nb", "worker", f"--concurrency={concurrency}"]
        if kind == "server":
            command = [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--ServerApp.port=0"),
                *("--ServerApp.ip=127.0.0.1", "--allow-root"),
                *(f"--ServerApp.root_dir={self.folder}", f"--OrionApp.concurrency={concurrency}"),
            ]
        log = self.log.open("ab")
        environ = {**os.environ, "TMPDIR": str(self.scratch), "JUPYTER_TOKEN": "secret"}
        with log:
            made = subprocess.Popen(
                [*before, *command], stdout=log, stderr=log, env=environ, start_new_session=True
            )
        self._mine.append(made)
        return made

    @property
    def log(self) -> Path:
        """What all that start runs have said."""
        return self.folder / "battle.log"

    def noted(self, name: str) -> list[str]:
        """The attempts (`RUN.ATTEMPT`) that have begun, or are done."""
        return (self.folder / f"{name}.txt").read_text().split()

    def choose(self, what: Callable[[], list[int]], patience: float = 60.0) -> int:
        """One of these processes, once there is any."""
        deadline = time.monotonic() + patience
        while not (found := what()):
            assert time.monotonic() < deadline, "in vain waited for something to kill"
            time.sleep(0.05)
        return self.chance.choice(sorted(found))

    def owners(self) -> list[int]:
        return [each.pid for each in self._mine if each.poll() is None]

    def kernels(self) -> list[int]:
        """Kernels of runners whose worker or server lives, those that wait, too."""
        return [pid for runner in self.runners() for pid in children(runner)]

    def busy_kernels(self) -> list[int]:
        """Kernels that execute, or are about to."""
        return [pid for pid in self.kernels() if mark_of(pid)]

    def busy_runners(self) -> list[int]:
        """Runners whose kernels execute, or are about to."""
        return [pid for pid in self.runners() if any(map(mark_of, children(pid)))]

    def runners(self) -> list[int]:
        """Runners whose worker or server lives, those that wait, too."""
        found = (pid for owner in self.owners() for pid in children(owner))
        return [pid for pid in found if "standby_runner.py" in command_of(pid)]

    def processes(self) -> Iterator[int]:
        """Those that work on this data folder."""
        wanted = f"ORION_NB_HOME={self.home}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            if wanted in environ_of(int(entry.name)) and int(entry.name) != os.getpid():
                yield int(entry.name)

    def marked(self, attempt: str) -> list[int]:
        """The processes that belong to this attempt (`RUN.ATTEMPT`)."""
        return [pid for pid in self.processes() if mark_of(pid) == attempt]

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


def make_due(orion: Orion, name: str, path: Path, instants: int, **more: object) -> None:
    """A deployment has so many instants behind it, one second apart, of which none has a run."""
    begin = clock.now() // clock.SECOND - instants
    at = datetime.fromtimestamp(begin, UTC)
    rule = f"DTSTART:{at:%Y%m%dT%H%M%SZ}\nRRULE:FREQ=SECONDLY;COUNT={instants}"
    told = {"schedules": [rule], "catch_up": "all", "catch_up_max": instants, **more}
    with clock.frozen(at):
        orion.create_deployment(name, str(path), **told)  # type: ignore[arg-type]


def runs_of(orion: Orion, name: str) -> list[Run]:
    """The runs of a deployment, oldest first."""
    wanted = RunFilter(kind="flow", deployment=orion.deployment_id(name))
    return orion.list_runs(wanted, MANY)[::-1]


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
