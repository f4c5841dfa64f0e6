"""A runner's process is started: detached, so that it outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys

from orion_nb.api.orion import Orion
from orion_nb.deployments.files import LOG, Spec, run_folder


def launch(orion: Orion, run_id: str, spec: Spec) -> subprocess.Popen[bytes]:
    """A process that executes this run is started; what it has to say is in its folder's log.

    Raises:
        OSError: the folder can't be written, or no process started.
    """
    folder = run_folder(orion.settings, run_id)
    spec.write(folder)
    handle = os.open(folder / LOG, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            # -P: a notebook's folder may hold a json.py; it must not become the runner's.
            [sys.executable, "-P", "-m", "orion_nb.deployments.runner", run_id],
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=subprocess.STDOUT,
            env={**os.environ, **orion.settings.as_environ()},
            start_new_session=True,
        )
    finally:
        os.close(handle)
