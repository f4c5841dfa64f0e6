"""What processes that execute runs elsewhere tell of them besides their states."""

from __future__ import annotations

from typing import Annotated, Any

from orion_nb import clock
from orion_nb.api.caching import CacheRoutes
from orion_nb.api.checks import check_size, check_text
from orion_nb.api.pauses import PauseRoutes
from orion_nb.api.routes import route
from orion_nb.errors import InvalidInput
from orion_nb.schemas.pauses import Pause
from orion_nb.store import kept
from orion_nb.store.database import Connection

Moment = Annotated[int, "moment"]
#: A reference to a value holds small values themselves, and a preview: so many characters.
LONGEST = 256 * 1024


class ElsewhereRoutes(CacheRoutes, PauseRoutes):
    """Inputs, pauses and cache keys of runs that are executed elsewhere."""

    @route("POST", "/runs/{run_id}/inputs", action="write", status=201)
    def put_inputs(
        self, run_id: str, reference: str, attempt: int, problem: str | None = None
    ) -> dict[str, Any]:
        """A reference to the arguments of a run is kept; `problem` says why they were not."""
        run, now = self.find(run_id), clock.now()
        if len(reference) > LONGEST:
            raise InvalidInput(f"reference: at most {LONGEST} characters", field="reference")

        def work(tx: Connection) -> None:
            kept.put_inputs(tx, run.id, reference, attempt, now, problem)

        self.database.write(work)
        return {"run": run.id}

    @route("GET", "/runs/{run_id}/inputs", action="read")
    def read_inputs(self, run_id: str) -> dict[str, Any]:
        """The reference to the arguments of a run; null if they were not kept."""
        run = self.find(run_id)
        with self.database.read() as connection:
            return {"run": run.id, "reference": kept.inputs_of(connection, run.id)}

    @route("POST", "/runs/{run_id}/pauses", action="write", status=201)
    def put_pause(
        self,
        run_id: str,
        key: str,
        *,
        message: str | None = None,
        schema: dict[str, Any] | None = None,
        until: Moment | None = None,
    ) -> dict[str, Any]:
        """A run is about to pause, and this is what it asks for (`schema`: JSON Schema)."""
        run = self.find(run_id)
        check_text("key", key)
        check_size(schema or {})
        asked = Pause(run.id, key, message, schema, until, clock.now())
        self.ask_pause(asked)
        return asked.as_json()

    @route("POST", "/cache", action="write", status=201)
    def put_cache_parts(self, key: str, task: str, parts: dict[str, str]) -> dict[str, Any]:
        """What the cache key of a task's call was made of is remembered."""
        check_text("key", key)
        check_text("task", task)
        check_size(parts)
        self.keep_cache_parts(key, task, parts)
        return {"key": key}
