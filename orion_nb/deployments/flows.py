"""One attempt at a run of a flow: its file is imported and called in a process that is guarded."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from orion_nb.deployments.attempt import Attempt
from orion_nb.deployments.endings import Ending, fate
from orion_nb.deployments.environ import child_environ
from orion_nb.deployments.guard import PARENT_VARIABLE
from orion_nb.deployments.host import SOURCE, Told
from orion_nb.deployments.source import read_flow_source
from orion_nb.deployments.standby import guarded
from orion_nb.deployments.sweeping import new_mark, sweep
from orion_nb.errors import InvalidInput, OrionError
from orion_nb.schemas.states import Crashed, Failed, State, TimedOut
from orion_nb.secrets import redacted

#: Bytes of what the process prints that are kept in the runner's log.
LONGEST_LOG = 1 << 20
LONGEST_LINE = 1 << 16
#: Seconds for what is still in the pipe when the process has ended.
REST = 1.0


class FlowAttempt(Attempt):
    """One execution of a run that is RUNNING and ours; use it on the main thread."""

    async def play(self) -> Ending:
        """The flow is called, and no process of it is left when this returns, whatever happens."""
        mark = new_mark(self.run.id, self.run.attempt)
        try:
            source = read_flow_source(self.spec)
            self.note_source(source.version)
            cwd = Path(self.spec.cwd) if self.spec.cwd else Path(source.path).parent
            if not cwd.is_dir():
                raise InvalidInput(f"cwd: {str(cwd)!r} is no folder", field="cwd")
            (self.folder / SOURCE).write_bytes(source.text)
            Told.take(self.folder)  # of an attempt that nobody asked what it came to
            environ = child_environ(os.environ, **self.environ(mark, source.path))
            process = await _start(self.run.id, cwd, environ)
        except OrionError as error:
            return Ending(Failed(str(error)), retriable=False)
        except OSError as error:
            return Ending(Crashed(f"the flow's process can't be started: {error}"))
        execution = FlowExecution(process, mark, self.run.policy.timeout, self.spec.grace)
        ended = await self.steer(execution, execution.play())
        ending = ended or self._came_to(process.returncode)
        self._end_children(ending.state)
        return ending

    def _came_to(self, code: int | None) -> Ending:
        told = Told.take(self.folder)
        if told is None:
            return Ending(Crashed(f"flow {fate(code)} before it ended"))
        return Ending(told.state, retriable=told.retriable)


class FlowExecution:
    """The process of a flow, until it has ended or was ended."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        mark: str,
        timeout: float | None,
        grace: float,
    ) -> None:
        self._process = process
        self._mark = mark
        self._timeout = timeout
        self._grace = grace
        self._order: State | None = None
        self._ordered = asyncio.Event()

    async def play(self) -> Ending | None:
        """How it ended if that was ordered, else None; no process of it is left."""
        loop = asyncio.get_running_loop()
        alarm = None
        if self._timeout is not None:
            told = TimedOut(f"the run took longer than {self._timeout:g} s")
            alarm = loop.call_later(self._timeout, self.stop, told, "RunTimeout")
        listening = asyncio.ensure_future(self._listen())
        obeying = asyncio.ensure_future(self._obey())
        try:
            await self._process.wait()
        finally:
            obeying.cancel()
            if alarm is not None:
                alarm.cancel()
            self._kill()
            await asyncio.wait([listening], timeout=REST)
            listening.cancel()
        return None if self._order is None else Ending(self._order)

    def stop(self, state: State, ename: str) -> None:
        """The flow is told to end in `state`; of several orders the first one counts."""
        if self._order is None:
            self._order = state
            self._ordered.set()

    async def _obey(self) -> None:
        """Once ordered to stop: interrupt, wait for the grace, kill."""
        await self._ordered.wait()
        self._signal(signal.SIGINT)
        await asyncio.sleep(self._grace)
        self._kill()

    async def _listen(self) -> None:
        """What the process prints goes to the runner's log, as much as fits there."""
        left = LONGEST_LOG
        assert self._process.stdout is not None
        held = b""  # a line that is not whole yet: what is secret may be in its two halves
        while chunk := await self._process.stdout.read(1 << 16):
            whole, newline, held = (held + chunk).rpartition(b"\n")
            if len(held) > LONGEST_LINE:
                whole, newline, held = whole + newline + held, b"", b""
            chunk = whole + newline
            if left > 0:
                sys.stderr.write(redacted(chunk[:left].decode(errors="replace")))
                sys.stderr.flush()
            left -= len(chunk)
        sys.stderr.write(redacted(held.decode(errors="replace")))
        if left < 0:
            sys.stderr.write(f"\n... {-left:,} more bytes are not kept ...\n")

    def _kill(self) -> None:
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        sweep(self._mark)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)


async def _start(run_id: str, cwd: Path, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    # -P: a flow's folder may hold a json.py; it must not become that of our own imports.
    command = [sys.executable, "-P", "-m", "orion_nb.deployments.host", run_id]
    return await asyncio.create_subprocess_exec(
        *guarded(command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=str(cwd),
        env={**environ, PARENT_VARIABLE: str(os.getpid())},
        start_new_session=True,
    )
