"""A real Jupyter server with the extension, in a process of its own, for the tests of a module."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orion_nb.api.orion import Orion
from orion_nb.settings import Settings
from tests.waiting import PATIENCE, until

TOKEN = "token-of-the-tests"
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
API = "/orion/api/v1"


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookies(self) -> dict[str, str]:
        found = (cookie.partition(";")[0] for cookie in self.headers.get_all("Set-Cookie", []))
        return dict(cookie.split("=", 1) for cookie in found)


@dataclass
class Server:
    """A running server and what it was given."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    base: str
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.folder / "root"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base}"

    def orion(self) -> Orion:
        """The same database from this process."""
        return Orion(Settings.load(environ={}, home=str(self.home)))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        token: str | None = TOKEN,
    ) -> Answer:
        """One request; `path` is under the base URL."""
        shown = {"Authorization": f"token {token}"} if token else {}
        connection = self.connect()
        try:
            connection.request(method, self.base + path, body, {**shown, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def call(self, method: str, path: str, told: Any = None, **more: Any) -> Answer:
        """One request to the API, with JSON."""
        body = None if told is None else json.dumps(told).encode()
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        return self.send(method, API + path, body, headers, **more)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()


@contextmanager
def running(
    folder: Path,
    *options: str,
    base: str = "",
    beside: tuple[str, ...] = (),
    ours: bool = True,
    **environ: str,
) -> Iterator[Server]:
    """A Jupyter server with the extension, its data in `folder`; stopped when it is left.

    `beside` names other extensions to load; unless `ours`, they are loaded alone.
    """
    extensions = {"orion_nb_server": ours, **dict.fromkeys(beside, True)}
    for name in ("root", "runtime", "config", "data"):
        (folder / name).mkdir(exist_ok=True)
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser", "--ServerApp.port=0"),
        *("--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"),
        *(f"--ServerApp.root_dir={folder / 'root'}", f"--ServerApp.base_url={base or '/'}"),
        f"--ServerApp.jpserver_extensions={extensions}",
        *("--ServerApp.allow_root=True", f"--OrionApp.home={folder / 'home'}"),
        *options,
    ]
    if not any("OrionApp.scheduler" in option for option in options):
        command.append("--OrionApp.scheduler=False")
    paths = [ROOT, ROOT / "server_extension", ROOT / "widgets", HERE]
    settings = {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_NO_CONFIG": "1",
        "HOME": str(folder),
    }
    kept = {name: os.environ[name] for name in os.environ if not name.startswith("ORION_NB_")}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**kept, **settings, **environ}, cwd=folder
        )
    try:
        yield Server(process, folder, port_of(process, folder), base)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()


def port_of(process: subprocess.Popen[bytes], folder: Path) -> int:
    """The port the server listens on, once it answers."""
    info = folder / "runtime" / f"jpserver-{process.pid}.json"

    def answers() -> int:
        assert process.poll() is None, (folder / "server.log").read_text()
        try:
            port = int(json.loads(info.read_text())["port"])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, ValueError, http.client.HTTPException):
            return 0
        connection.close()
        return port

    found: int = until(answers, "the server does not answer", 150)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of a module. None of them makes it fail on a request."""
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started
    assert "Traceback" not in started.log


@pytest.fixture(scope="session")
def start_server() -> Callable[..., Any]:
    """Starts a server for as long as a `with` block lasts."""
    return running


@pytest.fixture(scope="session")
def token() -> str:
    return TOKEN


@pytest.fixture(scope="module")
def orion(server: Server) -> Iterator[Orion]:
    """The database the server has, opened by this process."""
    with closing(server.orion()) as opened:
        yield opened


@pytest.fixture
def run(server: Server) -> dict[str, Any]:
    """A fresh task run that is Pending."""
    made = server.call("POST", "/runs", {"kind": "task", "name": "sort"})
    assert made.status == 201
    answer: dict[str, Any] = made.json
    return answer


@pytest.fixture(scope="session")
def notebook() -> Callable[..., Path]:
    """Writes a notebook with these code cells, the first of them its parameters."""

    def write(path: Path, *sources: str, parameters: str = "") -> Path:
        cells = [
            {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "source": source,
             "outputs": [], "execution_count": None}
            for n, source in enumerate((parameters, *sources))
        ]  # fmt: skip
        cells[0]["metadata"] = {"tags": ["parameters"]}
        told = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told))
        return path

    return write
