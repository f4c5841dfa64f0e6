"""`%replay` and `%%replay`: a run that failed is taken up, its code tried, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from orion_nb.engine.context import belonging_to
from orion_nb.engine.lead import Ending
from orion_nb.engine.replaying import Replay, replay
from orion_nb.engine.tasks import Task
from orion_nb.errors import OrionError, RunStopped
from orion_nb.notebook import debugging, deploying, patching, render, replayed, replaying
from orion_nb.notebook.magics import Chip, Shown, show_without_our_frames, words_of
from orion_nb.notebook.replayed import TriedCell
from orion_nb.schemas.states import COMPLETED

_WORDS: dict[str, Callable[[Any, Sequence[str]], deploying.Told | None]] = {
    "debug": debugging.debug, "diff": patching.diff, "commit": patching.commit,
    "drop": patching.drop,
}  # fmt: skip
#: What may follow `%replay` besides a run.
WORDS = tuple(_WORDS)


@magics_class
class ReplayMagics(Magics):
    """The magics of what is replayed."""

    @no_var_expand
    @line_magic
    def replay(self, line: str) -> Shown | None:
        """A run that failed is at hand here: its inputs, its code. `%replay --help` says more."""
        words = words_of(line)
        try:
            if not words or words[0] not in _WORDS:
                return Shown(*replaying.load(self.shell, words))
            told = _WORDS[words[0]](self.shell, words[1:])
        except deploying.HelpShown:
            return None
        except OrionError as error:
            raise UsageError(f"%replay: {error}") from None
        if told is None:
            return None
        said, head, data = told
        return Shown(*render.lines(said, head), data)

    @no_var_expand
    @cell_magic("replay")  # type: ignore[arg-type]
    def replay_cell(self, line: str, cell: str) -> None:
        """The cell is the code of a run that is replayed: it is tried, as a run of its own."""
        prepared = self._prepared(line, cell)
        if prepared is None:
            return
        found, body, work = prepared
        if body.is_async:  # the input transformer sees only cells that begin with %%replay
            raise UsageError("%%replay: put %%replay first in a cell that awaits")
        with belonging_to(lambda kind: None):
            ending = work.run()
        self._finish(found, cell, body, ending)

    async def replay_async(self, line: str, source: str) -> None:
        """The same for a cell that awaits; the input transformer leads here."""
        prepared = self._prepared(line, source)
        if prepared is None:
            return
        found, body, work = prepared
        with belonging_to(lambda kind: None):
            ending = await work.run()
        self._finish(found, source, body, ending)

    def _prepared(self, line: str, source: str) -> tuple[Replay, TriedCell, Task[..., Any]] | None:
        parser = deploying.Parser("%%replay", "The cell is tried as the code of a run.")
        parser.add_argument("run", nargs="?", metavar="RUN", help="default: what %%replay took up")
        try:
            found = _taken_up(self.shell, parser.parse_args(words_of(line)).run)
        except deploying.HelpShown:
            return None
        except OrionError as error:
            raise UsageError(f"%%replay: {error}") from None
        body = TriedCell(self.shell, source, makes_names=replayed.is_task_cell(found))
        work = replayed.work_of(found, body)
        chip = Chip(work.name, retries=0, quiet=False)
        work.on_state = lambda run, report: chip.show(run)
        return found, body, work

    def _finish(self, found: Replay, source: str, body: TriedCell, ending: Ending) -> None:
        replayed.note(found, source, body, ending)
        error = ending.error or (None if ending.type is COMPLETED else RunStopped(str(ending)))
        if error is not None:
            show_without_our_frames(self.shell, error, "orion: %replay debug | diff | drop")
            raise error


def _taken_up(shell: Any, ref: str | None) -> Replay:
    """What is replayed here; another run is taken up if the cell names one.

    Raises:
        InvalidInput: nothing is replayed here.
    """
    found = shell.user_ns.get(replaying.ITSELF)
    if ref is None:
        return replaying.at_hand(shell)
    if not isinstance(found, Replay) or not found.run.id.endswith(ref.lower()):
        found = shell.user_ns[replaying.ITSELF] = replay(ref)
    return found
