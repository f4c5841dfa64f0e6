"""Which Orion this process talks to: the one in it, on the configured database, or a server's."""

from __future__ import annotations

import os
import threading
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.settings import Settings

#: The most characters of a session's label.
LONGEST = 255

_connected: dict[Settings, Orion] = {}
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have been connecting


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def connect(label: str | None = None, **changes: Any) -> Orion:
    """The API of this process, opened when first asked for; no server is needed.

    A server on the same database sees everything it does, and the other way round. Where
    `ORION_NB_API_URL` names a server, it is that one's. `changes` are settings (`home=`,
    `database_url=`, `synchronous=`, `api_url=`, `api_token=`) laid over those of the environment.

    Raises:
        InvalidInput: a setting can't be accepted.
        StoreUnavailable: the database can't be opened.
    """
    settings = Settings.load(**changes)
    with _lock:
        known = _connected.get(settings)
        if known is None or known.is_closed:
            known = _connected[settings] = _open(settings, label)
        return known


def _open(settings: Settings, label: str | None) -> Orion:
    label = label or _notebook()
    if settings.api_url is None:
        return Orion(settings, label)
    from orion_nb.api.remote import RemoteOrion

    return RemoteOrion(settings, label)


def _notebook() -> str | None:
    """The label of a kernel that a Jupyter server has told which notebook it is for."""
    from orion_nb.store.sessions import NOTEBOOK

    label = NOTEBOOK + os.environ.get("JPY_SESSION_NAME", "")
    fits = label.endswith(".ipynb") and label.isprintable() and len(label) <= LONGEST
    return label if fits else None
