"""What the benchmarks share: options, turns, child processes, and how figures are shown."""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass
class Figure:
    """One line of what a benchmark prints: a value, and its ratio to what it is compared with."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    note: str = ""


def options(doc: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes; its help is the script's docstring."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def in_turn(rounds: int, ways: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each way is measured once a round, so that a busy moment of the machine meets them all."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def show(title: str, figures: Sequence[Figure], as_json: bool) -> None:
    """The figures as a table, or as JSON by name."""
    if as_json:
        rows = {
            each.name: {"value": each.value, "unit": each.unit, "ratio": each.ratio}
            | ({"note": each.note} if each.note else {})
            for each in figures
        }
        print(json.dumps({"title": title, "figures": rows}, indent=2))
        return
    print(title)
    width = max(len(each.name) for each in figures)
    for each in figures:
        ratio = "" if each.ratio is None else f"{each.ratio:8.2f} x"
        line = f"  {each.name:{width}} {each.value:11.3f} {each.unit:10}{ratio:10}  {each.note}"
        print(line.rstrip())


def environment(**changes: str) -> dict[str, str]:
    """The environment for child processes: ours, with modules compiled as on any user's machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORION_NB_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # it would make every import slow
    return kept | changes


class Peer:
    """A script of `peers/` under another interpreter: it measures one round when it is told to.

    Requests and answers are lines of JSON; what the peer logs goes to a file in its folder.
    """

    def __init__(self, python: str, script: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "peer.log").open("w+")
        # A group of its own: whatever servers it starts can be ended with it.
        self._process = subprocess.Popen(
            [python, str(HERE / "peers" / script), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        self.about = self._answer()

    def round(self, **told: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """The peer ends, and with it all that it started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        self._log.seek(0)
        sys.exit(f"{self._process.args!r} ended early:\n{self._log.read()[-2000:]}")


def resident() -> int:
    """The bytes of memory that this process holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the most it ever held
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def wait_until(what: Callable[[], Any], why: str, seconds: float = 60.0) -> Any:
    """The first true answer, looked for until the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.01)
    sys.exit(f"waited {seconds:g} s in vain: {why}")
