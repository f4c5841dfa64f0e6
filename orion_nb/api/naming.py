"""The names there are, for completion: kernels, time zones, limits, deployments, secrets."""

from __future__ import annotations

from collections.abc import Callable

from orion_nb.api import kernels
from orion_nb.api.connect import connect
from orion_nb.errors import OrionError


def names(of: str) -> list[str]:
    """The names there are of `kernels`, say; none if they can't be asked for."""
    try:
        return sorted(_KNOWN[of]())
    except (OrionError, OSError):
        return []


def _zones() -> list[str]:
    from zoneinfo import available_timezones

    return list(available_timezones())


def _limits() -> list[str]:
    return [each["name"] for each in connect().list_limits()["limits"]]


def _deployments() -> list[str]:
    return [each["name"] for each in connect().all_deployments()["deployments"]]


def _secrets() -> list[str]:
    return [each["name"] for each in connect().list_secrets()["secrets"]]


def _notifications() -> list[str]:
    return [each["name"] for each in connect().list_notifications()["notifications"]]


_KNOWN: dict[str, Callable[[], list[str]]] = {
    "kernels": kernels.names,
    "zones": _zones,
    "limits": _limits,
    "deployments": _deployments,
    "secrets": _secrets,
    "notifications": _notifications,
}
