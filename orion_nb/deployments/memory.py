"""How much memory a kernel and what it started take, and whether the system killed it for that."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

LOOK = 1.0
#: A kernel that was killed with so much of the limit in use was probably killed for it.
NEARLY = 0.8
CGROUP = Path("/sys/fs/cgroup")
MIB = 1024 * 1024


class Memory:
    """The most memory that a process, and all that it started, were seen to take at once."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0
        self.limit = memory_limit()
        self._kills = _kills()

    async def watch(self) -> None:
        """Looks once a second, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """What is in use now counts, and the most that the process itself has ever used."""
        self.peak = max(self.peak, _high_water(self.pid), _tree(self.pid))

    def told(self, killed: bool) -> str:
        """`(peak memory 812 MiB of 4.0 GiB)`; of one that was killed, whether it was for that."""
        peak = max(self.peak, _children_peak()) if killed else self.peak
        if not peak:
            return ""
        told = f"peak memory {_size(peak)}" + (f" of {_size(self.limit)}" if self.limit else "")
        if killed and _kills() > self._kills:
            told += "; the system was out of memory"
        elif killed and self.limit and peak > NEARLY * self.limit:
            told += "; probably out of memory"
        return f" ({told})"


def memory_limit() -> int:
    """The bytes that processes here may take: the container's limit, else the machine's memory."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        machine = 0
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int((CGROUP / name).read_text())
            return min(limit, machine) if machine else limit
    return machine


def _tree(pid: int) -> int:
    import psutil

    try:
        root = psutil.Process(pid)
        every = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for process in every:
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _high_water(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        told = Path(f"/proc/{pid}/status").read_text()
        return int(told.split("VmHWM:")[1].split()[0]) * 1024
    return 0


def _children_peak() -> int:
    """The most that any process started by this one took, as the system has noted it at its end.

    What it took before it became another program counts, too: that is as much as this one has.
    """
    if sys.platform != "linux":
        return 0
    import resource

    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return children * 1024 if children > own else 0


def _kills() -> int:
    """How often processes of this container were killed because it was out of memory."""
    with suppress(OSError, ValueError, IndexError):
        return int((CGROUP / "memory.events").read_text().split("oom_kill ")[1].split()[0])
    return 0


def _size(count: int) -> str:
    return f"{count / MIB:,.0f} MiB" if count < 1024 * MIB else f"{count / MIB / 1024:.1f} GiB"
