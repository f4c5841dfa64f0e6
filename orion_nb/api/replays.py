"""What files take, what schedules mean, and what a run has done, done once more."""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.api.deployments import SHOWN_TIMES, DeploymentRoutes
from orion_nb.api.routes import route
from orion_nb.api.sources import inspect, target_of
from orion_nb.errors import Conflict, InvalidInput
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.values import evolve


class ReplayRoutes(DeploymentRoutes):
    """Looked at before it is done, and done again."""

    @route("POST", "/runs/{run_id}/replay", action="execute", status=201)
    def replay_run(
        self,
        run_id: str,
        parameters: dict[str, Any] | None = None,
        why: str | None = None,
        by: str | None = None,
    ) -> Run:
        """The same again, as a new run: its deployment, with its parameters, is scheduled for now.

        `parameters` are laid over those of the run. `rerun` instead goes on with the same run, and
        keeps what it has completed.
        """
        run = self.find(run_id)
        if run.deployment is None:
            says = "it is no run of a deployment: run its code again where it is"
            raise Conflict(f"run {short(run.id)}: {says}")
        known = self.find_deployment(run.deployment)
        given = {**(run.parameters or {}), **(parameters or {})}
        given = self.inspected(known).taken(given, self.settings.home)
        told = f"a replay of {short(run.id)}" + (f": {why}" if why else "")
        made = self.deployed_run(known, clock.now(), given)
        return self.begin(evolve(made, state=evolve(made.state, message=told, by=by)))[0]

    @route("POST", "/notebooks/inspect", action="read")
    def inspect_notebook(self, path: str, allow_untagged: bool = False) -> dict[str, Any]:
        """What a notebook, or a flow `file.py:flow`, takes; nothing of it is run.

        Its `parameters` and their JSON `schema`, its kernel and language, its cells that are
        `tasks`, the `sha256` of its file, and the `options` that a flow's decorator names.
        """
        return inspect(*target_of(path), allow_untagged=allow_untagged).as_json()

    @route("POST", "/schedules/preview", action="read")
    def preview_schedules(
        self,
        schedules: list[Any],
        n: int = SHOWN_TIMES,
        timezone: str | None = None,
        starts: str | None = None,
        ends: str | None = None,
    ) -> dict[str, Any]:
        """The next `n` (1 to 100) times of schedules, and what they say in words.

        Schedules are objects or texts, as for a deployment; texts are read in `timezone`, or UTC.
        `starts` and `ends`, such as 2030-01-31, hold for schedules that say nothing of it
        themselves, each in its own zone. `local_times` are the same times in ISO 8601, in the zone
        of the schedules, or in `timezone`.
        """
        from orion_nb.schemas import instants
        from orion_nb.schemas.schedules import dump_schedule, parse_schedules, within, zone_of

        if not 1 <= n <= 100:
            raise InvalidInput(f"n: {n} is not between 1 and 100", field="n")
        told = parse_schedules(schedules, timezone=timezone)
        read = [within(each, starts, ends, timezone) for each in told]
        now = clock.utc(clock.now())
        times = sorted({clock.micros(at) for one in read for at in one.upcoming(now, n=n)})[:n]
        zone = named if (named := zone_of(read)) != "UTC" else timezone or "UTC"
        return {
            "schedules": [{**dump_schedule(one), "words": one.describe()} for one in read],
            "next_times": times,
            "timezone": zone,
            "local_times": instants.local(times, zone),
        }
