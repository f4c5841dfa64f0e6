"""How late the event loop is: everything that blocks it holds up every request."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections import deque

from orion_nb import clock
from orion_nb.deployments.loops import Health, Status

#: Seconds between two looks, and how late one may be before the loop is called stuck.
LOOK = 0.25
STUCK_AFTER = 5.0
#: The looks of so many seconds are remembered.
MINUTE = 60.0


class Lag:
    """Measures by how much a timer of the loop is late; watched as the other loops are."""

    name = "event loop"
    has_died = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.main_thread().ident
        self._lags: deque[float] = deque(maxlen=round(MINUTE / LOOK))
        self._wanted: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._shown: tuple[Status, int] = ("stopped", clock.now())

    def start(self) -> None:
        """From now on it is measured; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._again)

    def stop(self, patience: float = 0.0) -> bool:
        """It is measured no more; what the loop has left does no harm."""
        self._wanted = None
        return True

    def worst(self) -> float:
        """The longest that the loop was late within the last minute (seconds)."""
        return max([self._late(), *list(self._lags)])

    def health(self) -> Health:
        """Stuck, if it is late right now."""
        late = self._late()
        status: Status = "stuck" if late > STUCK_AFTER else "ok"
        status = "stopped" if self._wanted is None else status
        if status != self._shown[0]:
            self._shown = (status, clock.now())
        told = f"it has been blocked for {late:.0f} s" if status == "stuck" else None
        return Health(self.name, status, self._shown[1], 0, told)

    def where(self) -> str:
        """The lines at which the loop is."""
        frame = sys._current_frames().get(self._thread or 0)
        return "".join(traceback.format_stack(frame)[-8:]) if frame else "(it has no thread)"

    def _late(self) -> float:
        wanted = self._wanted
        return 0.0 if wanted is None else max(0.0, time.monotonic() - wanted)

    def _again(self) -> None:
        self._wanted = time.monotonic() + LOOK
        self._timer = self._loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        if self._wanted is not None:
            self._lags.append(self._late())
            self._again()
