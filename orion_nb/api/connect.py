"""Which Orion this process talks to: the engine in the process, on the configured database."""

from __future__ import annotations

import threading
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.settings import Settings

_connected: dict[Settings, Orion] = {}
_lock = threading.Lock()


def connect(label: str | None = None, **changes: Any) -> Orion:
    """The API of this process, opened when first asked for; no server is needed.

    A server on the same database sees everything it does, and the other way round. `changes` are
    settings (`home=`, `database_url=`, `synchronous=`) laid over those of the environment.

    Raises:
        InvalidInput: a setting can't be accepted.
        StoreUnavailable: the database can't be opened.
    """
    settings = Settings.load(**changes)
    with _lock:
        known = _connected.get(settings)
        if known is None or known.database.is_closed:
            known = _connected[settings] = Orion(settings, label)
        return known
