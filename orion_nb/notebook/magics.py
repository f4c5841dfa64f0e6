"""`%%task` makes a cell a task; `%orion` shows runs and says why."""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from orion_nb import clock
from orion_nb.api.connect import connect
from orion_nb.engine.attempts import without_our_frames
from orion_nb.engine.context import belonging_to
from orion_nb.engine.lead import Ending
from orion_nb.engine.options import options_of
from orion_nb.engine.tasks import Task
from orion_nb.errors import InvalidInput, OrionError, RunStopped
from orion_nb.notebook import deploying, managing, reading, render
from orion_nb.notebook.caching import CellTask
from orion_nb.notebook.cells import Cell, cell_id, number
from orion_nb.notebook.options import HelpWanted, read_line
from orion_nb.notebook.session import NotebookSession, is_headless, notebook_name
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import CANCELLED, COMPLETED, SCHEDULED
from orion_nb.settings import is_disabled

ORION_HELP = """\
%orion                    the newest runs
%orion runs [STATE] [--tasks]   the newest runs, of one state, tasks too
%orion why RUN            what happened to a run, and why
%orion cancel RUN         ask a run to stop
%orion logs RUN [--tree] [--level L] [--follow]   what it has logged and printed
%orion params [TARGET]    what this notebook takes, or another, or file.py:flow
%orion preview SCHEDULE   its next times: '0 7 * * 1-5', 15m, FREQ=WEEKLY, file.ics, a date and time
%orion deploy [NAME] [-p NAME=VALUE] [--cron '0 7 * * *'] [--every 1h] [--tz ZONE] [--dry-run] ...
                          this notebook runs by schedule; all options: %orion deploy --help
%orion deployments        what runs by schedule, and when
%orion run NAME [-p NAME=VALUE]   run a deployment now
%orion pause NAME [--until TIME] [--why TEXT]   its schedules create no runs
%orion resume NAME        its schedules create runs again
%orion show NAME          what is said of a deployment, its next times and last runs
%orion diff NAME          how its file differs from what is pinned
%orion rm NAME            remove it; its runs stay
%orion rerun RUN [--from-failed]   run a finished run of a deployment once more
%orion retry RUN          wait no longer for the retry that it awaits, or a run in it
%orion delete RUN         a finished run goes, by its id, with all that belongs to it
%orion limits [set NAME SLOTS | rm NAME]   how many runs execute at once
%orion notifications [add NAME ... | test NAME | deliveries | retry --all | ...]   who is told
%orion secrets [set NAME | rm NAME]   what there is, by name; a value is asked for, never shown
%replay [RUN] | debug | diff | commit [--resume] | drop   a failure, at hand here
RUN is an id, the end of one (4 digits or more), or a name."""


class Shown:
    """A table that shows itself as HTML in notebooks and as text elsewhere; `.data` is the data."""

    def __init__(self, html: str, text: str, data: Any) -> None:
        self.html, self.text, self.data = html, text, data

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


@magics_class
class OrionMagics(Magics):
    """The magics of orion_nb."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.session = NotebookSession()

    @no_var_expand
    @cell_magic
    def task(self, line: str, cell: str) -> None:
        """The cell is a task: each execution of it is a run. `%%task --help` says more."""
        if is_disabled():
            Cell(self.shell, cell).run()
            return
        prepared = self._prepared(line, cell)
        if prepared is None:
            return
        body, work = prepared
        if body.is_async:  # the input transformer sees only cells that begin with %%task
            raise UsageError("%%task: put %%task first in a cell that awaits")
        with belonging_to(self.session.parent_of), self._interrupt_noted(work):
            ending = work.run()
        self._finish(work, ending, body)

    async def task_async(self, line: str, cell: str) -> None:
        """The same for a cell that awaits; the input transformer leads here."""
        prepared = self._prepared(line, cell)
        if prepared is None:
            return
        body, work = prepared
        with belonging_to(self.session.parent_of), self._interrupt_noted(work):
            ending = await work.run()
        self._finish(work, ending, body)

    @no_var_expand
    @line_magic
    def orion(self, line: str) -> Shown | None:
        """Shows runs and says why: `%orion help`."""
        # Python would take a comment here; IPython hands it on with the line.
        told = takewhile(lambda word: not word.startswith("#"), words_of(line))
        word, *rest = list(told) or ["runs"]
        known: dict[str, Callable[[Sequence[str]], Shown | None]] = {
            "runs": self._runs, "why": self._why, "cancel": self._cancel, "help": _help,
            "--help": _help, "logs": _logs, **_DEPLOYING,
        }  # fmt: skip
        if word not in known:
            close = difflib.get_close_matches(word, known, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else "; see %orion help"
            raise UsageError(f"%orion: no {word!r}{hint}")
        try:
            return known[word](rest)
        except OrionError as error:
            raise UsageError(f"%orion {word}: {error}") from None

    def _prepared(self, line: str, source: str) -> tuple[Cell, Task[..., Any]] | None:
        try:
            told = read_line(line)
        except HelpWanted:
            return None
        body = Cell(self.shell, source)
        quiet = told.pop("quiet")
        name = told.pop("name") or body.first_name or _cell_name(self.shell)
        fn = body.run_async if body.is_async else body.run
        try:
            options = options_of(fn, name=name, **told)
        except InvalidInput as error:
            raise UsageError(f"%%task: {error}") from None
        key = f"notebook:{notebook_name()}:{name}{self.session.so_far()}"
        work = CellTask(fn, replace(options, key=key))
        work.body, body.is_cached = body, options.cache
        work.on_state = _Follow(body, Chip(name, told["retries"], quiet))
        return body, work

    def _finish(self, work: Task[..., Any], ending: Ending, body: Cell) -> None:
        self.session.note(work.name, ending.type)
        if body.ran:
            self.session.goes_anew()
        elif ending.type is COMPLETED:
            body.restore(ending.value)
            where = "taken from the cache" if ending.name == "Cached" else "completed earlier"
            told = f"{work.name}: {where}; what it made is restored"
            print(told)  # noqa: T201 - it is the cell that speaks
        error = ending.error or (None if ending.type is COMPLETED else RunStopped(str(ending)))
        if error is None:
            return
        show_without_our_frames(self.shell, error, f"orion: %orion why {short(ending.run_id)}")
        raise error

    @contextmanager
    def _interrupt_noted(self, work: Task[..., Any]) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.session.note(work.name, CANCELLED)
            last = f"orion: %orion why {work.name}"
            show_without_our_frames(self.shell, without_our_frames(error), last)
            raise

    def _runs(self, words: Sequence[str]) -> Shown:
        tasks = "--tasks" in words
        states = [word for word in words if word != "--tasks"]
        orion = connect()
        told = orion.filter_runs(states=states or None, kind=None if tasks else "flow", limit=20)
        runs = [orion.find(each["id"]) for each in told["runs"]]
        return Shown(*render.list_tables(runs, clock.now(), states), told["runs"])

    def _why(self, words: Sequence[str]) -> Shown:
        if len(words) != 1:
            raise UsageError("%orion why: give one run: an id, the end of one, or a name")
        told = connect().why(words[0])
        head = f"{told['run']['kind']} {told['run']['name']} ({short(told['run']['id'])})"
        return Shown(*render.lines(told["summary"], head), told)

    def _cancel(self, words: Sequence[str]) -> Shown:
        if len(words) != 1:
            raise UsageError("%orion cancel: give one run: an id, the end of one, or a name")
        orion = connect()
        run = orion.find(words[0])
        report = orion.cancel(run.id, by="notebook")
        said = f"{run.name} {short(run.id)}: {report.state.name}"
        said += f", {report.reason}" if report.reason else ""
        return Shown(*render.lines([said]), report.as_json())


class Chip:
    """The line of a task cell; it changes in place and is plain HTML and text from the start."""

    def __init__(self, name: str, retries: int, quiet: bool) -> None:
        self.name, self.retries, self.quiet = name, retries, quiet
        self._handle: Any = None

    def show(self, run: Run) -> None:
        state = run.state
        final_only = is_headless() or not _is_kernel()
        if final_only and not state.is_terminal:
            return
        if self.quiet and not (state.is_terminal and state.type != "COMPLETED"):
            return
        html, text = render.chip(self.name, state, run, self.retries)
        self._display({"text/html": html, "text/plain": text})

    def _display(self, bundle: dict[str, str]) -> None:
        from IPython.display import display

        if not _is_kernel():
            print(bundle["text/plain"], file=sys.stderr)  # noqa: T201 - a terminal has no chip
        elif self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


class _Follow:
    """Follows a task cell's run: the chip shows it, and a retry starts from the same names."""

    def __init__(self, body: Cell, chip: Chip) -> None:
        self.body, self.chip = body, chip

    def __call__(self, run: Run, report: Report) -> None:
        if run.state.type is SCHEDULED and report.proposed != "Running":
            self.body.undo_names()
        self.chip.show(run)


def _cell_name(shell: Any) -> str:
    known = cell_id(shell)
    return f"cell-{known[:8]}" if known else f"cell-{number(shell)}"


def _is_kernel() -> bool:
    from IPython.core.getipython import get_ipython

    return hasattr(get_ipython(), "kernel")


def show_without_our_frames(shell: Any, error: BaseException, last: str) -> None:
    """The error's traceback, as IPython will show it, begins in the cell."""
    try:
        shown = shell.InteractiveTB.structured_traceback(
            type(error), error, error.__traceback__, tb_offset=0
        )
        error._render_traceback_ = lambda: [*shown, last]  # type: ignore[attr-defined]
    except Exception:
        return


def words_of(line: str) -> list[str]:
    """The words of a line, in quotes or not."""
    try:
        return shlex.split(line)
    except ValueError:  # an apostrophe in a comment, say
        return line.split()


def _said(
    call: Callable[[Sequence[str]], deploying.Told],
) -> Callable[[Sequence[str]], Shown | None]:
    def shown(words: Sequence[str]) -> Shown | None:
        try:
            said, head, data = call(words)
        except deploying.HelpShown:
            return None
        return Shown(*render.lines(said, head), data)

    return shown


def _logs(words: Sequence[str]) -> Shown | None:
    try:
        is_shown = reading.follow(words)
    except deploying.HelpShown:
        return None
    return None if is_shown else _said(reading.logs)(words)


_DEPLOYING = {
    call.__name__: _said(call)
    for call in (
        deploying.params, deploying.deploy, deploying.run, deploying.pause, deploying.resume,
        deploying.deployments, deploying.preview, managing.show, managing.diff, managing.rm,
        managing.rerun, managing.retry, managing.delete, managing.limits,
        managing.notifications, managing.secrets,
    )
}  # fmt: skip
#: The words that may follow `%orion`.
WORDS = ("runs", "why", "cancel", "logs", "help", *_DEPLOYING)


def _help(_: Sequence[str]) -> None:
    print(ORION_HELP)  # noqa: T201 - asked for by the user
