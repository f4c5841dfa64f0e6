"""Before runs are shown: those of processes that died are ended, so that none seems to go on."""

from __future__ import annotations

from contextlib import suppress

from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.errors import OrionError
from orion_nb.settings import Settings


def connect_and_look() -> Orion:
    """The API, after a look (some 0.1 ms) whether a process has died; a server looks by itself."""
    orion = connect()
    with suppress(OrionError):  # a full disk, say: the runs can be shown all the same
        if Settings.load().api_url is None and orion.missing():
            from orion_nb.deployments.aftermath import reap

            reap(orion)
    return orion
