"""Retention: old runs are forgotten, except those that are pinned; what a database holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api.checks import check_text
from orion_nb.api.deployments import DeploymentRoutes
from orion_nb.api.results import ResultRoutes
from orion_nb.api.routes import route
from orion_nb.clock import SECOND
from orion_nb.errors import Conflict, InvalidInput, StoreUnavailable
from orion_nb.schemas.durations import seconds
from orion_nb.schemas.runs import is_id, short
from orion_nb.schemas.states import NAMES, TERMINAL
from orion_nb.schemas.values import evolve
from orion_nb.store import health, retention, sharing
from orion_nb.store.database import Connection
from orion_nb.store.previews import said
from orion_nb.store.retention import Choice
from orion_nb.store.sources import Copies

#: How old a run is that is forgotten when nothing else was said.
DEFAULT = "90d"
DAY = 24 * 3600 * SECOND
#: Answers to requests with an Idempotency-Key are kept for so long (microseconds).
ANSWERS = 7 * DAY
#: A stored value or folder that was touched within so many seconds may be about to be referred to.
FRESH = 3600.0
#: When a run is deleted by hand: nothing was prepared for another one longer ago than that.
JUST_NOW = 60.0
#: What to do about a run that can't be deleted.
_STAYS = {
    retention.UNFINISHED: "it has not ended; cancel it first",
    retention.PINNED: "it is pinned, or a run in it is; unpin it first",
    retention.NEWEST: "it has the newest event; it can go when another run has moved",
    retention.IN_CACHE: "the cache has just given out a result of it",
}
#: So often a storage may fail until it is left alone.
TRIES = 5


class Retention(ResultRoutes, DeploymentRoutes):
    """What is kept and what is not."""

    @route("POST", "/runs/{run_id}/pin", action="write")
    def pin(self, run_id: str, why: str | None = None) -> dict[str, Any]:
        """The run is kept, with the whole tree of runs it belongs to, however old it gets."""
        run = self.find(run_id)
        if why is not None:
            check_text("why", why)
        now = clock.now()
        self.database.write(lambda tx: retention.pin(tx, run.id, why, now))
        return {"run": run.id, "pinned": True, "why": why}

    @route("POST", "/runs/{run_id}/unpin", action="write")
    def unpin(self, run_id: str) -> dict[str, Any]:
        """The run is forgotten with others of its age; `was_pinned` says whether that is new."""
        run = self.find(run_id)
        was = self.database.write(lambda tx: retention.unpin(tx, run.id))
        return {"run": run.id, "pinned": False, "was_pinned": was}

    @route("DELETE", "/runs/{run_id}", action="execute")
    def delete_run(self, run_id: str) -> dict[str, Any]:
        """A finished run is gone, with the runs in it, their logs, artifacts and notebooks.

        It is named by its id, or the end of that, and is the outermost of its tree. Stored results
        go that no other run refers to, but for those of the last minute. `errors` tells what could
        not be removed.

        Raises:
            Conflict: it is part of another run, has not ended, is pinned, or has the newest event,
                from whose number others count on.
        """
        run = self.find(run_id)
        if not run.id.endswith(run_id):
            says = f"run_id: {run_id!r} is a name; a run is deleted by its id: {run.id}"
            raise InvalidInput(says, field="run_id")
        if run.parent is not None:
            says = f"run {short(run.id)} is part of run {short(run.root)}: delete that one"
            raise Conflict(says)
        now = clock.now()
        with self.database.read() as connection:
            why = retention.why_it_stays(connection, run.id, now)
        done = _Work(self, Choice(now), dry_run=False)
        if why is not None or not done.one(run.id):
            raise Conflict(f"run {short(run.id)} stays: {_STAYS.get(why or '', 'it was rerun')}")
        return {
            "deleted": run.id, "runs": done.runs, "results": done.results, "errors": done.errors,
        }  # fmt: skip

    @route("GET", "/database", action="read")
    def read_database(self) -> dict[str, Any]:
        """The database: its file, schema and size in bytes, and how many rows each table has.

        `counted` is when they were. A server waits a fraction of a second for that: `rows` are
        those of the last time then, and without one `rows` is empty and `counted` null.
        """
        with self.database.read() as connection:
            told = health.contents(connection, self.database.path)
        tally = self._tallies.take(self.database, self.patience)
        rows, at = ({}, None) if tally is None else (tally.rows, tally.at)
        return {**told, "rows": rows, "counted": at}

    @route("POST", "/database/prune", action="execute")
    def prune(
        self,
        *,
        older_than: str | None = None,
        keep_last: int = 0,
        states: list[str] | None = None,
        deployment: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Finished runs are forgotten, tree by tree, with all that belongs to them.

        A tree goes when its outermost run ended longer ago than `older_than` (`"90d"`; without
        `keep_last` this is the default, with it any age will do), in one of these `states` if some
        are given, of this `deployment` if one is, and is not among the newest `keep_last` of its
        flow. It stays if it is unfinished, pinned, has a result that the cache gave out within that
        time, or has the newest event. With `dry_run` nothing is deleted, and the numbers are what
        would go.

        Stored results go when no run refers to them any more, on other storage too: what can't be
        removed there is told in `errors`, and left. So do pinned copies of files (`sources`) that
        no deployment runs and no run that is kept has executed. The room in the database's file is
        given back to the disk bit by bit: `before` and `after` are its size in bytes.

        Where other databases use the same data folder all files stay: they may be theirs.
        """
        choice = _choice(older_than, keep_last, states)
        if deployment is not None:
            choice = evolve(choice, deployment=self.find_deployment(deployment).id)
        return self._pruned(choice, dry_run)

    def forget_old(self, keep: str | None, *, only_kept: bool = False) -> int:
        """Runs are forgotten as their deployments say, all others after `keep`; how many are.

        With `only_kept`, or without `keep`, none but those of deployments that say so.
        """
        with self.database.read() as connection:
            kept = retention.kept_by_deployments(connection)
        now, forgotten = clock.now(), 0
        for each in kept:
            before = now - round((each.keep or 0) * SECOND)
            choice = Choice(before, each.keep_last or 0, deployment=each.deployment)
            with self.database.read() as connection:
                some = bool(retention.old(connection, choice))
            if some:
                forgotten += self._pruned(choice)["runs"]
        if keep is not None and not only_kept:
            spared = frozenset(each.deployment for each in kept)
            forgotten += self._pruned(evolve(_choice(keep, 0, None), spared=spared))["runs"]
        return forgotten

    def keeps_by_deployment(self) -> bool:
        """Some deployment says how long its runs are kept."""
        with self.database.read() as connection:
            return bool(retention.kept_by_deployments(connection))

    def _pruned(self, choice: Choice, dry_run: bool = False) -> dict[str, Any]:
        before = health.size(self.database.path)
        done = _Work(self, choice, dry_run=dry_run)
        done.trees()
        if not dry_run:
            done.remains()
            with suppress(StoreUnavailable):  # it was deleted all the same
                while self.database.write(retention.give_back):
                    pass
                retention.tidy(self.database.path)
        return {
            "runs": done.runs,
            "trees": done.forgotten,
            "stayed": dict(done.stayed),
            "results": done.results,
            "folders": done.folders,
            "sources": done.sources,
            "errors": done.errors,
            "before": before,
            "after": health.size(self.database.path),
            "dry_run": dry_run,
        }


class _Work:
    """One pruning, and what came of it."""

    def __init__(self, core: Retention, choice: Choice, *, dry_run: bool) -> None:
        self.core, self.choice, self.dry_run = core, choice, dry_run
        self.runs = self.forgotten = self.results = self.folders = self.sources = 0
        self.errors: list[str] = []
        self.stayed: Counter[str] = Counter()
        self._values: set[tuple[str, str | None]] = set()
        self._sharing = sharing.others(core.settings.home, core.database.path)

    def trees(self) -> None:
        with self.core.database.read() as connection:
            roots = retention.old(connection, self.choice)
        for root in roots:
            with self.core.database.read() as connection:
                why = retention.why_it_stays(connection, root, self.choice.before)
                size = retention.size_of(connection, root)
            if why is not None:
                self.stayed[why] += 1
            elif self.dry_run:
                self.forgotten, self.runs = self.forgotten + 1, self.runs + size
            else:
                self.forgotten += self._forget(root)

    def one(self, root: str) -> bool:
        """This tree goes, and the stored values that it alone refers to; True if all of it went."""
        went = self._forget(root)
        keys = {key for key, _ in self._values}
        if not self._must_leave_files() and keys:
            with self.core.database.read() as connection:
                kept = retention.still_referred_to(connection, keys)
            self._drop_results({each for each in self._values if each[0] not in kept}, JUST_NOW)
        return went

    def _forget(self, root: str) -> bool:
        """The tree goes, a batch of its runs at a time; it stops if somebody reruns it meanwhile.

        What was broken off in the middle, by a power loss say, is a smaller tree that goes the
        next time.
        """
        began = False

        def work(tx: Connection) -> retention.Deleted | None:
            why = (
                retention.why_it_stopped(tx, root)
                if began
                else retention.why_it_stays(tx, root, self.choice.before)
            )
            return None if why is not None else retention.delete_some(tx, root)

        while (deleted := self.core.database.write(work)) is not None and deleted.runs:
            began = True
            self.runs += len(deleted.runs)
            self._values |= deleted.values
            self.folders += sum(self._drop_folder(run_id) for run_id in deleted.runs)
            if root in deleted.runs:
                return True
        return False

    def remains(self) -> None:
        """What belonged to runs that are gone, and what nobody refers to any more."""
        core, now = self.core, clock.now()
        with core.database.read() as connection:
            connection.execute("BEGIN")
            unused, newest = retention.unused_reports(connection)
            keys = {key for key, _ in self._values}
            kept = retention.still_referred_to(connection, keys) if keys else set()
        if unused:
            core.database.write(lambda tx: retention.delete_reports(tx, unused, newest))
        if self.choice.deployment is None:  # these belong to all of them
            core.database.write(
                lambda tx: retention.delete_remains(tx, self.choice.before, now - ANSWERS)
            )
        if self._must_leave_files():
            return
        self._drop_results({value for value in self._values if value[0] not in kept})
        self._drop_sources()
        self.folders += sum(self._drop_folder(run_id) for run_id in list(self._left_behind()))

    def _must_leave_files(self) -> bool:
        """Another database keeps files in the same folder: nobody knows the runs of both."""
        if self._sharing:
            told = ", ".join(map(str, self._sharing))
            says = f"files stay: {self.core.settings.home} is also used by {told}"
            self.errors.append(says)
        return bool(self._sharing)

    def _drop_folder(self, run_id: str) -> bool:
        import shutil

        folder = self.core.settings.notebooks / run_id
        if self._sharing or not folder.is_dir():
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True

    def _drop_results(self, values: set[tuple[str, str | None]], fresh: float = FRESH) -> None:
        """Where a storage fails again and again it is left alone: what is there stays."""
        before, failed = clock.now() / SECOND - fresh, Counter[str | None]()
        for key, url in sorted(values, key=str):
            if failed[url] >= TRIES:
                continue
            try:
                self.results += self.core.keeper.discard(key, url, before)
            except Exception as error:  # storage raises what it likes
                failed[url] += 1
                told = f"result {key[:12]} stays: {said(error)}"
                if failed[url] == TRIES:
                    told += "; no more were tried there"
                self.errors.append(told)

    def _drop_sources(self) -> None:
        """Copies of files are named by deployments, by runs, and by what a runner is to read."""
        copies, before = Copies(self.core.settings.home / "sources"), clock.now() / SECOND - FRESH
        if not (names := copies.names()):
            return
        with self.core.database.read() as connection:
            used = retention.sources_in_use(connection)
            going_on = retention.unfinished(connection)
        for run_id in going_on:
            with suppress(OSError, ValueError):
                told = (self.core.settings.notebooks / run_id / "spec.json").read_text("utf-8")
                used.add(Path(json.loads(told).get("text") or "").name)
        self.sources += sum(copies.remove(name, before) for name in names if name not in used)

    def _left_behind(self) -> Iterator[str]:
        """Folders of runs that are not there: a pruning ended between rows and folders, say."""
        folder = self.core.settings.notebooks
        names = [each.name for each in _entries(folder) if is_id(each.name) and _is_old(each)]
        with self.core.database.read() as connection:
            known = set(retention.known(connection, names))
        yield from (name for name in names if name not in known)


def _choice(older_than: str | None, keep_last: int, states: list[str] | None) -> Choice:
    if keep_last < 0:
        raise InvalidInput(f"keep_last: {keep_last} is negative", field="keep_last")
    age = older_than if older_than is not None else ("0s" if keep_last else DEFAULT)
    before = clock.now() - round(seconds(age, field="older_than") * SECOND)
    return Choice(before, keep_last, tuple(_end(word) for word in states or ()))


def _end(word: str) -> str:
    """A state in which runs end, by its type or name, however it is written."""
    ends = {kind.value.lower(): kind.value for kind in TERMINAL}
    names = {name.lower(): name for kind in TERMINAL for name in NAMES[kind]}
    found = {**names, **ends}.get(word.lower())
    if found is None:
        told = ", ".join(sorted({*ends, *names}))
        raise InvalidInput(f"states: no run ends as {word!r}; there are {told}", field="states")
    return found


def _is_old(path: Path) -> bool:
    try:
        return clock.now() / SECOND - path.stat().st_mtime > FRESH
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
