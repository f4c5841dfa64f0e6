"""How much memory a kernel and what it started take, and whether the system killed it for that."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from orion_nb.deployments.cgroups import MemoryGroup

LOOK = 1.0
#: A kernel that was killed with so much of the limit in use was probably killed for it.
NEARLY = 0.8
MIB = 1024 * 1024
#: Names of errors by which a cell says that it got no memory.
NO_MEMORY = ("MemoryError", "_ArrayMemoryError", "ArrowMemoryError", "OutOfMemoryError")
#: What helps.
REMEDY = "raise the limit, or load less at once"


class Memory:
    """The most memory that a process, and all that it started, were seen to take at once."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0
        self.group = MemoryGroup.of(pid)
        self.limit = memory_limit(self.group)
        self._kills = self.group.kills()

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
        told = self._used(peak)
        if killed and self.group.kills() > self._kills:
            told += f"; out of memory: {REMEDY}"
        elif killed and self.limit and peak > NEARLY * self.limit:
            told += f"; probably out of memory: {REMEDY}"
        return f" ({told})"

    def short(self, ename: str) -> str:
        """What a cell's failure had to do with memory, as the end of a sentence; often nothing."""
        self.look()
        if self.group.kills() > self._kills:
            return f" (a process was killed: out of memory, {self._used(self.peak)}; {REMEDY})"
        return f" ({self._used(self.peak)})" if ename in NO_MEMORY else ""

    def _used(self, peak: int) -> str:
        return f"peak memory {_size(peak)}" + (f" of {_size(self.limit)}" if self.limit else "")


def memory_limit(group: MemoryGroup) -> int:
    """The bytes that processes may take: their group's limit, else the machine's memory."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        machine = 0
    limit = group.limit
    return machine if limit is None else min(limit, machine or limit)


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


def _size(count: int) -> str:
    return f"{count / MIB:,.0f} MiB" if count < 1024 * MIB else f"{count / MIB / 1024:.1f} GiB"
