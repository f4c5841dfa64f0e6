"""Loops that go on after an error, and can be asked how they are: each on a thread of its own."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from orion_nb import clock

#: After an error a loop rests so long (seconds), after each further one twice as long.
FIRST_REST = 1.0
LONGEST_REST = 60.0
#: A step that takes longer (seconds) is reported: it may wait for something that never comes.
STUCK_AFTER = 60.0
#: How soon `halt` is noticed by a loop that rests (seconds).
SOON = 0.2

Status = Literal["ok", "failing", "stuck", "stopped"]


@dataclass(frozen=True, slots=True)
class Health:
    """How a loop is: since when (microseconds, UTC), how often it has failed, and how last."""

    name: str
    status: Status
    since: int
    failures: int = 0
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Watched(Protocol):
    """What can be asked how it is, and started anew."""

    name: str

    @property
    def has_died(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self, patience: float = 0.0) -> bool: ...

    def health(self) -> Health: ...

    def where(self) -> str: ...


class Loop:
    """Something that is done again and again. `step` answers after how many seconds again."""

    def __init__(
        self,
        name: str,
        step: Callable[[], float],
        log: logging.Logger,
        *,
        stuck_after: float = STUCK_AFTER,
        first_rest: float = FIRST_REST,
    ) -> None:
        self.name = name
        self.step = step
        self.log = log
        self._stuck_after = stuck_after
        self._first_rest = first_rest
        self._stopping = False
        self._told = threading.Event()
        self._thread: threading.Thread | None = None
        self._ident: int | None = None
        self._began: float | None = None
        self._in_a_row = 0
        self._failures = 0
        self._error: str | None = None
        self._shown: tuple[Status, int] = ("stopped", clock.now())

    def start(self) -> None:
        """From now on it goes on, on a thread of its own; a thread that has died is replaced."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopping = False
        self._thread = threading.Thread(target=self.run, name=f"orion-{self.name}", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """The same on this thread, until `halt` or `stop`."""
        self._ident = threading.get_ident()
        try:
            while not self._stopping:
                self._rest(self._once())
        finally:
            self._began = None

    def halt(self) -> None:
        """No more steps. A signal handler may call it: it waits for nothing and takes no lock."""
        self._stopping = True

    def stop(self, patience: float = 0.0) -> bool:
        """No more steps; true if the one under way has ended within `patience` seconds."""
        self._stopping = True
        self._told.set()
        if self._thread is None or self._thread is threading.current_thread():
            return True
        self._thread.join(patience)
        return not self._thread.is_alive()

    def wake(self) -> None:
        """The next step is done now."""
        self._told.set()

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    @property
    def has_died(self) -> bool:
        """Its thread has ended though nobody said so."""
        thread = self._thread
        return thread is not None and not self._stopping and not thread.is_alive()

    def health(self) -> Health:
        """How it is now."""
        status: Status = "failing" if self._in_a_row else "ok"
        began, error = self._began, self._error
        if self._stopping or self._ident is None:
            status = "stopped"
        elif self.has_died:
            status, error = "failing", "its thread has died"
        elif began is not None and time.monotonic() - began > self._stuck_after:
            status, error = "stuck", f"a step has taken {time.monotonic() - began:.0f} s so far"
        if self._shown[0] != status:
            self._shown = (status, clock.now())
        told = error if status in ("failing", "stuck") else None
        return Health(self.name, status, self._shown[1], self._failures, told)

    def where(self) -> str:
        """The lines at which its thread is, for the log."""
        frame = sys._current_frames().get(self._ident or 0)
        return "".join(traceback.format_stack(frame)[-6:]) if frame else "(it has no thread)"

    def _once(self) -> float:
        """One step; an error is logged when it is a new one, and the loop rests."""
        self._began = time.monotonic()
        try:
            pause = self.step()
        except Exception as error:
            return self._failed(error)
        finally:
            self._began = None
        if self._in_a_row:
            self.log.info("%s goes on after %d errors", self.name, self._in_a_row)
            self._in_a_row = 0
        return pause

    def _failed(self, error: Exception) -> float:
        told = f"{type(error).__name__}: {error}"[:500]
        if not self._stopping:
            is_new = not self._in_a_row or told != self._error
            self.log.error("%s failed: %s; going on", self.name, told, exc_info=is_new)
        self._failures += 1
        self._in_a_row += 1
        self._error = told
        return min(LONGEST_REST, self._first_rest * 2.0 ** min(self._in_a_row - 1, 10))

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            if self._told.wait(min(left, SOON)):
                break
        self._told.clear()
