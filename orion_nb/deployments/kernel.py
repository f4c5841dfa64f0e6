"""A kernel of one attempt: how it is started, interrupted, and ended with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import TraitError

from orion_nb.deployments.endings import fate
from orion_nb.deployments.overheard import Overheard
from orion_nb.deployments.sockets import SocketFolder
from orion_nb.deployments.standby import StandbyKernel, guarded
from orion_nb.deployments.sweeping import sweep
from orion_nb.errors import KernelNotFound

#: Seconds that a kernel gets to end by itself after its last cell: exit handlers run.
FAREWELL = 5.0
#: What ends an ipykernel. A shutdown request does too, but now and then its control thread then
#: waits ten seconds for a thread that is gone already (seen with 7.4 on a busy machine). By itself
#: it would wait for a tenth of a second before its loop ends.
EXIT = """(lambda shell: (shell.ask_exit(),
    shell.kernel.io_loop.call_later(0, shell.kernel.io_loop.stop)))(
    __import__('IPython').get_ipython())"""
#: Tells a kernel of the token by which what it executes is told to a server; see `hand_token`.
HAND = """try: __import__('orion_nb.settings').settings.hand_token({!r})
except Exception: pass"""
READY = 60.0
#: Messages that may wait for being taken; by default they are a thousand.
QUEUE = 100_000
LOOK = 0.01


class CellClient(AsyncKernelClient):
    """A client that tells the kernel which cell it executes, as JupyterLab does."""

    cell_id: str | None = None

    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: dict[str, Any] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
    ) -> str:
        content = {
            "code": code,
            "silent": silent,
            "store_history": store_history,
            "user_expressions": user_expressions or {},
            "allow_stdin": self.allow_stdin if allow_stdin is None else allow_stdin,
            "stop_on_error": stop_on_error,
        }
        metadata = {"cellId": self.cell_id} if self.cell_id else {}
        message = self.session.msg("execute_request", content, metadata=metadata)
        self.shell_channel.send(message)
        return str(message["header"]["msg_id"])


class GuardedKernelManager(AsyncKernelManager):
    """Starts kernels that die with this process. Start them from the main thread.

    If a `standby` fits, it becomes the kernel.
    """

    standby: StandbyKernel | None = None

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        self.bare = super().format_kernel_cmd(extra_arguments)
        return guarded(self.bare)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        standby, told = self.standby, self.provisioner
        environ = {**options["env"], "JPY_PARENT_PID": str(os.getpid())}
        fits = standby is not None and standby.fits(self.bare, environ)
        if standby is not None and fits and isinstance(told, LocalProvisioner):
            with suppress(OSError):  # it has just ended: another one is started
                standby.become(self.bare, options["cwd"], environ)
                told.process, told.pid = standby.process, standby.process.pid
                told.pgid, told.cwd = told.pid, options["cwd"]
                return
        await super()._async_launch_kernel(kernel_cmd, **options)


def find_kernel(name: str) -> KernelSpec:
    """The kernel of this name.

    Raises:
        KernelNotFound: the message lists those there are.
    """
    known = KernelSpecManager()
    try:
        return known.get_kernel_spec(name)
    except NoSuchKernel:
        have = ", ".join(sorted(known.find_kernel_specs())) or "none"
        raise KernelNotFound(f"kernel {name!r} not found; have: {have}") from None
    except (ValueError, TypeError, OSError, TraitError) as error:  # whatever its file holds
        says = f"kernel {name!r} can't be used, its kernel.json is damaged: {error}"
        raise KernelNotFound(says) from error


class Kernel:
    """A running kernel that leads a process group of its own."""

    def __init__(
        self,
        manager: GuardedKernelManager,
        process: subprocess.Popen[bytes],
        folder: SocketFolder,
        mark: str,
    ) -> None:
        self.manager = manager
        self.client: CellClient | None = None
        #: The token of the server that its runs are told to, if they are.
        self.api_token = ""
        self._process = process
        self._overheard = Overheard(process)
        self._folder = folder
        self._mark = mark

    @classmethod
    async def start(
        cls,
        name: str,
        cwd: Path,
        environ: Mapping[str, str],
        mark: str,
        standby: StandbyKernel | None = None,
    ) -> Kernel:
        """The kernel's process is started; it is not ready yet.

        It is that of `standby` if it waits for a kernel like this, and has not become one already.

        Raises:
            KernelNotFound: no kernel has this name.
            OSError: it can't be started.
        """
        spec = find_kernel(name)
        # Sockets in a folder that only we may enter: ports of TCP can be taken by another kernel
        # between being chosen and being opened, and other users of the machine can read from them.
        folder = SocketFolder()
        options: dict[str, Any] = {"connection_file": str(folder.path / "kernel.json")}
        if _is_ipykernel(spec) and hasattr(os, "killpg"):
            options["transport"] = "ipc"
        manager = GuardedKernelManager(kernel_name=name, client_factory=CellClient, **options)
        manager.standby = standby
        try:
            await manager.start_kernel(
                cwd=str(cwd),
                env=dict(environ),
                extra_arguments=_arguments(spec),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except BaseException:
            folder.remove()
            raise
        process = manager.provisioner.process  # type: ignore[union-attr]
        return cls(manager, process, folder, mark)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def interrupt(self) -> None:
        """The cell being executed gets a KeyboardInterrupt."""
        if self._process.poll() is None:
            await self.manager.interrupt_kernel()

    def kill(self) -> None:
        """The kernel and every process it started are killed, now."""
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            elif self._process.poll() is None:
                self._process.kill()
        sweep(self._mark)

    async def end(self) -> None:
        """The kernel and every process it started are gone when this returns.

        A kernel that still lives is asked first, so that its exit handlers run.
        """
        try:
            if self._process.poll() is None:
                await self._say_goodbye()
        finally:
            self.kill()
            await self._has_ended(FAREWELL)
            self._overheard.end()
            if self.client is not None:
                self.client.stop_channels()
            await self.manager.cleanup_resources()
            self._folder.remove()

    def fate(self) -> str:
        """How the kernel's process ended, in words: `killed by signal 9`, `exited with code 3`."""
        return fate(self._process.poll())

    @property
    def speaks_ipython(self) -> bool:
        """It is one of IPython's, which executes Python."""
        spec = self.manager.kernel_spec
        return spec is not None and _is_ipykernel(spec)

    async def connect(self, within: float = READY) -> CellClient:
        """A client for this kernel, once it answers and what it prints is heard.

        Raises:
            RuntimeError: it died, or did not answer within so many seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        client = self.manager.client()
        assert isinstance(client, CellClient)
        self.client = client
        await self._has_sockets(deadline)
        # Where more outputs wait than this, ZeroMQ loses the next ones without a word.
        client.context.setsockopt(zmq.RCVHWM, QUEUE)
        client.start_channels()
        client.allow_stdin = False
        while loop.time() < deadline:
            if await _answers(client):
                if self.api_token and self.speaks_ipython:
                    code = HAND.format(self.api_token)
                    client.execute(code, True, store_history=False, stop_on_error=False)
                return client
            if self._process.poll() is not None:
                raise RuntimeError("the kernel died before it answered")
        raise RuntimeError(f"the kernel did not answer within {within:g} s")

    async def _has_sockets(self, deadline: float) -> None:
        """A client that comes before there is something to connect to tries again a while later."""
        loop = asyncio.get_running_loop()
        if self.manager.transport != "ipc":
            return
        names = [f"{self.manager.ip}-{number}" for number in self.manager.ports]
        while loop.time() < deadline and self._process.poll() is None:
            if all(map(os.path.exists, names)):
                return
            await asyncio.sleep(LOOK / 2)

    async def _say_goodbye(self) -> None:
        """The kernel is asked to end, and may take its time about it."""
        spec = self.manager.kernel_spec
        if self.client is not None and spec is not None and _is_ipykernel(spec):
            for _ in range(4):  # one that comes too soon after an error is not executed
                self.client.execute(EXIT, silent=True)
                if await self._has_ended(0.5):
                    return
        await self.manager.request_shutdown()
        await self._has_ended(FAREWELL)

    async def _has_ended(self, patience: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while self._process.poll() is None and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LOOK)  # a process sets no event
        return self._process.returncode is not None


async def _answers(client: CellClient) -> bool:
    """The kernel answers a question of ours within a second, and we hear it say so to all.

    jupyter_client's own way to find out takes a fifth of a second longer.
    """
    asked = client.kernel_info()
    try:
        while (await client.get_shell_msg(timeout=1))["parent_header"].get("msg_id") != asked:
            pass
        while True:
            heard = await client.get_iopub_msg(timeout=0.2)
            is_idle = heard["content"].get("execution_state") == "idle"
            if is_idle and heard["parent_header"].get("msg_id") == asked:
                return True
    except Empty:
        return False


def _is_ipykernel(spec: KernelSpec) -> bool:
    return any("ipykernel" in part for part in spec.argv)


def _arguments(spec: KernelSpec) -> list[str]:
    if not _is_ipykernel(spec):
        return []
    # `%%task` works without %load_ext; where orion_nb is not installed, ipykernel only warns.
    # No history file: kernels that run side by side would wait for one another.
    return ["--IPKernelApp.extra_extensions=orion_nb", "--HistoryManager.hist_file=:memory:"]
