"""Reruns: a finished run of a deployment is executed once more."""

from __future__ import annotations

from functools import partial

from orion_nb import clock
from orion_nb.api import overriding
from orion_nb.api.deployments import DeploymentRoutes
from orion_nb.api.routes import route
from orion_nb.errors import Conflict, InvalidInput
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Scheduled
from orion_nb.store import listing, runs


class RerunRoutes(DeploymentRoutes):
    """Run once more."""

    @route("POST", "/runs/{run_id}/rerun", action="execute")
    def rerun(
        self,
        run_id: str,
        why: str | None = None,
        by: str | None = None,
        from_failed: bool = False,
        kernel: str | None = None,
        env: dict[str, str] | None = None,
    ) -> Report:
        """A finished run of a deployment is run once more, in a new attempt of the same run.

        Tasks that completed, and whose results were kept, are not executed again. With
        `from_failed` it is refused, with a list, if the result of one was not kept. A run of code
        that no deployment knows is rerun where the code is, by `flow.rerun(run)`.
        What was said of the `kernel` and the `env` of this run stays, unless it is said anew; `""`
        and `{}` leave it those of its deployment.
        """
        run = self.find(run_id)
        if from_failed:
            self.check_kept(run)
        if run.deployment is None:
            says = "it is no run of a deployment: rerun it where its code is, by flow.rerun(run)"
            raise Conflict(f"run {run_id}: {says}")
        again = Scheduled(clock.now(), message=why or "rerun on request", by=by)
        if kernel is None and env is None:
            return self.judge(run.id, again, rerun=True)[1]
        known = self.find_deployment(run.deployment)
        policy = overriding.overridden(known, run.policy, kernel, env)
        said = partial(runs.regrant, run_id=run.id, policy=policy)
        return self.judge(run.id, again, rerun=True, also=said)[1]

    def check_kept(self, run: Run) -> None:
        """The results of all tasks that completed in this run were kept.

        Raises:
            Conflict: those of some were not; it lists them, and says why.
        """
        done = listing.RunFilter(kind="task", parent=run.id, root=run.root, states=("COMPLETED",))
        missing = {each.id: _why_missing(each) for each in self.list_runs(done, 100_000)[::-1]}
        told = [f"{each}" for each in missing.values() if each]
        if told:
            says = f"run {run.id}: what these tasks made was not kept: {'; '.join(told)}"
            says += ". Without from_failed they are executed again; --persist keeps large results"
            raise Conflict(says)


def _why_missing(task: Run) -> str | None:
    from orion_nb.schemas.results import Reference

    if task.state.result is None:
        return f"{task.name} (it has no result)"
    try:
        found = Reference.from_text(task.state.result)
    except InvalidInput:
        return None  # whoever proposed it over HTTP keeps results in their own way
    return f"{task.name} ({found.problem})" if found.status == "unpersisted" else None
