"""How tests wait: until something is true, and never until some time has passed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0  # seconds; a busy machine may hold up a process for many


def until(question: Callable[[], Any], what: object = "", patience: float = PATIENCE) -> Any:
    """The first answer that is true; the test fails if there is none in time."""
    deadline = time.monotonic() + patience
    while not (answer := question()):
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain: {what or question}"
        time.sleep(0.01)
    return answer
