"""Which version of its file a deployment runs: pinned or the latest, and how these differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orion_nb.api import kernels
from orion_nb.api.routes import route
from orion_nb.api.runs import RunRoutes
from orion_nb.api.sources import as_notebook, inspect, read_text
from orion_nb.errors import InvalidInput, OrionError
from orion_nb.schemas import differences
from orion_nb.schemas.runs import is_hex
from orion_nb.store import sources
from orion_nb.store.sources import Copies

if TYPE_CHECKING:
    from orion_nb.api.sources import Inspected
    from orion_nb.schemas.deployments import Deployment

#: Characters of a path.
LONGEST = 4096


class Versions(RunRoutes):
    """The versions of deployed files."""

    @property
    def copies(self) -> Copies:
        """The pinned versions."""
        return Copies(self.settings.home / "sources")

    @route("POST", "/runs/{run_id}/source", action="write")
    def note_source(
        self, run_id: str, attempt: int, file: str, sha256: str, track: str = "latest"
    ) -> dict[str, Any]:
        """Which version of which file an attempt of a run executes: its runner says so."""
        if not 1 <= len(file) <= LONGEST:
            says = f"file: 1 to {LONGEST} characters, got {len(file)}"
            raise InvalidInput(says, field="file")
        if len(sha256) != 64 or not is_hex(sha256):
            says = f"sha256: expected 64 hexadecimal digits, got {sha256[:80]!r}"
            raise InvalidInput(says, field="sha256")
        if track not in ("latest", "pinned"):
            raise InvalidInput(f"track: {track[:80]!r} is not latest or pinned", field="track")
        run = self.find(run_id)
        if not 1 <= attempt <= run.attempt:
            says = f"attempt: {attempt} is none of the run's, which are 1 to {run.attempt}"
            raise InvalidInput(says, field="attempt")
        self.database.write(lambda tx: sources.note(tx, run.id, attempt, file, sha256, track))
        return {"path": file, "sha256": sha256, "track": track}

    def inspected(self, known: Deployment) -> Inspected:
        """The version of the deployment's file that runs of it execute now.

        Raises:
            NotebookNotFound, FlowNotFound, InvalidNotebook.
        """
        text = None if known.pinned is None else self.copies.read(known.pinned)
        return inspect(known.path, known.flow, text=text, allow_untagged=known.allow_untagged)

    def version(self, known: Deployment) -> dict[str, Any]:
        """What runs: {"track", "pinned", "on_disk", "drift"}, and `drift` in words, or None."""
        shown: dict[str, Any] = {"track": known.track, "pinned": known.pinned, "on_disk": None}
        try:
            found = inspect(known.path, known.flow, allow_untagged=known.allow_untagged)
        except OrionError as error:
            return {**shown, "drift": str(error)}
        drift = self._without_kernel(known, found)
        if known.pinned is not None and known.pinned != found.sha256:
            drift = self.difference(known)["says"]
        return {**shown, "on_disk": found.sha256, "drift": drift}

    def _without_kernel(self, known: Deployment, found: Inspected) -> str | None:
        """Why what is on disk can't be run, if its kernel is not there any more, or another one."""
        if known.allow_missing_kernel:
            return None
        try:
            kernels.check_deployed(known.kernel, found.kernel, known.flow)
        except OrionError as error:
            return str(error)
        return None

    def difference(self, known: Deployment) -> dict[str, Any]:
        """How the file on disk differs from the pinned version.

        Raises:
            InvalidInput: nothing is pinned.
            NotebookNotFound, InvalidNotebook: one of the two can't be read.
        """
        if known.pinned is None:
            says = f"track: {known.name!r} runs what is on disk; nothing is pinned"
            raise InvalidInput(says, field="track")
        was, now = self.copies.read(known.pinned), read_text(known.path)
        told: dict[str, Any] = {"path": known.path, "pinned": known.pinned, "cells": []}
        if known.flow is not None:
            lines = differences.of_texts(was.decode(errors="replace"), now.decode(errors="replace"))
            changed = sum(1 for line in lines if line[:1] in "+-")
            says = _says("file", changed, "line")
            return {**told, "lines": lines, "says": says if was != now else None}
        found = differences.of_notebooks(as_notebook(was, known.path), as_notebook(now, known.path))
        says = _says("notebook", len(found), "cell")
        return {**told, "cells": found, "lines": [], "says": says if was != now else None}


def _says(what: str, count: int, of: str) -> str:
    told = f"{count} {of}{'s' * (count != 1)}" if count else "outputs or metadata only"
    return f"on-disk {what} differs from pinned: {told}"
