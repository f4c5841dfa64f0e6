"""One notebook, executed once: its cells in order, in a kernel of its own, with an honest end.

It runs in a runner's process, never in a server: nbclient takes the process for itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from orion_nb.deployments import marks, verdicts
from orion_nb.deployments.endings import Ending, last_words
from orion_nb.deployments.files import LOG
from orion_nb.deployments.kept import KeptNotebook
from orion_nb.deployments.kernel import READY, CellClient, Kernel
from orion_nb.deployments.memory import Memory
from orion_nb.deployments.taking import Taking
from orion_nb.deployments.verdicts import Failure, Stop, is_code, is_skipped
from orion_nb.schemas.states import Completed, Crashed, Failed, State, TimedOut

#: Seconds from an interrupt to a kill, unless the run says otherwise.
GRACE = 10.0
LOOK = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds; None: as long as they like. And how much is kept."""

    run: float | None = None
    cell: float | None = None
    grace: float = GRACE
    start: float = READY
    output: int | None = None


class _Ended(Exception):
    """Leaves the loop over the cells."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(str(ending.state))
        self.ending = ending


class Execution(Taking):
    """Executes the cells of a kept notebook in `kernel`; its file is kept up to date meanwhile."""

    def __init__(self, kept: KeptNotebook, kernel: Kernel, limits: Limits) -> None:
        super().__init__(
            kept,
            limits.output,
            km=kernel.manager,
            allow_errors=verdicts.allows_errors(kept.nb),
            on_cell_execute=self._on_execute,
            on_cell_executed=self._on_executed,
        )
        self.kernel = kernel
        self.limits = limits
        self.memory = Memory(kernel.pid)
        self.number = 0
        #: The reference of the notebook's result, if a cell has declared one.
        self.result: str | None = None
        #: The name of the error that it ended with, if a cell has raised one.
        self.raised = ""
        self._index: int | None = None
        self._order: tuple[State, str] | None = None
        self._ordered = asyncio.Event()
        self._stopped: float | None = None
        self._cell_alarm: asyncio.TimerHandle | None = None

    async def play(self) -> Ending:
        """The cells are executed until the last one, a failure or an order to stop."""
        loop = asyncio.get_running_loop()
        cells = asyncio.ensure_future(self._play())
        aside = self._obey(cells), self._keep(), self.memory.watch()
        beside = [asyncio.ensure_future(each) for each in aside]
        alarm = None
        if self.limits.run is not None:
            alarm = loop.call_later(self.limits.run, self._out_of_time)
        try:
            return await cells
        except asyncio.CancelledError:
            if self._order is None:
                raise
            return self._as_ordered()
        finally:
            self.say_rest()
            for each in (alarm, self._cell_alarm):
                if each is not None:
                    each.cancel()
            for task in beside:
                task.cancel()
            self.leave_widgets()

    async def call_hooks(self) -> None:
        """What the notebook wants called when it is stopped was called, or is cut off.

        The grace began with the order to stop; nothing is called in a kernel that was killed.
        """
        from orion_nb.deployments.hooks import call_hooks

        began = self._stopped if self._stopped is not None else time.monotonic()
        left = began + self.limits.grace - time.monotonic()
        if left > 0 and not await call_hooks(self.kernel, left):
            log.warning("what on_cancel names was cut off: the grace of %g s", self.limits.grace)
            self.kernel.kill()

    @property
    def is_ordered(self) -> bool:
        """It was told to end."""
        return self._order is not None

    def stop(self, state: State, ename: str) -> None:
        """The execution is told to end in `state`; of several orders the first one counts.

        The cell is interrupted, and after the grace killed with its kernel.
        """
        if self._order is None:
            self._order, self._stopped = (state, ename), time.monotonic()
            self._ordered.set()

    async def _play(self) -> Ending:
        try:
            await self._get_ready()
            for index, cell in enumerate(self.nb.cells):
                await self._play_cell(cell, index)
            if not await self.kernel.manager.is_alive():
                return self._died("after its last cell")
            return Ending(Completed(result=self.result))
        except _Ended as ended:
            return ended.ending
        except DeadKernelError:
            return self._died(f"in cell {self.number}")

    async def _get_ready(self) -> None:
        """The kernel answers, and has told its language."""
        try:
            self.kc = await self.kernel.connect(self.limits.start)
            info = await self.async_wait_for_reply(self.kc.kernel_info())
        except (RuntimeError, DeadKernelError) as error:
            told, log = str(error), self.kept.path.with_name(LOG)
            if not await self.kernel.manager.is_alive():
                told = self.kernel.fate() + last_words(log)
            self._end(Crashed(f"the kernel was never ready: {told}; {log} may say more"))
        self.session = info["header"]["session"] if info else None
        if info and "language_info" in info["content"]:
            self.nb.metadata["language_info"] = info["content"]["language_info"]

    async def _play_cell(self, cell: NotebookNode, index: int) -> None:
        if self._order is not None:
            raise _Ended(self._as_ordered())
        if not is_code(cell):
            return
        if is_skipped(cell):
            self.kept.progress.end(index, "Skipped")
            return
        self._index = index
        assert isinstance(self.kc, CellClient)
        self.kc.cell_id = cell.get("id")
        await self.async_execute_cell(cell, index)

    def _on_execute(self, cell: NotebookNode, cell_index: int) -> None:
        self.number += 1
        at = self.kept.progress.begin(cell_index, self.number)
        self.kept.journal.write("begin", cell_index, at=at)
        self.kept.touch(between_cells=True)
        if self.limits.cell is not None:
            told = f"cell {self.number} took longer than {self.limits.cell:g} s"
            self._cell_alarm = asyncio.get_running_loop().call_later(
                self.limits.cell, self.stop, TimedOut(told), "CellTimeout"
            )

    def _on_executed(
        self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]
    ) -> None:
        """The kernel's reply is judged: whatever is not `ok` ends the run."""
        if self._cell_alarm is not None:
            self._cell_alarm.cancel()
        self.end_cell(cell, cell_index)
        reply = execute_reply["content"]
        self.result = verdicts.result_in(reply) or self.result
        verdict = verdicts.judge(cell, reply, allowed=self.allow_errors)
        failed = isinstance(verdict, Failure) or self._order is not None
        at = self.kept.progress.end(cell_index, "Failed" if failed else "Completed")
        self.kept.journal.write("end", cell_index, at=at, count=cell.execution_count)
        self.kept.touch(between_cells=True)
        self.save_if_due()
        if self._order is not None:
            raise _Ended(self._as_ordered())
        if isinstance(verdict, Stop):
            self._stop_early(cell, verdict.reason)
        elif verdict is not None:
            self._fail(cell, verdict)

    def _fail(self, cell: NotebookNode, failure: Failure) -> NoReturn:
        self.raised = failure.ename
        if not any(output.output_type == "error" for output in cell.outputs):
            marks.add_error(cell, failure.ename, failure.evalue)  # an unknown magic leaves none
        spec = self.kernel.manager.kernel_spec
        python = spec.argv[0] if spec is not None else ""
        told = f"cell {self.number}{failure.told}{self.memory.short(failure.ename)}"
        self._end(Failed(told + verdicts.hint(failure, self.kernel.manager.kernel_name, python)))

    def _stop_early(self, cell: NotebookNode, reason: str) -> NoReturn:
        verdicts.without_exit(cell)
        rest = self.nb.cells[(self._index or 0) + 1 :]
        left = sum(is_code(cell) and not is_skipped(cell) for cell in rest)
        why = f" ({reason})" if reason else ""
        told = f"stopped early in cell {self.number}{why}: {left} cell{'s' * (left != 1)}"
        self._end(Completed(message=f"{told} did not run", result=self.result))

    def _died(self, where: str) -> Ending:
        """The kernel is gone: as ordered, or by itself."""
        if self._order is not None:
            return self._as_ordered()
        fate = self.kernel.fate()
        killed = "signal 9" in fate
        told = f"kernel {fate} {where}{self.memory.told(killed)}"
        if self.restarted:
            told = f"kernel restarted by itself {where}: what the cells before had made was gone"
        return Ending(Crashed(told), self._index, self.number, "KernelDied")

    def _end(self, state: State) -> NoReturn:
        if self._order is not None:
            raise _Ended(self._as_ordered())
        raise _Ended(Ending(state, self._index, self.number))

    def _as_ordered(self) -> Ending:
        assert self._order is not None
        state, ename = self._order
        return Ending(state, self._index, self.number, ename)

    def _out_of_time(self) -> None:
        where = f" (in cell {self.number})" if self.number else ""
        told = f"the run took longer than {self.limits.run:g} s{where}"
        self.stop(TimedOut(told), "RunTimeout")

    async def _obey(self, cells: asyncio.Task[Ending]) -> None:
        """Once ordered to stop: interrupt, wait for the grace, kill."""
        await self._ordered.wait()
        if self._index is not None:
            await self.kernel.interrupt()
            await asyncio.wait([cells], timeout=self.limits.grace)
        if not cells.done():
            self.kernel.kill()
            cells.cancel()

    async def _keep(self) -> None:
        """What a long cell prints is saved while it runs."""
        while True:
            await asyncio.sleep(LOOK)
            self.save_if_due()
