"""A Jupyter server as a child process: started, asked whether it is there, and stopped."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from orion_nb.deployments.guard import PARENT_VARIABLE
from orion_nb.deployments.standby import guarded
from orion_nb.errors import InvalidInput, OrionError

#: How long a server may take to come up, and to go after it is asked to (seconds).
PATIENCE = 60.0
FAREWELL = 15.0
LOOK = 0.05

EXTENSION = "orion_nb_server"


class ServerUnreachable(OrionError):
    """Read what the server printed; `orion-nb doctor` checks what it needs."""

    status = 503


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is; `token` is empty if it asks for a password or for nothing."""

    url: str
    token: str
    pid: int

    @property
    def dashboard(self) -> str:
        """The dashboard, as a person opens it: with the token."""
        return self.page("orion/")

    def page(self, path: str) -> str:
        token = f"?token={quote(self.token)}" if self.token else ""
        return f"{self.url}{quote(path)}{token}"

    def get(self, path: str) -> Any:
        """The JSON that the server answers.

        Raises:
            OSError: there is no such answer.
        """
        request = urllib.request.Request(f"{self.url}{path}")
        if self.token:
            request.add_header("Authorization", f"token {self.token}")
        # No proxy of the environment: the server is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=5) as answer:
            return json.load(answer)


class Server:
    """A Jupyter server with the extension, in a child process that leads its own group."""

    def __init__(self, process: subprocess.Popen[bytes], environ: Mapping[str, str]) -> None:
        self.process = process
        self._environ = environ

    @classmethod
    def start(
        cls,
        options: Sequence[str] = (),
        *,
        lab: bool,
        environ: Mapping[str, str],
        cwd: Path | None = None,
        log: IO[bytes] | None = None,
    ) -> Server:
        """The process is started; `wait` says when it answers. It dies with this one on Linux."""
        module = "jupyterlab" if lab else "jupyter_server"
        enabled = f"--ServerApp.jpserver_extensions={EXTENSION}=True"
        command = [sys.executable, "-m", module, "--no-browser", enabled, *options]
        child = {**environ, PARENT_VARIABLE: str(os.getpid())}
        # In a group of its own Ctrl-C reaches us alone: we stop it in good order.
        group: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
        process = subprocess.Popen(
            guarded(command),
            env=child,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **group,
        )
        return cls(process, child)

    def wait(self, patience: float = PATIENCE) -> Address:
        """Where the server is, once Orion answers there.

        Raises:
            ServerUnreachable: it has ended, or does not answer in time.
        """
        deadline = time.monotonic() + patience
        told = "it has not said where it listens"
        while time.monotonic() < deadline:
            if (code := self.process.poll()) is not None:
                raise ServerUnreachable(f"the Jupyter server ended with code {code}")
            if (address := self._address()) is not None:
                try:
                    address.get("orion/api/v1/health")
                    return address
                except (OSError, ValueError) as error:
                    told = f"{address.url}orion/api/v1/health: {error}"
            time.sleep(LOOK)
        raise ServerUnreachable(f"no answer from the Jupyter server in {patience:.0f} s: {told}")

    def stop(self) -> int:
        """The server has ended when this returns, with its kernels; gives its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(FAREWELL)
            except subprocess.TimeoutExpired:
                self._kill()
        return self.process.wait()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()

    def _address(self) -> Address | None:
        """What the server wrote about itself when it began to listen."""
        file = runtime_folder(self._environ) / f"jpserver-{self.process.pid}.json"
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return Address(told["url"], told["token"], self.process.pid)


def has_lab() -> bool:
    """JupyterLab is installed."""
    return importlib.util.find_spec("jupyterlab") is not None


def check_host(host: str) -> None:
    """A server can listen there; `*` and an empty text are all addresses of this machine.

    Raises:
        InvalidInput: it can't, as the system says.
    """
    if host in ("", "*"):
        return
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, number) as listening:
            listening.bind(address)
    except (OSError, UnicodeError) as error:
        says = f"--host: {host!r} is no address of this machine: {error}"
        raise InvalidInput(says, field="host") from None


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Within the block, what asks this process to end raises KeyboardInterrupt, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    wanted = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    before = {number: signal.signal(number, interrupt) for number in wanted if number is not None}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed(say: Callable[[str], None]) -> Iterator[None]:
    """Within the block a first Ctrl-C is answered with patience; only a second one interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        say("Stopping; press Ctrl-C again to leave at once.")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """Where Jupyter servers of this user say where they listen."""
    if told := environ.get("JUPYTER_RUNTIME_DIR"):
        return Path(told)
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir())
