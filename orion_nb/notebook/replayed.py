"""A `%%replay` cell: the code of a run as somebody mends it, executed as a run of its own."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from orion_nb.engine.attempts import without_our_frames
from orion_nb.engine.lead import Ending
from orion_nb.engine.options import options_of
from orion_nb.engine.replaying import Replay, Tried
from orion_nb.engine.tasks import Task
from orion_nb.engine.work import Work
from orion_nb.notebook.cells import Cell, assigned
from orion_nb.notebook.made import to_keep
from orion_nb.schemas.states import COMPLETED

#: How the run that is made of a replay is tagged, before the id of the run that is replayed.
TAG = "replay-of:"


class TriedCell(Cell):
    """The body of a `%%replay` cell; `value` is what its last expression came to.

    Where a task cell is replayed, it is the names that the cell assigns, with their values.
    """

    def __init__(self, shell: Any, body: str, *, makes_names: bool) -> None:
        super().__init__(shell, body)
        self.makes_names = makes_names
        self.value: Any = None
        self.has_value = makes_names
        last = self.tree.body[-1] if self.tree.body else None
        self._last = None
        if isinstance(last, ast.Expr):
            self._is_shown = not shell.displayhook.semicolon_at_end_of_expression(body)
            name, flags = vars(self.tree)["orion_nb_file"], shell.compile.flags
            flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            begins = ast.Module(self.tree.body[:-1], [])
            self.codes = [compile(begins, name, "exec", flags, dont_inherit=True)]
            self._last = compile(ast.Expression(last.value), name, "eval", flags, dont_inherit=True)
            self.is_async |= bool(self._last.co_flags & inspect.CO_COROUTINE)

    def run(self) -> Any:
        """The body runs on this thread, in the user's namespace; its value is answered."""
        with self._leaving_works():
            super().run()
            if self._last is not None:
                found = eval(self._last, self.shell.user_global_ns, self.shell.user_ns)
                self._show(found)
            return self._valued()

    async def run_async(self) -> Any:
        """The same for a body that awaits."""
        with self._leaving_works():
            await super().run_async()
            if self._last is not None:
                found = eval(self._last, self.shell.user_global_ns, self.shell.user_ns)
                awaits = self._last.co_flags & inspect.CO_COROUTINE
                self._show(await found if awaits else found)
            return self._valued()

    @contextmanager
    def _leaving_works(self) -> Iterator[None]:
        """Flows and tasks of the notebook are what they were when the cell is done.

        The cell has the function without its decorator: a flow that is rerun here is to call the
        task, whose result may have been completed by hand, and not that function. So are names
        that it imports: those of the function's module may be other things here.
        """
        namespace = self.shell.user_ns
        imports = [each for each in self.tree.body if isinstance(each, ast.Import | ast.ImportFrom)]
        imported = assigned(ast.Module(list(imports), []))
        before = {name: namespace[name] for name in assigned(self.tree) if name in namespace}
        try:
            yield
        finally:
            for name, each in before.items():
                if isinstance(each, Work) or (name in imported and not self.makes_names):
                    namespace[name] = each

    def _show(self, value: Any) -> None:
        if not self.makes_names:
            self.value, self.has_value = value, True
        if self._is_shown:
            sys.displayhook(value)

    def _valued(self) -> Any:
        if self.makes_names:
            namespace = self.shell.user_ns
            names = assigned(self.tree)
            made = {name: namespace[name] for name in names if name in namespace}
            self.value = to_keep(made, None)
        return self.value


def is_task_cell(found: Replay) -> bool:
    """The run is that of a `%%task` cell: what it makes are names."""
    return found.run.kind == "task" and (found.run.key or "").startswith("notebook:")


def work_of(found: Replay, body: TriedCell) -> Task[..., Any]:
    """The task that the cell is: it is tried once, and tagged with the run that it replays."""
    fn = body.run_async if body.is_async else body.run
    name = f"replay of {found.run.name}"[:200]
    options = options_of(fn, name=name, retries=0, tags=(f"{TAG}{found.run.id}",))
    return Task(fn, replace(options, key=f"replay:{found.run.key or found.run.name}"[:500]))


def note(found: Replay, source: str, body: TriedCell, ending: Ending) -> None:
    """What the cell came to is kept with what is replayed."""
    if ending.type is COMPLETED and ending.error is None:
        found.tried = Tried(
            body.value, source=source, run_id=ending.run_id, has_value=body.has_value
        )
        return
    error = ending.error
    trace = without_our_frames(error).__traceback__ if error is not None else None
    found.tried = Tried(
        error=error, trace=trace, source=source, run_id=ending.run_id, has_value=False
    )
