"""`orion-nb demo --once`: the main job end to end, and nothing left of it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from orion_nb.cli.stage import MARK

pytestmark = pytest.mark.slow


def left_of_demos(temporary: Path) -> list[str]:
    """The command lines of processes of a demo that keeps its files in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes().split(b"\0")
            marked = any(line.startswith(f"{MARK}=".encode()) for line in environ)
            if marked and f"TMPDIR={temporary}".encode() in environ:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_it_shows_two_scheduled_runs_and_a_retry_with_its_why_and_leaves_nothing(
    orion_nb, tmp_path
):
    done = orion_nb("demo", "--once", TMPDIR=str(tmp_path))
    assert done.code == 0, done.out + done.err
    assert "↻ AwaitingRetry" in done.out
    assert "Why was download tried again?" in done.out
    assert "attempt 1 of 3 failed; retry in 1 s" in done.out
    assert re.search(r"↪ retry_failures", done.out)
    assert len(re.findall(r"✔ Completed +weather", done.out)) >= 2
    assert left_of_demos(tmp_path) == []
    assert list(tmp_path.glob("orion-nb-demo-*")) == []


def test_a_signal_ends_it_at_any_moment_and_leaves_nothing(start, tmp_path):
    process = start("demo", "--once", "--json", TMPDIR=str(tmp_path))
    # A run is at work: a kernel has been started by a runner that the server started.
    assert any("◐ Running" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert '"ok": false' in out
    assert left_of_demos(tmp_path) == []
    assert list(tmp_path.glob("orion-nb-demo-*")) == []


def test_a_port_that_is_taken_is_said(orion_nb, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = orion_nb("demo", "--once", "--port", taken.getsockname()[1], TMPDIR=str(tmp_path))
    assert done.code == 6
    assert "error: the Jupyter server ended with code" in done.err
    assert os.listdir(tmp_path) == [] or list(tmp_path.glob("orion-nb-demo-*")) == []
