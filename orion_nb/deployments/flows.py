"""One attempt at a run of a flow: its file is imported and called in a process that is guarded."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from orion_nb.deployments.attempt import Attempt
from orion_nb.deployments.endings import Ending, fate
from orion_nb.deployments.environ import child_environ
from orion_nb.deployments.host import HOOKS, SOURCE, Told
from orion_nb.deployments.isolation import workplace
from orion_nb.deployments.overheard import Overheard
from orion_nb.deployments.source import read_flow_source
from orion_nb.deployments.standby import StandbyFlow
from orion_nb.deployments.sweeping import new_mark, sweep
from orion_nb.errors import OrionError
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Crashed, Failed, State, TimedOut

#: Seconds between two looks whether a flow has ended.
LOOK = 0.01
#: Seconds that functions named by `on_change` get when the attempt has ended.
PATIENCE = 60.0


class FlowAttempt(Attempt):
    """One execution of a run that is RUNNING and ours; use it on the main thread."""

    def __init__(self, *told: Any, began: Report | None = None) -> None:
        super().__init__(*told)
        self._began = began
        self._mark = new_mark(self.run.id, self.run.attempt)
        self._process: FlowProcess | None = None
        self._is_hooked = False
        self._path = self._cwd_of_flow = ""

    async def play(self) -> Ending:
        """The flow is called. No process of it is left but one that waits for `tell`."""
        try:
            source = read_flow_source(self.spec)
            self.note_source(source.version)
            self._path = source.path
            cwd = Path(self.spec.cwd) if self.spec.cwd else Path(source.path).parent
            cwd = workplace(self.folder, cwd, isolated=self.spec.isolated)
            self._cwd_of_flow = str(cwd)
            (self.folder / SOURCE).write_bytes(source.text)
            Told.take(self.folder)  # of an attempt that nobody asked what it came to
            (self.folder / HOOKS).unlink(missing_ok=True)
            self._process = self._start(began=self._began and told_of(self.run, self._began))
        except OrionError as error:
            return Ending(Failed(str(error)), retriable=False)
        except OSError as error:
            return Ending(Crashed(f"the flow's process can't be started: {error}"))
        execution = FlowExecution(self._process, self.run.policy.timeout, self.spec.grace)
        ended = await self.steer(execution, execution.play())
        self._is_hooked = (self.folder / HOOKS).exists()
        ending = ended or self._came_to()
        self._end_children(ending.state)
        return ending

    def tell(self, run: Run, report: Report) -> None:
        """What `on_change` names was called with how the attempt ended.

        In the flow's process, if that still lives; else in a new one that calls nothing else.
        """
        if not self._is_hooked:
            return
        told = told_of(run, report)
        with suppress(OSError):
            if self._process is None or not self._process.waits:
                self._process = self._start(ended=told)
            else:
                self._process.standby.tell(told)
            self._process.wait(PATIENCE)
        self.close()

    def close(self) -> None:
        """No process of this attempt is left."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _start(self, **told: Any) -> FlowProcess:
        environ = child_environ(os.environ, **self.environ(self._mark, self._path))
        standby: Any = self.standby
        if standby is None or not standby.is_flow or not standby.waits_in(environ):
            standby = StandbyFlow(environ)
        own = {"run": self.run.id, "api_token": self.orion.settings.api_token}
        standby.tell({**own, "cwd": self._cwd_of_flow, "env": environ, **told})
        return FlowProcess(standby, self._mark, self.folder)

    def _came_to(self) -> Ending:
        assert self._process is not None
        told = Told.take(self.folder)
        if told is None:
            code = self._process.standby.process.returncode
            return Ending(Crashed(f"flow {fate(code)} before it ended"))
        return Ending(told.state, retriable=told.retriable)


def told_of(run: Run, report: Report) -> dict[str, Any]:
    """A run and the report on it, as its host hears of them: who reads that needs no token."""
    return {"as": run.as_json(), "report": {**report.as_json(), "token": None}}


class FlowProcess:
    """The process of a flow, and all that it started."""

    def __init__(self, standby: StandbyFlow, mark: str, folder: Path) -> None:
        self.standby = standby
        self._process = standby.process
        self._mark, self._folder = mark, folder
        self._overheard = Overheard(self._process)
        #: The flow has ended, and its process wants to hear how that was judged.
        self.waits = False
        self._is_gone = False

    async def ended(self) -> None:
        """The flow has ended, with its process or before it."""
        while self._process.poll() is None:  # a process sets no event
            if (self._folder / HOOKS).exists() and Told.is_there(self._folder):
                self.waits = True
                return
            await asyncio.sleep(LOOK)

    def wait(self, patience: float) -> None:
        """Its process has ended, or gets no more time."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def kill(self) -> None:
        """None of its processes is left, and what they said is in the log."""
        if self._is_gone:  # another process may have got its number by now
            return
        self._is_gone, self.waits = True, False
        self.signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        sweep(self._mark)
        self._process.wait()
        self._overheard.end()
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()


class FlowExecution:
    """A flow's process, until the flow has ended or was ended."""

    def __init__(self, process: FlowProcess, timeout: float | None, grace: float) -> None:
        self._process = process
        self._timeout = timeout
        self._grace = grace
        self._order: State | None = None
        self._ordered = asyncio.Event()

    async def play(self) -> Ending | None:
        """How it ended if that was ordered, else None."""
        loop = asyncio.get_running_loop()
        alarm = None
        if self._timeout is not None:
            told = TimedOut(f"the run took longer than {self._timeout:g} s")
            alarm = loop.call_later(self._timeout, self.stop, told, "RunTimeout")
        obeying = asyncio.ensure_future(self._obey())
        try:
            await self._process.ended()
        finally:
            obeying.cancel()
            if alarm is not None:
                alarm.cancel()
            if not self._process.waits:
                self._process.kill()
        return None if self._order is None else Ending(self._order)

    def stop(self, state: State, ename: str) -> None:
        """The flow is told to end in `state`; of several orders the first one counts."""
        if self._order is None:
            self._order = state
            self._ordered.set()

    async def _obey(self) -> None:
        """Once ordered to stop: interrupt, wait for the grace, kill."""
        await self._ordered.wait()
        self._process.signal(signal.SIGINT)
        await asyncio.sleep(self._grace)
        self._process.kill()
