"""What every test stands on: a data folder of its own, a real Orion on it, a clock that stands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from orion_nb import clock as orion_clock
from orion_nb.api.orion import Orion
from orion_nb.settings import Settings
from tests.waiting import until

ROOT = Path(__file__).parents[1]

# A shared machine may stop a test at any time: how long an example took says nothing.
hypothesis.settings.register_profile("orion", deadline=None)
hypothesis.settings.load_profile("orion")

# With several workers the last to finish should have little left: what starts kernels, servers and
# browsers comes first, and what only computes comes last.
FIRST = "chaos acceptance browser server deployments cli promises notebook engine api store".split()

# Every test has a database of its own. In memory it needn't wait for a disk.
MEMORY = Path("/dev/shm")
ROOM = 2 * 2**30  # bytes; all temporary files of a run are fewer


def pytest_configure() -> None:
    # A shell starts what it has in the background deaf to Ctrl-C; tests press it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    use_memory()


def use_memory() -> None:
    """Temporary files are in memory where there is enough, and programs there may be executed."""
    if "PYTEST_DEBUG_TEMPROOT" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    there = os.statvfs(MEMORY)
    if there.f_bavail * there.f_frsize >= ROOM and not there.f_flag & os.ST_NOEXEC:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest folders come first; within them the order is as it was."""

    def place(item: pytest.Item) -> int:
        holders = (n for n, name in enumerate(FIRST) if ROOT / "tests" / name in item.path.parents)
        return next(holders, len(FIRST))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of this test; no setting of whoever runs the tests reaches it."""
    folder = tmp_path / "home"
    for name in ("DATABASE_URL", "SYNCHRONOUS", "DISABLE", "API_URL", "API_TOKEN", "RULES"):
        monkeypatch.delenv(f"ORION_NB_{name}", raising=False)
    monkeypatch.setenv("ORION_NB_HOME", str(folder))
    yield folder
    if connecting := sys.modules.get("orion_nb.api.connect"):
        while connecting._connected:
            connecting._connected.popitem()[1].close()


@pytest.fixture
def orion(home: Path) -> Iterator[Orion]:
    """A real Orion on a fresh database, closed at the end."""
    opened = Orion(Settings.load(home=home))
    yield opened
    opened.close()


@pytest.fixture
def other(orion: Orion) -> Iterator[Orion]:
    """A second Orion on the same file: what another process would be."""
    opened = Orion(orion.settings)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Iterator[orion_clock.Frozen]:
    """The clock stands still on a Monday morning; `advance` moves it."""
    with orion_clock.frozen(datetime(2026, 3, 2, 9, tzinfo=UTC)) as stopped:
        yield stopped


@pytest.fixture(scope="session", name="until")
def patience() -> Callable[..., Any]:
    """Waits for the first true answer: `until(question, what)`."""
    return until


@pytest.fixture
def script(tmp_path: Path, home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python source as a process of its own, in a session of its own, on the test's data.

    Its stdout is a pipe. Whatever still runs at the end of the test is killed.
    """
    started: list[subprocess.Popen[str]] = []
    paths = [str(ROOT), str(ROOT / "server_extension"), str(ROOT / "widgets")]
    environ = {**os.environ, "ORION_NB_HOME": str(home), "PYTHONPATH": os.pathsep.join(paths)}

    def start(source: str, *args: object) -> subprocess.Popen[str]:
        path = tmp_path / f"script_{len(started)}.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        command = [sys.executable, str(path), *map(str, args)]
        process = subprocess.Popen(
            command, env=environ, cwd=tmp_path, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def finish() -> Callable[[subprocess.Popen[str]], str]:
    """Waits until a script has ended well, and answers what it printed."""

    def wait(process: subprocess.Popen[str]) -> str:
        told, trouble = process.communicate(timeout=120)
        assert process.returncode == 0, trouble
        return told

    return wait
