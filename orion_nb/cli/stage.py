"""The private place of a demo: a folder, a Jupyter server in it, and nothing left afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from orion_nb.cli import jupyter
from orion_nb.deployments.sweeping import marked
from orion_nb.errors import OrionError
from orion_nb.store.listing import RunFilter

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

SAMPLES = Path(__file__).with_name("samples")
#: What every process of one demo has in its environment, and nobody else's.
MARK = "ORION_NB_DEMO"
#: How long runs that are cancelled may take to end, and processes to go (seconds).
PATIENCE = 12.0
LOOK = 0.05


class Stage:
    """A folder with a notebook, a Jupyter server that shows it, and the database both use."""

    def __init__(self, folder: Path, port: int | None, *, lab: bool) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.notebooks = folder / "notebooks"
        self.log = folder / "server.log"
        self.has_lab = lab
        self._mark = secrets.token_hex(8)
        self._port = port
        self._server: jupyter.Server | None = None
        self._orion: Orion | None = None

    @property
    def orion(self) -> Orion:
        """The API in this process, on the database of the server."""
        if self._orion is None:
            from orion_nb.api.connect import connect

            self._orion = connect(label="demo", home=self.home)
        return self._orion

    def copy(self, sample: str) -> Path:
        """A sample notebook is put where the server shows it."""
        self.notebooks.mkdir(exist_ok=True)
        return Path(shutil.copy(SAMPLES / sample, self.notebooks / sample))

    def start(self) -> jupyter.Address:
        """The server runs and answers.

        Raises:
            ServerUnreachable: it does not; `log` says why.
        """
        options = [
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self._port or 0}",
            f"--ServerApp.root_dir={self.notebooks}",
        ]
        if self._port:
            options.append("--ServerApp.port_retries=0")
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--allow-root")  # in a container; it listens on this machine only
        if self.has_lab:
            # Nothing is asked of the network, nor of the person who looks on.
            never = "jupyterlab.NeverCheckForUpdate"
            options += [f"--LabApp.check_for_updates_class={never}", "--LabApp.news_url=None"]
            self._ask_no_questions()
        with self.log.open("wb") as log:
            self._server = jupyter.Server.start(
                options, lab=self.has_lab, environ=self._environ(), cwd=self.notebooks, log=log
            )
        return self._server.wait()

    def check(self) -> None:
        """The server is still there.

        Raises:
            ServerUnreachable: it has ended.
        """
        if self._server is not None and (code := self._server.process.poll()) is not None:
            raise jupyter.ServerUnreachable(f"the Jupyter server ended with code {code}")

    def last_words(self, lines: int = 15) -> str:
        """The end of what the server printed."""
        try:
            told = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(told[-lines:])

    def strike(self) -> None:
        """No run goes on and no process is left; safe to call twice."""
        try:
            if self._orion is not None and not self._orion.database.is_closed:
                with suppress(OrionError):
                    self._end_runs(self._orion)
        finally:
            if self._server is not None:
                self._server.stop()
            if self._orion is not None:
                self._orion.close()
            self._sweep()

    def _ask_no_questions(self) -> None:
        """JupyterLab does not ask whether to fetch news."""
        plugin = "lab/user-settings/@jupyterlab/apputils-extension"
        folder = self.folder / "jupyter" / "config" / plugin
        folder.mkdir(parents=True)
        told = '{"checkForUpdates": false, "doNotDisturbMode": true, "fetchNews": "false"}\n'
        (folder / "notification.jupyterlab-settings").write_text(told, encoding="utf-8")

    def _end_runs(self, orion: Orion) -> None:
        """Deployments create no more runs, and those there are have ended, soon or at all."""
        for deployment in orion.all_deployments()["deployments"]:
            orion.pause_deployment(deployment["id"])
        deadline = time.monotonic() + PATIENCE
        asked: set[str] = set()
        while left := _unfinished(orion):
            for run_id in left - asked:
                with suppress(OrionError):
                    orion.cancel(run_id, why="the demo is over")
            asked |= left
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK)

    def _sweep(self) -> None:
        """Whatever carries our mark is told to go, and then made to."""
        for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            deadline = time.monotonic() + patience
            for pid in marked(MARK, self._mark):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            while any(marked(MARK, self._mark)) and time.monotonic() < deadline:
                time.sleep(LOOK)

    def _environ(self) -> dict[str, str]:
        """Our environment, with Jupyter's and Orion's places in the folder."""
        kept = {name: value for name, value in os.environ.items() if not _is_a_place(name)}
        jupyter_home = self.folder / "jupyter"
        return {
            **kept,
            MARK: self._mark,
            "ORION_NB_HOME": str(self.home),
            "JUPYTER_TOKEN": secrets.token_hex(16),
            "JUPYTER_CONFIG_DIR": str(jupyter_home / "config"),
            "JUPYTER_DATA_DIR": str(jupyter_home / "data"),
            "JUPYTER_RUNTIME_DIR": str(jupyter_home / "runtime"),
            "IPYTHONDIR": str(jupyter_home / "ipython"),
        }


@contextmanager
def staged(port: int | None) -> Iterator[Stage]:
    """A stage; afterwards nothing of it is left, neither a process nor its folder."""
    with TemporaryDirectory(prefix="orion-nb-demo-", ignore_cleanup_errors=True) as folder:
        stage = Stage(Path(folder).resolve(), port, lab=jupyter.has_lab())
        try:
            yield stage
        finally:
            stage.strike()


def _unfinished(orion: Orion) -> set[str]:
    runs = orion.list_runs(RunFilter(kind="flow"), 200)
    return {run.id for run in runs if not run.state.is_terminal}


def _is_a_place(name: str) -> bool:
    return name.startswith(("ORION_NB_", "JUPYTER", "IPYTHONDIR", "JPY_"))
