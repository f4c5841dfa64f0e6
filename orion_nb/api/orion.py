"""`Orion`: the orchestration API, in this process, on the configured database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from orion_nb import clock
from orion_nb.api.artifacts import ArtifactRoutes
from orion_nb.api.batches import BatchRoutes
from orion_nb.api.caching import CacheRoutes
from orion_nb.api.describing import DescribingRoutes
from orion_nb.api.keeping import SecretRoutes
from orion_nb.api.limits import LimitRoutes
from orion_nb.api.lineage import LineageRoutes
from orion_nb.api.liveness import Liveness
from orion_nb.api.logs import LogRoutes
from orion_nb.api.pauses import PauseRoutes
from orion_nb.api.printed import PrintedRoutes
from orion_nb.api.replay_notebooks import ReplayNotebookRoutes
from orion_nb.api.rerunning import RerunRoutes
from orion_nb.api.results import ResultRoutes
from orion_nb.api.retention import Retention
from orion_nb.api.retrying import RetryRoutes
from orion_nb.api.routes import Route, route, routes_of
from orion_nb.api.scheduling import Scheduling
from orion_nb.api.services import Services
from orion_nb.api.telling import Telling
from orion_nb.store import events
from orion_nb.store.events import Event
from orion_nb.store.schema import SCHEMA_VERSION

#: How often a watcher looks whether anything was committed (seconds); one look costs some µs.
LOOK = 0.02


class Orion(
    BatchRoutes,
    Retention,
    ResultRoutes,
    LineageRoutes,
    CacheRoutes,
    PauseRoutes,
    RetryRoutes,
    LimitRoutes,
    SecretRoutes,
    DescribingRoutes,
    LogRoutes,
    ArtifactRoutes,
    RerunRoutes,
    PrintedRoutes,
    ReplayNotebookRoutes,
    Telling,
    Services,
    Scheduling,
    Liveness,
):
    """Everything the API can do. Each route is one of its methods.

    It is safe to use from any number of threads, and by any number of processes on one file.
    """

    @route("GET", "/health", action="read")
    def health(self) -> dict[str, Any]:
        """The database answers; and how the loops of all servers and workers on it are.

        `status` is "ok" if all of them are well, "degraded" if one fails or is stuck: `services`
        says which, and why.
        """
        with self.database.read() as connection:
            newest = events.last(connection)
        found = self.services()
        bad = any(each["status"] in ("failing", "stuck") for each in found)
        return {
            "status": "degraded" if bad else "ok",
            "services": found,
            "time": clock.now(),
            "schema": SCHEMA_VERSION,
            "last_event": newest,
            "version": version(),
        }

    def version_seen(self) -> tuple[int, int] | None:
        """A value that is another one after somebody, here or elsewhere, has committed."""
        return self.database.version()

    def watch(
        self,
        after: int | None = None,
        root: str | None = None,
        until: Callable[[], bool] = lambda: False,
    ) -> Iterator[list[Event]]:
        """The events after number `after` (default: from now on), as they are committed by anybody.

        Yields lists that are never empty, until `until()` is true or the database is closed. It
        blocks its thread.
        """
        n = self.last_event() if after is None else after
        for changed in self.changes(until):
            while changed and not self.is_closed:
                found = self.events_after(n, root)
                if not found:
                    break
                n = found[-1].n
                yield found
            time.sleep(LOOK)

    def changes(self, until: Callable[[], bool]) -> Iterator[bool]:
        """Whether anybody has committed anything since the last time; the first time, True.

        It does not wait: whoever asks decides how often. Ends when `until()` is true.
        """
        seen = None
        while not until() and not self.is_closed:
            now = self.version_seen()
            changed, seen = now != seen, now
            yield changed


ROUTES: list[Route] = routes_of(Orion)


@lru_cache(maxsize=1)
def version() -> str:
    """The version of orion_nb that is installed; "0" in a source tree that is not."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("orion-nb")
    except PackageNotFoundError:
        return "0"
