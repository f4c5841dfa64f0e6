"""Before runs are shown: those of processes that died are ended, so that none seems to go on."""

from __future__ import annotations

from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.deployments.lookout import look_after


def connect_and_look() -> Orion:
    """The API, after a look whether a process has died."""
    orion = connect()
    look_after(orion)
    return orion
