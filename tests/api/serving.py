"""A real Jupyter server in a process of its own, that can be killed and started again."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.waiting import until

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-tests"


def free_port() -> int:
    """A port that nobody has; below those that a system gives to clients: none takes it later."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


class Serving:
    """A server on a port of its own; it keeps its data and its port from start to start."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None
        for name in ("root", "runtime", "config", "data"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        return self.folder / "server"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self) -> None:
        command = [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--ServerApp.ip=127.0.0.1"),
            *(f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"),
            *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={self.folder / 'root'}"),
            "--ServerApp.jpserver_extensions={'orion_nb_server': True}",
            *("--ServerApp.allow_root=True", f"--OrionApp.home={self.home}"),
            "--OrionApp.scheduler=False",
        ]
        paths = [ROOT, ROOT / "server_extension", ROOT / "widgets"]
        kept = {name: os.environ[name] for name in os.environ if not name.startswith("ORION_NB_")}
        environ = {
            **kept,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "JUPYTER_NO_CONFIG": "1",
            "HOME": str(self.folder),
        }
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environ, cwd=self.folder, stdout=log, stderr=log
            )
        until(self.answers, "the server does not answer", 150)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(
                "GET", "/orion/api/v1/health", headers={"Authorization": f"token {TOKEN}"}
            )
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """As power loss would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            finally:
                self.kill()
