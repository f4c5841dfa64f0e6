"""Orion in a Jupyter server: the REST API, live events, the dashboard, and scheduled runs."""

from __future__ import annotations

from typing import Any

from orion_nb.api.orion import version

__version__ = version()


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from orion_nb_server.app import OrionApp

    return [{"module": "orion_nb_server", "app": OrionApp}]
