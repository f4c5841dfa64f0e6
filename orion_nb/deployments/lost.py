"""The notebook of an attempt whose runner is gone: what is known of it is put in, and how it ended.

It is written before the run is given its end: whoever dies in between leaves both to the next. So
it is also written where the run is then tried again.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments import marks
from orion_nb.deployments.files import NOTEBOOK, Spec, set_aside, write_whole
from orion_nb.deployments.journal import JOURNAL
from orion_nb.deployments.progress import Progress
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, PAUSED, RUNNING, State
from orion_nb.schemas.values import evolve

#: In one of these the run's attempt has begun, and has not ended.
BEGUN = (RUNNING, PAUSED, CANCELLING)

log = logging.getLogger(__name__)


def mark_lost(orion: Orion, run: Run, end: State) -> None:
    """The executed notebook of the run's attempt says that it came to this end.

    If its runner had not come to write one, it is made of the source: with no cell executed.
    """
    if run.kind != "flow" or not run.attempt or not end.is_terminal:
        return
    folder = orion.settings.notebooks / run.id
    if not folder.is_dir():
        return
    try:
        if run.state.type in BEGUN and _attempt_in(folder / NOTEBOOK) != run.attempt:
            _make(folder, run)
        if (folder / NOTEBOOK).is_file():
            marks.finish_lost(folder / NOTEBOOK, evolve(run, state=end), clock.now())
    except Exception:  # whatever is in the file, it holds up the end of no run
        log.warning("the notebook of run %s can't be marked", run.id, exc_info=True)


def _attempt_in(path: Path) -> int | None:
    """Which attempt a notebook is of; None if there is none."""
    if not path.is_file():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))["metadata"].get(marks.METADATA, {})
    found: int | None = told.get("attempt")
    return found


def _make(folder: Path, run: Run) -> None:
    """The notebook as the runner would have begun with it."""
    from orion_nb.deployments.source import read_source, with_parameters

    spec = Spec.read(folder)
    if spec.flow is not None:
        return
    values, untagged = run.parameters or {}, spec.allow_untagged
    source = with_parameters(read_source(spec), values, allow_untagged=untagged)
    set_aside(folder, run.attempt)
    (folder / JOURNAL).unlink(missing_ok=True)
    marks.prepare(source.notebook, run, source.version)
    Progress.of(source.notebook, run.id, run.attempt).write(folder)
    text = json.dumps(source.notebook, indent=1, sort_keys=True, ensure_ascii=False)
    write_whole(folder / NOTEBOOK, text + "\n")
