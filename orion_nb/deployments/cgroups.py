"""What the control groups of Linux say of a process: the memory it may take, and who was killed.

The files are those of the kernel's documentation, `cgroup-v1/memory` and `cgroup-v2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
MOUNT = Path("/sys/fs/cgroup")
#: A limit of version 1 that is none: as many pages as a number can count.
ENDLESS = 1 << 60


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """The group that a process's memory is counted in; none if `folders` is empty.

    `folders` are its own and those it lies in: a limit of each of them holds.
    """

    folders: tuple[Path, ...] = ()
    version: int = 2

    @classmethod
    def of(cls, pid: int, proc: Path = PROC, mount: Path = MOUNT) -> MemoryGroup:
        """The group that the process is in now."""
        with suppress(OSError, ValueError):
            for line in (proc / str(pid) / "cgroup").read_text().splitlines():
                _, controllers, path = line.split(":", 2)
                if "memory" in controllers.split(","):
                    return cls(tuple(_folders(mount / "memory", path)), 1)
                if not controllers and (mount / "cgroup.controllers").exists():
                    return cls(tuple(_folders(mount, path)), 2)
        return cls()

    @property
    def limit(self) -> int | None:
        """The bytes that may be taken; None: no group sets a limit."""
        name = "memory.max" if self.version == 2 else "memory.limit_in_bytes"
        found = []
        for folder in self.folders:
            with suppress(OSError, ValueError):  # without one, version 2 says `max`
                found.append(int((folder / name).read_text()))
        return min((each for each in found if each < ENDLESS), default=None)

    def kills(self) -> int:
        """How many processes of the group were killed because there was no memory left."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        for folder in self.folders[:1]:
            with suppress(OSError, ValueError):
                for line in (folder / name).read_text().splitlines():
                    word, count = line.split()
                    if word == "oom_kill":
                        return int(count)
        return 0


def _folders(root: Path, path: str) -> Iterator[Path]:
    """The folder of a group and those above it, as far as they can be seen from here.

    A container may be told a path of its host's, where it sees but its own group, at the root.
    """
    own = root / path.lstrip("/")
    if ".." in own.parts or not own.is_dir():
        own = root
    yield own
    while own != root:
        own = own.parent
        yield own
