"""Nobody waits for ever for a run whose process has died: it is ended, here or by a server."""

from __future__ import annotations

from contextlib import suppress

from orion_nb.api.orion import Orion
from orion_nb.errors import OrionError


def look_after(orion: Orion) -> None:
    """Runs whose process has died are ended (a look takes some 0.1 ms); a server does it itself."""
    with suppress(OrionError):  # a full disk, say: whoever looks at runs goes on
        if orion.settings.api_url is None and orion.missing():
            from orion_nb.deployments.aftermath import reap

            reap(orion)
