"""One notebook, executed once: its cells in order, in a kernel of its own, with an honest end.

It runs in a runner's process, never in a server: nbclient takes the process for itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, NoReturn

from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from orion_nb.deployments import marks
from orion_nb.deployments.endings import Ending
from orion_nb.deployments.kept import KeptNotebook
from orion_nb.deployments.kernel import CellClient, Kernel
from orion_nb.deployments.outputs import Outputs, Streams
from orion_nb.schemas.states import Completed, Crashed, Failed, State, TimedOut

#: Seconds from an interrupt to a kill, unless the run says otherwise.
GRACE = 10.0
LOOK = 0.25
LONGEST = 500
#: What stays of a kernel that has just been asked to exit, by code that is 0 for success.
CLEAN_EXITS = ("", "0", "None", "False")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds; None: as long as they like."""

    run: float | None = None
    cell: float | None = None
    grace: float = GRACE


class _Ended(Exception):
    """Leaves the loop over the cells."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(str(ending.state))
        self.ending = ending


class Execution(NotebookClient):
    """Executes the cells of a kept notebook in `kernel`; its file is kept up to date meanwhile."""

    def __init__(self, kept: KeptNotebook, kernel: Kernel, limits: Limits) -> None:
        super().__init__(
            kept.nb,
            km=kernel.manager,
            store_widget_state=False,
            iopub_timeout=60,
            on_cell_execute=self._on_execute,
            on_cell_executed=self._on_executed,
        )
        self.kernel = kernel
        self.kept = kept
        kept.settle = self.settle
        self.limits = limits
        self.streams: dict[int, Streams] = {}
        self.number = 0
        self._index: int | None = None
        self._order: tuple[State, str] | None = None
        self._ordered = asyncio.Event()
        self._cell_alarm: asyncio.TimerHandle | None = None

    async def play(self) -> Ending:
        """The cells are executed until the last one, a failure or an order to stop."""
        loop = asyncio.get_running_loop()
        cells = asyncio.ensure_future(self._play())
        beside = [asyncio.ensure_future(self._obey(cells)), asyncio.ensure_future(self._keep())]
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
            for each in (alarm, self._cell_alarm):
                if each is not None:
                    each.cancel()
            for task in beside:
                task.cancel()

    def stop(self, state: State, ename: str) -> None:
        """The execution is told to end in `state`; of several orders the first one counts.

        The cell is interrupted, and after the grace killed with its kernel.
        """
        if self._order is None:
            self._order = state, ename
            self._ordered.set()

    def settle(self) -> None:
        """The printed text is in the notebook."""
        for streams in self.streams.values():
            streams.settle()

    async def _play(self) -> Ending:
        try:
            await self._get_ready()
            for index, cell in enumerate(self.nb.cells):
                await self._play_cell(cell, index)
            return Ending(Completed())
        except _Ended as ended:
            return ended.ending
        except DeadKernelError:
            return self._died()

    async def _get_ready(self) -> None:
        """The kernel answers, and has told its language."""
        try:
            self.kc = await self.kernel.connect()
            info = await self.async_wait_for_reply(self.kc.kernel_info())
        except (RuntimeError, DeadKernelError) as error:
            told = self.kernel.fate() if not await self.kernel.manager.is_alive() else str(error)
            self._end(Crashed(f"the kernel was never ready: {told}; runner.log may say why"))
        if info and "language_info" in info["content"]:
            self.nb.metadata["language_info"] = info["content"]["language_info"]

    async def _play_cell(self, cell: NotebookNode, index: int) -> None:
        if self._order is not None:
            raise _Ended(self._as_ordered())
        self._index = index
        assert isinstance(self.kc, CellClient)
        self.kc.cell_id = cell.get("id")
        await self.async_execute_cell(cell, index)
        if index in self.streams:
            self.streams.pop(index).settle()

    def _on_execute(self, cell: NotebookNode, cell_index: int) -> None:
        self.number += 1
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
        self.kept.touch(between_cells=True)
        self.kept.save_if_due()
        if self._order is not None:
            raise _Ended(self._as_ordered())
        reply = execute_reply["content"]
        if any(told.get("source") == "ask_exit" for told in reply.get("payload") or ()):
            self._stop_early()  # exit(): the kernel is about to end, and there is no error
        if reply["status"] == "ok" or "raises-exception" in marks.tags(cell):
            return
        if reply.get("ename") == "SystemExit" and reply.get("evalue") in CLEAN_EXITS:
            self._stop_early()
        self._fail(cell, reply)

    def _fail(self, cell: NotebookNode, reply: dict[str, Any]) -> NoReturn:
        ename, evalue = reply.get("ename"), reply.get("evalue") or ""
        if not ename:
            ename, evalue = "Aborted", "not executed"
        # An assert often says no more than its name.
        told = f"cell {self.number}: {ename}" + (f": {evalue}" if evalue else "")
        if ename == "StdinNotImplementedError":
            told = f"cell {self.number} asks for input; make it a parameter"
        if not any(output.output_type == "error" for output in cell.outputs):
            marks.add_error(cell, ename, evalue)  # an unknown magic leaves none
        self._end(Failed(told if len(told) <= LONGEST else told[: LONGEST - 1] + "…"))

    def _stop_early(self) -> NoReturn:
        left = sum(1 for cell in self.nb.cells[(self._index or 0) + 1 :] if self._is_run(cell))
        told = f"stopped early in cell {self.number}: {left} cell{'s' * (left != 1)} did not run"
        self._end(Completed(message=told))

    def _died(self) -> Ending:
        """The kernel is gone: as ordered, or by itself."""
        if self._order is not None:
            return self._as_ordered()
        told = f"kernel {self.kernel.fate()} in cell {self.number}"
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
            self.kept.save_if_due()

    def _is_run(self, cell: NotebookNode) -> bool:
        skipped = self.skip_cells_with_tag in marks.tags(cell)
        return cell.cell_type == "code" and bool(cell.source.strip()) and not skipped

    # -- what nbclient calls for messages of the kernel --------------------------------------------

    def output(
        self, outs: Outputs, msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        self.kept.touch()
        captured = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if msg["msg_type"] != "stream" or captured:
            return super().output(outs, msg, display_id, cell_index)
        if self.clear_before_next_output:
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
        streams = self.streams.setdefault(cell_index, Streams())
        streams.add(outs, msg["content"]["name"], msg["content"]["text"])
        return None

    def clear_display_id_mapping(self, cell_index: int) -> None:
        """The outputs of a cell were cleared."""
        super().clear_display_id_mapping(cell_index)
        if cell_index in self.streams:
            self.streams[cell_index].clear()
