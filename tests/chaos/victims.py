"""What is to be killed stands still first and is looked at: so what must then be true is known.

A process that stands still neither executes a cell nor proposes a state. What a runner was handed
can be seen from outside, by the file that it writes its log to; what its run is, in the database;
and how far its kernel came, in a file that the notebook writes to.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.files import LOG
from orion_nb.schemas.states import PENDING, RUNNING

#: It waits, or has not begun its run: nobody may notice, and no run may suffer.
SPARE = "spare"
#: Its run is RUNNING, and the kernel may have been told to become the kernel of it or not.
BEGINNING = "beginning"
#: Its run is RUNNING: this attempt is over, and says why.
MID = "mid-run"
#: The same for a runner; a kernel has done all it was to do, and may have been heard to say so.
ENDING = "ending"
#: Its run has been given its end: that stays as it is.
ENDED = "ended"
STAGES = (SPARE, BEGINNING, MID, ENDING, ENDED)

#: What says in a state's message that a kill was seen for what it was.
TRUE = ("signal 9", "process is gone")


@dataclass
class Kill:
    """Which process was killed, at which stage, and when (microseconds, UTC)."""

    victim: str
    stage: str
    run: str = ""
    attempt: int = 0
    at: int = 0

    @property
    def can_end(self) -> bool:
        """The attempt may come to its end by it."""
        return self.stage not in (SPARE, ENDED)

    @property
    def must_end(self) -> bool:
        """The attempt can't come to any other end."""
        return self.stage == MID or (self.victim == "runner" and self.stage in (BEGINNING, ENDING))


def strike(orion: Orion, victim: str, pid: int, ends: Path) -> Kill | None:
    """A kernel or a runner is killed; None if it ended before it could be looked at.

    `ends` is the file in which kernels note that they are done.
    """
    runner = pid if victim == "runner" else parent(pid)
    with ExitStack() as still:
        for each in dict.fromkeys((runner, pid)):
            if not still.enter_context(standing_still(each)):
                return None
        found = _look(orion, victim, runner, pid, ends)
        found.at = clock.now()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return found


def _look(orion: Orion, victim: str, runner: int, pid: int, ends: Path) -> Kill:
    log = Path(os.readlink(f"/proc/{runner}/fd/1"))
    if not log.is_relative_to(orion.settings.notebooks):
        return Kill(victim, SPARE)
    run = orion.find(log.parent.name)
    if run.state.type is PENDING:
        return Kill(victim, SPARE, run.id)
    if run.state.type is not RUNNING or log.name != LOG:
        return Kill(victim, ENDED, run.id, run.attempt)
    stage = MID
    if f"{run.id}.{run.attempt}" in ends.read_text().split():
        stage = ENDING
    elif victim == "kernel" and not mark_of(pid):
        stage = BEGINNING
    return Kill(victim, stage, run.id, run.attempt)


@contextmanager
def standing_still(pid: int) -> Iterator[bool]:
    """Within the block the process is stopped; false if it has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    while (now := status(pid)) not in "TtZ":
        time.sleep(0.001)
    try:
        yield now != "" and now != "Z"
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def ends_of_attempts(orion: Orion, run_id: str) -> dict[int, dict[str, Any]]:
    """The state with which each attempt of a run ended that did not complete.

    One whose runner is killed twice before it begins is Crashed, and has no number of its own.
    """
    told = orion.read_states(run_id)["states"]
    ended = [each for before, each in _ends(told) if before["type"] != "PENDING"]
    assert len({each["attempt"] for each in ended}) == len(ended), told
    return {each["attempt"]: each for each in ended}


def never_began(orion: Orion, run_id: str) -> bool:
    """The last attempt of a run was ended before it began."""
    ends = list(_ends(orion.read_states(run_id)["states"]))
    return bool(ends) and ends[-1][0]["type"] == "PENDING"


def _ends(told: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for before, each in itertools.pairwise(told):
        if each["name"] in ("AwaitingRetry", "Crashed", "Failed"):
            yield before, each


def explain(orion: Orion, kills: Sequence[Kill], runs: Sequence[Any]) -> dict[str, list[float]]:
    """Each crash has a kill and each kill the crash it must have; how many seconds they took."""
    ended = {run.id: ends_of_attempts(orion, run.id) for run in runs}
    waits: dict[str, list[float]] = {"kernel": [], "runner": []}
    # Of two kills of one attempt it is the second that ended it, if the first one need not have.
    for kill in sorted(kills, key=lambda kill: not kill.must_end):
        state = ended.get(kill.run, {}).pop(kill.attempt, None) if kill.can_end else None
        assert state is not None or not kill.must_end, f"{kill} has left no trace"
        if state is not None:
            assert any(word in (state["message"] or "") for word in TRUE), f"{kill}: {state}"
            waits[kill.victim].append((state["timestamp"] - kill.at) / clock.SECOND)
    left = {run: states for run, states in ended.items() if states}
    assert left == {}, "runs have crashed though nobody killed what executed them"
    return waits


def table(kills: Sequence[Kill], waits: dict[str, list[float]]) -> str:
    """How many of what were killed at which stage, and how soon that was known."""
    counts = Counter((kill.victim, kill.stage) for kill in kills)
    lines = [f"{'killed':8}" + "".join(f"{stage:>11}" for stage in STAGES) + "   seconds to crash"]
    for victim in sorted({kill.victim for kill in kills}):
        cells = "".join(f"{counts[victim, stage]:11}" for stage in STAGES)
        took = sorted(waits.get(victim, []))
        told = f"{took[len(took) // 2]:.2f} (worst {took[-1]:.2f}, {len(took)})" if took else "-"
        lines.append(f"{victim:8}{cells}   {told}")
    return "\n".join(lines)


MARK = b"ORION_NB_ATTEMPT="


def mark_of(pid: int) -> str:
    """The attempt that a kernel's process belongs to: `RUN.ATTEMPT`; empty if it waits for one."""
    told = next((each for each in environ_of(pid) if each.startswith(MARK)), MARK)
    return ".".join(told[len(MARK) :].decode().split(".")[:2]).strip("-")


def parent(pid: int) -> int:
    """The parent of a process; 0 if there is none any more."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def children(pid: int) -> list[int]:
    """The children of all threads of a process."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def status(pid: int) -> str:
    """The letter that Linux has for what a process does; empty if it is gone."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def _stat(pid: int) -> list[str]:
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()
    return []


def environ_of(pid: int) -> list[bytes]:
    """The environment of a process; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


def command_of(pid: int) -> str:
    """The command line of a process; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
