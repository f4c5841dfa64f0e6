"""Warm runners: a worker keeps some that have not been handed a run yet, each used once."""

from __future__ import annotations

import logging
import site
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from orion_nb.deployments.launch import StandbyRunner
from orion_nb.deployments.standby import find_command
from orion_nb.settings import Settings

#: Seconds after which one that was not used is replaced.
MAX_AGE = 1800.0
#: Seconds from a start until another warm runner is made: first the run has the processor.
REST = 1.0
#: Seconds between two looks whether a package was installed since.
LOOK = 5.0
#: Seconds until one that ended by itself is replaced.
TROUBLE = 60.0

Stamp = tuple[tuple[str, int], ...]


class WarmRunners:
    """At most `size` runners that wait for a run, with a kernel of one name. For one thread."""

    def __init__(self, settings: Settings, size: int, log: logging.Logger) -> None:
        self.size = size
        self.log = log
        self._settings = settings
        self._waiting: list[tuple[StandbyRunner, float, Stamp]] = []
        self._next = 0.0

    def take(self, kernel: str) -> StandbyRunner | None:
        """One that is as good as new, rather with this kernel; None if there is none."""
        self._drop_stale()
        if not self._waiting:
            return None
        chosen = next((each for each in self._waiting if each[0].kernel == kernel), None)
        taken = chosen or self._waiting[0]
        self._waiting.remove(taken)
        self._next = time.monotonic() + REST
        return taken[0]

    def tend(self, wanted: Callable[[], str | None]) -> None:
        """Those that are missing are started, one at a time.

        `wanted` answers the kernel of the runs to come; None: there are none, and none is kept.
        """
        if not self.size or time.monotonic() < self._next:
            return
        kernel = wanted()
        self._next = time.monotonic() + LOOK
        self._drop_stale()
        if kernel is None:
            self.close()
        elif len(self._waiting) < self.size:
            self._next = time.monotonic() + REST
            try:
                made = StandbyRunner(self._settings, kernel)
            except OSError as error:
                self.log.warning("no warm runner can be started: %s", error)
                self._next = time.monotonic() + TROUBLE
            else:
                self._waiting.append((made, time.monotonic() + MAX_AGE, _stamp(kernel)))

    def close(self) -> None:
        """None is left."""
        for runner, *_ in self._waiting:
            runner.drop()
        self._waiting.clear()

    @property
    def pids(self) -> list[int]:
        """The processes that wait."""
        return [runner.process.pid for runner, *_ in self._waiting]

    def _drop_stale(self) -> None:
        for each in list(self._waiting):
            runner, until, stamp = each
            ended = runner.process.poll() is not None
            if ended:
                self.log.warning("a warm runner ended: %s", runner.words())
                self._next = time.monotonic() + TROUBLE
            if ended or time.monotonic() > until or stamp != _stamp(runner.kernel):
                self._waiting.remove(each)
                runner.drop()


def _stamp(kernel: str) -> Stamp:
    """Changes when a package is installed or removed, or the kernel is another one."""
    folders = [*site.getsitepackages(), site.getusersitepackages()]
    command, spec = find_command(kernel)
    if command:
        folders += map(str, Path(command[0]).parent.parent.glob("lib/python*/site-packages"))
    if spec is not None:
        folders.append(str(spec))
    found = []
    for name in dict.fromkeys(folders):
        with suppress(OSError):
            found.append((name, Path(name).stat().st_mtime_ns))
    return tuple(found)
