"""Replays over the API: what a run has done, done once more."""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.api.deployments import DeploymentRoutes
from orion_nb.api.routes import route
from orion_nb.errors import Conflict
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.values import evolve


class ReplayRoutes(DeploymentRoutes):
    """The same again."""

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
