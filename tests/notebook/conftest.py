"""A real kernel, and what running a cell in it shows."""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from orion_nb.api.orion import Orion
from orion_nb.settings import Settings

ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join(str(ROOT / name) for name in (".", "server_extension", "widgets"))
ANSI = re.compile(r"\x1b\[[0-9;]*m")
PATIENCE = 60  # seconds for one cell


@dataclass
class Ran:
    """What came of a cell: as a front end would have it on the screen when the cell is done."""

    reply: dict[str, Any]
    outputs: list[dict[str, Any]] = field(default_factory=list)
    #: Every bundle that was displayed or updated, in order.
    shown: list[dict[str, Any]] = field(default_factory=list)
    #: All messages about it, in order.
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.reply["status"] == "ok")

    @property
    def stdout(self) -> str:
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        return self._stream("stderr")

    @property
    def displays(self) -> list[dict[str, Any]]:
        return [each["data"] for each in self.outputs if each["kind"] == "display_data"]

    @property
    def texts(self) -> list[str]:
        return [data["text/plain"] for data in self.displays]

    @property
    def result(self) -> str | None:
        """The text of `Out[n]`."""
        found = [each["data"] for each in self.outputs if each["kind"] == "execute_result"]
        return found[0]["text/plain"] if found else None

    @property
    def html(self) -> str:
        """The HTML of `Out[n]`, or else of all that was displayed."""
        kinds = ("execute_result", "display_data")
        told = [each["data"].get("text/html", "") for each in self.outputs if each["kind"] in kinds]
        return "\n".join(told)

    @property
    def error(self) -> str:
        """`ename: evalue` of the error output; "" when there is none."""
        found = [each for each in self.outputs if each["kind"] == "error"]
        return f"{found[0]['ename']}: {found[0]['evalue']}" if found else ""

    @property
    def traceback(self) -> str:
        found = [each for each in self.outputs if each["kind"] == "error"]
        return ANSI.sub("", "\n".join(found[0]["traceback"])) if found else ""

    def _stream(self, name: str) -> str:
        told = [each for each in self.outputs if each["kind"] == "stream"]
        return ANSI.sub("", "".join(each["text"] for each in told if each["name"] == name))


class Kernel:
    """A kernel of its own process, with a data folder of its own."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.home = home
        folder = home.parent
        made = f"kernel-{len(list(folder.glob('kernel-*')))}.json"
        self.manager = KernelManager(kernel_name="python3", connection_file=str(folder / made))
        own = {"ORION_NB_HOME": str(home), "IPYTHONDIR": str(folder), "PYTHONPATH": PATHS}
        env = {**os.environ, **own, **environ}
        self.manager.start_kernel(env=env, cwd=str(folder), stdout=DEVNULL, stderr=DEVNULL)
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        self._orion: Orion | None = None
        self._early: list[dict[str, Any]] = []

    @property
    def orion(self) -> Orion:
        """The API on the kernel's database."""
        if self._orion is None:
            self._orion = Orion(Settings.load(home=self.home))
        return self._orion

    def send(self, code: str, *, allow_stdin: bool = False, **metadata: str) -> str:
        """The cell is sent to the kernel; its request's id."""
        content = {
            "code": code, "silent": False, "store_history": True, "user_expressions": {},
            "allow_stdin": allow_stdin, "stop_on_error": False,
        }  # fmt: skip
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def wait(self, request: str) -> Ran:
        """What came of a cell that was sent, when it is done."""
        deadline = time.monotonic() + PATIENCE
        early, self._early = self._early, []
        messages = [each for each in early if each["parent_header"].get("msg_id") == request]
        while True:
            message = self._next(self.client.get_iopub_msg, deadline)
            if message["parent_header"].get("msg_id") != request:
                continue
            messages.append(message)
            if message["content"].get("execution_state") == "idle":
                break
        reply = self._next(self.client.get_shell_msg, deadline)
        while reply["parent_header"].get("msg_id") != request:
            reply = self._next(self.client.get_shell_msg, deadline)
        return seen(reply["content"], messages)

    def converse(self, code: str, *answers: str) -> Ran:
        """The cell is run, and each time that it asks for a line it is given the next one."""
        request = self.send(code, allow_stdin=True)
        for answer in answers:
            self._next(self.client.get_stdin_msg, time.monotonic() + PATIENCE)
            self.client.input(answer)
        return self.wait(request)

    def hear(self, text: str) -> None:
        """The cell that was sent has printed the text when this returns."""
        deadline, printed = time.monotonic() + PATIENCE, ""
        while text not in printed:
            self._early.append(self._next(self.client.get_iopub_msg, deadline))
            printed += self._early[-1]["content"].get("text", "")

    def run(self, code: str, **metadata: str) -> Ran:
        """The cell is run; it may fail."""
        return self.wait(self.send(code, **metadata))

    def do(self, code: str, **metadata: str) -> Ran:
        """The cell is run, and has to succeed."""
        ran = self.run(code, **metadata)
        assert ran.ok, ran.traceback or ran.stderr
        return ran

    def value(self, expression: str) -> str:
        """The text of an expression's value in the kernel."""
        return self.do(f"print(({expression}), end='')").stdout

    def complete(self, line: str) -> list[str]:
        """What Tab offers at the end of the line."""
        reply = self.client.complete(line, reply=True, timeout=PATIENCE)
        return list(reply["content"]["matches"])

    def close(self) -> None:
        """The kernel is asked to shut down, and has."""
        if self._orion is not None:
            self._orion.close()
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=False)
        self.manager.context.destroy(linger=0)

    @staticmethod
    def _next(get: Callable[..., Any], deadline: float) -> dict[str, Any]:
        left = max(0.1, deadline - time.monotonic())
        try:
            message: dict[str, Any] = get(timeout=left)
        except queue.Empty:
            raise AssertionError(f"the kernel said nothing for {left:.0f} s") from None
        return message


def seen(reply: dict[str, Any], messages: list[dict[str, Any]]) -> Ran:
    """The messages as outputs: an update changes what it updates, in place."""
    ran, by_id = Ran(reply, messages=messages), {}
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if kind not in ("stream", "display_data", "update_display_data", "execute_result", "error"):
            continue
        display_id = content.get("transient", {}).get("display_id")
        if kind in ("display_data", "update_display_data"):
            ran.shown.append(content["data"])
        if kind == "update_display_data":
            by_id[display_id]["data"] = content["data"]
            continue
        output = {"kind": kind, **content}
        if display_id is not None:
            by_id[display_id] = output
        ran.outputs.append(output)
    return ran


@pytest.fixture(scope="package")
def shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for all tests that leave it as it was, with the extension loaded."""
    kernel = Kernel(tmp_path_factory.mktemp("shared") / "home")
    kernel.do("%load_ext orion_nb")
    kernel.do("from orion_nb import flow, task; import time, asyncio, threading")
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Kernel:
    """The shared kernel; tests use names of their own."""
    return shared_kernel


@pytest.fixture
def new_kernel(tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Starts kernels of the test's own; keyword arguments are environment variables."""
    made: list[Kernel] = []

    def start(**environ: str) -> Kernel:
        made.append(Kernel(tmp_path / "home", **environ))
        return made[-1]

    yield start
    for kernel in made:
        kernel.close()
