"""The executed notebook of one attempt, saved while it comes into being: whole or not at all."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, v4

from orion_nb.deployments import marks
from orion_nb.deployments.files import write_whole
from orion_nb.deployments.journal import JOURNAL, SAVED, Journal
from orion_nb.deployments.printed import Printed
from orion_nb.deployments.progress import Progress
from orion_nb.schemas.runs import Run
from orion_nb.secrets import redacted_json

log = logging.getLogger(__name__)

#: Seconds between two savings while a cell runs; and between the ends of two cells.
WITHIN_CELL = 2.0
BETWEEN_CELLS = 0.25
#: Saving may take this part of the time, no more: a large notebook is saved less often.
SHARE = 0.05


class KeptNotebook:
    """A notebook and its file; `settle` is called before each saving.

    What is told to `journal` is not lost with this process, `progress` is kept beside it, and so is
    what the cells have `printed`, for who follows the run.
    """

    def __init__(self, nb: NotebookNode, path: Path, run: Run) -> None:
        self.nb = nb
        self.path = path
        self.progress = Progress.of(nb, run.id, run.attempt)
        self.journal = Journal(path.with_name(JOURNAL))
        self.printed = Printed(path.parent, run.attempt)
        self.settle: Callable[[], None] = lambda: None
        self._changed = self._between_cells = False
        self._saved = time.monotonic()
        self._cost = 0.0
        #: Not before then: it could not be written a moment ago.
        self._not_before = 0.0

    @classmethod
    def of(
        cls, source: dict[str, Any], path: Path, run: Run, version: dict[str, str]
    ) -> KeptNotebook:
        """The notebook to execute, made from the JSON of its source."""
        nb = v4.to_notebook(source)  # type: ignore[no-untyped-call]
        marks.prepare(nb, run, version)
        return cls(nb, path, run)

    def touch(self, *, between_cells: bool = False) -> None:
        """Something changed, which is saved in a while; the begin or end of a cell soon."""
        self._changed = True
        self._between_cells |= between_cells

    def begin(self) -> None:
        """The file is there before the first cell: who is killed now leaves one to read."""
        try:
            self.save(durable=False)
        except OSError:  # it may be possible at the end
            log.warning("%s can't be saved", self.path, exc_info=True)

    def save_if_due(self) -> None:
        """What changed is saved, unless it was saved a moment ago.

        Raises:
            OSError: it can't be written.
        """
        pause = BETWEEN_CELLS if self._between_cells else WITHIN_CELL
        now = time.monotonic()
        is_due = now - self._saved >= max(pause, self._cost / SHARE) or self.journal.is_large
        if self._changed and is_due and now >= self._not_before:
            self._not_before = now + WITHIN_CELL
            self.save(durable=False)
            self._not_before = 0.0

    def finish(self) -> None:
        """The file is as the notebook is, for good; the journal is not needed any more.

        Raises:
            OSError: it can't be written.
        """
        self.nb["metadata"][marks.METADATA].pop(SAVED, None)
        self.progress.about["failure"] = redacted_json(marks.failed_cell(self.nb))
        self.save()
        self.nb["metadata"][marks.METADATA].pop(SAVED, None)
        self.journal.remove()
        self.printed.close()

    def save(self, *, durable: bool = True) -> None:
        """The file is as the notebook is now; if `durable`, also after a loss of power.

        Raises:
            OSError: it can't be written.
        """
        began = time.monotonic()
        self.settle()
        self.nb["metadata"][marks.METADATA][SAVED] = self.journal.n
        text = v4.writes(redacted_json(self.nb))  # type: ignore[no-untyped-call]
        write_whole(self.path, text + "\n", durable=durable)
        self.journal.begin_anew()
        self.progress.write(self.path.parent)
        self._changed = self._between_cells = False
        self._saved = time.monotonic()
        self._cost = self._saved - began
