"""The names there are, for completion: kernels, zones, limits, deployments, runs, secrets."""

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


def _runs() -> list[str]:
    """The names of the newest flow runs; each stands for the newest run of that name."""
    found = connect().filter_runs(kind="flow")["runs"]
    return list({run["run_name"] or run["name"] for run in found})


def _secrets() -> list[str]:
    return [each["name"] for each in connect().list_secrets()["secrets"]]


def _notifications() -> list[str]:
    return [each["name"] for each in connect().list_notifications()["notifications"]]


_KNOWN: dict[str, Callable[[], list[str]]] = {
    "kernels": kernels.names,
    "zones": _zones,
    "limits": _limits,
    "deployments": _deployments,
    "runs": _runs,
    "secrets": _secrets,
    "notifications": _notifications,
}
