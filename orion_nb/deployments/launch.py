"""A runner's process is started: detached, so that it outlives whoever started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.environ import child_environ
from orion_nb.deployments.files import LOG, Spec, run_folder
from orion_nb.deployments.standby import NATIVE
from orion_nb.settings import Settings

PROGRAM = Path(__file__).with_name("standby_runner.py")
#: Where the logs are of those who wait; they move into the folders of their runs.
FOLDER = "standby"
#: Seconds after which such a log can't be of one that still waits.
OLD = 24 * 3600.0
#: Bytes of a notebook that is read only to begin with the right kernel.
SOON_READ = 4 * 2**20
#: The kernel of a run that has none: a flow's.
NONE = ""
#: Characters of what a runner said that are shown.
LONGEST = 2000


class StandbyRunner:
    """A process that has imported what a runner needs, with a kernel beside it that has too.

    It executes one run, or none: until it is handed one, it ends with the process that started it.
    """

    def __init__(self, settings: Settings, kernel: str = NATIVE) -> None:
        """It is started. `kernel` is the one that its run will very likely ask for.

        Raises:
            OSError: no file can be written, or no process started.
        """
        self.kernel = kernel
        folder = settings.home / FOLDER
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(".log", dir=folder)
        self._log = Path(name)
        try:
            self.process = subprocess.Popen(
                # -P: a notebook's folder may hold a json.py; it must not become the runner's.
                [sys.executable, "-P", str(PROGRAM), kernel],
                stdin=subprocess.PIPE,
                stdout=handle,
                stderr=subprocess.STDOUT,
                env=child_environ(os.environ, **settings.as_environ()),
                start_new_session=True,
            )
        except BaseException:
            self._log.unlink()
            raise
        finally:
            os.close(handle)

    def hand_over(self, orion: Orion, run_id: str, spec: Spec) -> subprocess.Popen[bytes]:
        """It executes this run from now on; what it has to say is in the folder's log.

        Raises:
            OSError: the folder can't be written.
        """
        folder = run_folder(orion.settings, run_id)
        spec.write(folder)
        _set_aside(folder / LOG)
        self._log.replace(folder / LOG)
        assert self.process.stdin is not None
        with suppress(BrokenPipeError), self.process.stdin as pipe:
            told = {"run": run_id, "api_token": orion.settings.api_token}
            pipe.write(json.dumps(told).encode() + b"\n")
        return self.process  # if it has ended already, whoever waits for it will tell

    def words(self) -> str:
        """What it has said so far, the last of it."""
        try:
            return self._log.read_text("utf-8", "replace")[-LONGEST:].strip()
        except OSError:
            return ""

    def drop(self) -> None:
        """It is not needed: it has ended, and its kernel with it."""
        self.process.kill()  # its kernel hears of it, and ends too
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self._log.unlink(missing_ok=True)


def remove_abandoned_logs(settings: Settings) -> None:
    """The logs of those who waited until they were killed are gone, after a day."""
    for path in (settings.home / FOLDER).glob("*.log"):
        with suppress(OSError):
            if clock.now() / clock.SECOND - path.stat().st_mtime > OLD:
                path.unlink()


@contextmanager
def ahead(settings: Settings, path: str, kernel: str | None) -> Iterator[StandbyRunner | None]:
    """A runner for this notebook is started before all is known; dropped if that is in vain."""
    if not os.path.isfile(path):
        yield None
        return
    runner = StandbyRunner(settings, kernel or kernel_of(path))
    try:
        yield runner
    except BaseException:
        runner.drop()
        raise


def launch(
    orion: Orion, run_id: str, spec: Spec, runner: StandbyRunner | None = None
) -> subprocess.Popen[bytes]:
    """A process that executes this run is started; what it has to say is in its folder's log.

    If `runner` is given, it is that one.

    Raises:
        OSError: the folder can't be written, or no process started.
    """
    if runner is None:
        kernel = spec.kernel or kernel_of(spec.path)
        runner = StandbyRunner(orion.settings, NONE if spec.flow else kernel)
    try:
        return runner.hand_over(orion, run_id, spec)
    except BaseException:
        runner.drop()
        raise


def kernel_of(path: str) -> str:
    """The kernel that a notebook asks for, if that is soon read; else the native one: a guess."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        if os.stat(path).st_size <= SOON_READ:
            told = json.loads(Path(path).read_bytes())["metadata"]["kernelspec"]["name"]
            return str(told or NATIVE)
    return NATIVE


def _set_aside(path: Path) -> None:
    """The log of an earlier runner of this run keeps its place beside the one to come."""
    if path.exists():
        number = 1
        while (kept := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
            number += 1
        path.replace(kept)
