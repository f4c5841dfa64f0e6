"""Deployments that can't be read any more: what can still be told of them, and how they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orion_nb.api.versions import Versions
from orion_nb.errors import Conflict, OrionError
from orion_nb.store.listing import RunFilter

if TYPE_CHECKING:
    from orion_nb.store.deployments import Unreadable

SHOWN_RUNS = 10


class Unreadables(Versions):
    """Deployments whose time zone is gone, say, or that a newer version has written."""

    def unreadable(self, ref: str) -> Unreadable:
        """The deployment of this name or id, which can't be read.

        Raises:
            Conflict: it can be, by now.
        """
        from orion_nb.store import deployments

        with self.database.read() as connection:
            found = deployments.read_unreadable(connection, ref)
        if found is None:
            raise Conflict(f"deployment {ref!r} was changed meanwhile")
        return found

    def leftovers(self, known: Unreadable) -> dict[str, Any]:
        """The deployment as the API shows others, as far as it can be read, with its `problem`.

        What can't be read has its default. It has no next times, for nothing of it is run.
        """
        from orion_nb.schemas.deployments import DeploymentSpec

        readable = {name: value for name, value in known.spec.items() if _is_readable(name, value)}
        found = DeploymentSpec(**{"path": "", **readable})
        last = self.list_runs(RunFilter(kind="flow", deployment=known.id), SHOWN_RUNS)
        return {
            "id": known.id,
            "name": known.name,
            **found.spec(),
            "paused": known.paused,
            "pause": None,
            "next_due": None,
            "revision": known.revision,
            "created": known.created,
            "updated": known.updated,
            "words": [schedule.describe() for schedule in found.schedules],
            "next_times": [],
            "timezone": "UTC",
            "local_times": [],
            "last_runs": [run.as_json() for run in last],
            "problem": known.problem,
        }

    def leftovers_with_source(self, ref: str) -> dict[str, Any]:
        """The same with what it ran; whether the file is still so is not looked at."""
        told = self.leftovers(self.unreadable(ref))
        source = {"track": told["track"], "pinned": told["pinned"], "on_disk": None, "drift": None}
        return {**told, "source": source}

    def what_stays(self, ref: str) -> dict[str, Any]:
        """What is kept of one that can't be read when it is deployed anew."""
        known = self.unreadable(ref)
        return {
            "id": known.id,
            "name": known.name,
            "created": known.created,
            "revision": known.revision + 1,
        }


def _is_readable(name: str, value: Any) -> bool:
    from orion_nb.schemas.deployments import DeploymentSpec

    try:
        DeploymentSpec(**{"path": "", name: value})
    except (OrionError, ValueError):
        return False
    return True
