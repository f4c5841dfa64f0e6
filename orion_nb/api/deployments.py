"""Deployments over the API: create, change, pause, run now, and what is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from orion_nb import clock
from orion_nb.api import kernels, overriding, seen, specs
from orion_nb.api.checks import check_ref, end_of_pause
from orion_nb.api.lists import LONGEST_PAGE, check_limit
from orion_nb.api.routes import route, taking
from orion_nb.api.sources import inspect, read_text
from orion_nb.api.unreadable import SHOWN_RUNS, Unreadables
from orion_nb.errors import (
    DeploymentNotFound,
    DeploymentUnreadable,
    InvalidInput,
)
from orion_nb.schemas import cursors
from orion_nb.schemas.fields import DeploymentFields
from orion_nb.schemas.likeness import did_you_mean
from orion_nb.schemas.runs import Run, is_id, new_id
from orion_nb.schemas.values import evolve
from orion_nb.store import listing
from orion_nb.store.database import Connection
from orion_nb.store.listing import RunFilter

if TYPE_CHECKING:
    from orion_nb.schemas.deployments import Deployment
    from orion_nb.store.deployments import Unreadable

SHOWN_TIMES = 5
#: What cursors of the list of deployments are for.
DEPLOYMENTS = {"list": "deployments"}


class DeploymentRoutes(Unreadables):
    """What can be done with deployments."""

    @route("POST", "/deployments", action="execute", status=201)
    @taking(DeploymentFields)
    def create_deployment(
        self,
        name: str,
        path: str,
        *,
        paused: bool | None = None,
        update: bool = False,
        **fields: Unpack[DeploymentFields],
    ) -> dict[str, Any]:
        """A notebook is deployed; with `update` a deployment of this name is changed instead.

        What is not given, or null, stays as it is then. Schedules are objects
        `{"kind": "cron", "cron": "0 9 * * 1-5", "timezone": "UTC"}` or texts like `0 9 * * 1-5` or
        `15m`. Parameters are checked against the notebook's. The path is that of a notebook, or
        `file.py:flow`. With `track` "pinned" its file is run as it is now, whatever becomes of it,
        until it is deployed again; with "latest", as it is on disk then.
        """
        specs.check_new_name(name)
        now = clock.now()
        told = specs.said(path, paused, fields, now)
        exists = self._is_known(name)
        if exists and update:
            try:
                return self._show(self._change(name, lambda known: self._revised(known, told)))
            except DeploymentUnreadable:  # nothing of what was kept stays
                return self._show(self._rewritten(self._new(name, told, now, True)))
        made = self._new(name, told, now)

        def work(tx: Connection) -> Deployment:
            if listing.deployment_named(tx, name) is not None:
                raise specs.exists_already(name)
            deployment_rows().insert(tx, made)
            return made

        return self._show(self.database.write(work))

    @route("POST", "/deployments/check", action="execute")
    @taking(DeploymentFields)
    def check_deployment(
        self,
        name: str,
        path: str,
        *,
        paused: bool | None = None,
        update: bool = False,
        **fields: Unpack[DeploymentFields],
    ) -> dict[str, Any]:
        """What `POST /deployments` would make of the same: all is checked, nothing is written."""
        specs.check_new_name(name)
        now = clock.now()
        told = specs.said(path, paused, fields, now)
        if not self._is_known(name):
            return self._show(self._new(name, told, now, dry=True))
        if not update:
            raise specs.exists_already(name)
        try:
            known = self.find_deployment(name)
        except DeploymentUnreadable:
            return self._show(self._new(name, told, now, True, dry=True))
        return self._show(specs.scheduled(self._revised(known, told, dry=True), now, known))

    @route("GET", "/deployments", action="read")
    def list_deployments(
        self, limit: int = LONGEST_PAGE, cursor: str | None = None
    ) -> dict[str, Any]:
        """The deployments by name, each with its next times and last runs; a page at a time.

        One that can't be read any more, its time zone is gone say, has a `problem`; of others that
        is null. `limit` is 1 to 200; `cursor` asks for the page behind the one it came with. A
        server looks for a fraction of a second: a page may have fewer, and a cursor all the same.
        """
        check_limit(limit, LONGEST_PAGE)
        until = None if self.patience is None else time.monotonic() + self.patience
        after = (
            "" if cursor is None else cursors.unseal(cursor, DEPLOYMENTS).decode("utf-8", "replace")
        )
        with self.database.read() as connection:
            found = deployment_rows().read_page(connection, after, limit + 1)
        shown: list[dict[str, Any]] = []
        for each in found[:limit]:
            shown.append(self._brief(each))
            if until is not None and time.monotonic() > until:
                break
        more = None
        if len(found) > len(shown):
            more = cursors.seal(shown[-1]["name"].encode(), DEPLOYMENTS)
        return {"deployments": shown, "cursor": more}

    def all_deployments(self) -> dict[str, Any]:
        """All of them, as they are listed page by page."""
        told = self.list_deployments()
        while told["cursor"] is not None:
            page = self.list_deployments(cursor=told["cursor"])
            told = {**page, "deployments": told["deployments"] + page["deployments"]}
        return told

    @route("GET", "/deployments/{deployment}", action="read")
    def read_deployment(self, deployment: str) -> dict[str, Any]:
        """One deployment, by name or id, with its next times and last runs.

        `source` says what runs: {"track", "pinned", "on_disk", "drift"}, with the SHA-256 of the
        versions; `drift` says how the file on disk differs from what is pinned, or why it can't be
        run. `problem` says why the deployment itself can't be read any more; else it is null.
        """
        try:
            return self._show(self.find_deployment(deployment))
        except DeploymentUnreadable:
            return self.leftovers_with_source(deployment)

    @route("GET", "/deployments/{deployment}/diff", action="read")
    def diff_deployment(self, deployment: str) -> dict[str, Any]:
        """How the file on disk differs from the pinned version, cell by cell or line by line.

        `says` is that in words, or null. A cell is {"change", "was", "now", "kind", "diff"}: its
        number in either version, and the lines of a unified diff.
        """
        return self.difference(self.find_deployment(deployment))

    @route("PATCH", "/deployments/{deployment}", action="execute")
    @taking(DeploymentFields, unless_given=...)
    def update_deployment(
        self, deployment: str, *, path: str | None = None, **fields: Unpack[DeploymentFields]
    ) -> dict[str, Any]:
        """The given fields of a deployment are changed; the others stay as they are.

        A field that is null has its default again. Without `path` the path is not touched.
        """
        said = specs.changes(path, fields)
        return self._show(self._change(deployment, lambda known: self._revised(known, said)))

    @route("POST", "/deployments/{deployment}/check", action="execute")
    @taking(DeploymentFields, unless_given=...)
    def check_update(
        self, deployment: str, *, path: str | None = None, **fields: Unpack[DeploymentFields]
    ) -> dict[str, Any]:
        """What `PATCH` of the same would make of it: all is checked, nothing is written."""
        known = self.find_deployment(deployment)
        made = self._revised(known, specs.changes(path, fields), dry=True)
        return self._show(specs.scheduled(made, clock.now(), known))

    @route("DELETE", "/deployments/{deployment}", action="execute")
    def delete_deployment(self, deployment: str) -> dict[str, Any]:
        """The deployment is gone, with its notifications; its runs stay."""
        try:
            found: Deployment | Unreadable = self.find_deployment(deployment)
        except DeploymentUnreadable:
            found = self.unreadable(deployment)
        self.database.write(lambda tx: deployment_rows().delete(tx, found.id))
        return {"deleted": found.name, "id": found.id}

    @route("POST", "/deployments/{deployment}/pause", action="execute")
    def pause_deployment(
        self,
        deployment: str,
        until: str | int | None = None,
        why: str | None = None,
        by: str | None = None,
    ) -> dict[str, Any]:
        """Its schedules create no runs until it is resumed, by hand or by itself at `until`.

        `until` is a date and time with an offset or Z, a duration such as `2h`, or microseconds
        since the epoch. What is due at that instant runs; what was before is not made up for.
        """
        now = clock.now()
        specs.check_words(why=why, by=by)
        end = None if until is None else end_of_pause(until, now)
        pause = {"at": now, "until": end, "by": by, "why": why}
        return self._show(self._change(deployment, lambda known: specs.paused_by(known, pause)))

    @route("POST", "/deployments/{deployment}/resume", action="execute")
    def resume_deployment(self, deployment: str, by: str | None = None) -> dict[str, Any]:
        """Its schedules create runs again, from now on."""
        specs.check_words(by=by)
        now = clock.now()
        return self._show(self._change(deployment, lambda known: specs.resumed(known, now, by)))

    @route("POST", "/deployments/{deployment}/runs", action="execute", status=201)
    def run_deployment(
        self,
        deployment: str,
        parameters: dict[str, Any] | None = None,
        kernel: str | None = None,
        env: dict[str, str] | None = None,
    ) -> Run:
        """A run of the deployment is scheduled for now; `parameters` are laid over its own.

        `kernel` executes this run instead of the deployment's; the variables of `env` are laid over
        the deployment's. Both are kept with the run, in its policy, and hold when it is rerun.
        """
        known = self.find_deployment(deployment)
        given = {**known.parameters, **(parameters or {})}
        given = self.inspected(known).taken(given, self.settings.home)
        made = self.deployed_run(known, clock.now(), given)
        policy = overriding.overridden(known, made.policy, kernel, env)
        return self.begin(evolve(made, policy=policy))[0]

    def find_deployment(self, ref: str) -> Deployment:
        """The deployment of this name or id.

        Raises:
            DeploymentNotFound: with the closest name, if one is close.
            DeploymentUnreadable: what was kept of it is not understood any more.
        """
        check_ref("deployment", ref)
        with self.database.read() as connection:
            known: Deployment | None = deployment_rows().read_named(connection, ref)
            if known is None and is_id(ref):
                known = deployment_rows().read(connection, ref)
            names = [] if known else listing.deployment_names(connection)
        if known is None:
            raise DeploymentNotFound(f"no deployment {ref!r}{did_you_mean(ref, names)}")
        return known

    def deployed_run(self, known: Deployment, at: int, parameters: dict[str, Any]) -> Run:
        """A run of a deployment for the instant `at`, not yet written."""
        return self.new_run(
            "flow",
            known.name,
            policy=known.policy,
            parameters=parameters,
            tags=known.tags,
            key=known.key,
            scheduled_time=at,
            deployment=known.id,
        )

    def _change(self, ref: str, change: Callable[[Deployment], Deployment]) -> Deployment:
        """The deployment is changed; `change` reads files, so it is not called while writing."""
        while True:
            known = self.find_deployment(ref)
            wanted = change(known).model_copy(update={"revision": known.revision + 1})
            if seen.is_remembering():
                self.version(wanted)  # it is shown after the write, before that is committed
            changed = self.database.write(partial(_replace, known, wanted, clock.now()))
            if changed is not None:
                return changed

    def _is_known(self, name: str) -> bool:
        with self.database.read() as connection:
            return listing.deployment_named(connection, name) is not None

    def _new(
        self, name: str, told: dict[str, Any], now: int, instead: bool = False, dry: bool = False
    ) -> Deployment:
        """One that is deployed for the first time, or `instead` of what can't be read any more."""
        kept = self.what_stays(name) if instead else {"id": new_id(), "created": now}
        if told["flow"] is not None:  # what its decorator says holds where nothing else is said
            told = {**inspect(told["path"], told["flow"]).options, **told}
        made = self._checked({**told, "name": name, **kept}, anew=True, dry=dry)
        return specs.scheduled(made, now)

    def _revised(self, known: Deployment, said: Mapping[str, Any], dry: bool = False) -> Deployment:
        """The deployment with what was said of it; what is None has its default again.

        Its file is pinned anew only if it, or `track`, was named.
        """
        told = {**known.as_json(), **said}
        anew = "path" in said or "track" in said
        given = {name: each for name, each in told.items() if each is not None}
        return self._checked(given, anew, dry)

    def _checked(self, told: dict[str, Any], anew: bool, dry: bool = False) -> Deployment:
        """A deployment from JSON values, its file found and its parameters checked.

        Of one that is pinned the file is kept, unless it is `dry`.
        """
        made = specs.read(told)
        if anew:
            text = read_text(made.path)
            found = inspect(made.path, made.flow, text=text, allow_untagged=made.allow_untagged)
            keep = self.copies.keep if not dry else lambda _: found.sha256
            pinned = keep(text) if made.track == "pinned" else None
            made = made.model_copy(update={"flow": found.flow, "pinned": pinned})
        else:
            found = self.inspected(made)
        specs.check_flow(made)
        values = found.taken(made.parameters, self.settings.home)
        made = made.model_copy(update={"parameters": values})
        if not made.allow_missing_kernel:
            kernels.check_deployed(made.kernel, found.kernel, made.flow)
        if made.cwd is not None and not Path(made.cwd).is_dir():
            raise InvalidInput(f"cwd: {made.cwd!r} is no folder", field="cwd")
        return made

    def _show(self, known: Deployment) -> dict[str, Any]:
        return {**self._brief(known), "source": self.version(known)}

    def _rewritten(self, made: Deployment) -> Deployment:
        self.database.write(lambda tx: deployment_rows().update(tx, made))
        return made

    def _brief(self, known: Deployment | Unreadable) -> dict[str, Any]:
        from orion_nb.schemas import instants
        from orion_nb.schemas.schedules import zone_of
        from orion_nb.store.deployments import Unreadable

        if isinstance(known, Unreadable):
            return self.leftovers(known)
        last = self.list_runs(RunFilter(kind="flow", deployment=known.id), SHOWN_RUNS)
        words = [schedule.describe() for schedule in known.schedules]
        now = clock.now()
        ends = known.paused_until(now)
        times = [] if known.paused else known.timing.upcoming(ends or now, SHOWN_TIMES)
        zone = zone_of(known.schedules)
        return {
            **known.as_json(),
            "paused": known.paused or ends is not None,
            "words": words,
            "next_times": times,
            "timezone": zone,
            "local_times": instants.local(times, zone),
            "last_runs": [run.as_json() for run in last],
            "problem": None,
        }


def _replace(known: Deployment, wanted: Deployment, now: int, tx: Connection) -> Deployment | None:
    """The deployment as written, None if somebody else has changed it meanwhile."""
    current = deployment_rows().read(tx, known.id)
    if current is None or current.revision != known.revision:
        return None
    made = specs.scheduled(wanted, now, current)
    deployment_rows().update(tx, made)
    return made


def deployment_rows() -> Any:
    """The store's deployments; imported when first needed, for pydantic comes with it."""
    from orion_nb.store import deployments

    return deployments
