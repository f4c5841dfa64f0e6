"""`orion-nb server`: a real Jupyter server in the foreground, and gone afterwards."""

from __future__ import annotations

import json
import os
import signal
import urllib.request

import pytest

pytestmark = pytest.mark.slow

# Jupyter refuses to run as root, as it is in many a container.
AS_ROOT = ["--", "--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


@pytest.fixture
def places(tmp_path):
    """Jupyter's folders, away from those of whoever runs the tests."""
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    return {f"JUPYTER_{name}": str(tmp_path / "jupyter" / name.lower()) for name in names}


def test_it_says_where_it_is_once_it_answers_and_leaves_nothing_behind(start, places, tmp_path):
    process = start("server", "--json", "--no-browser", "--root", tmp_path, *AS_ROOT, **places)
    told = json.loads(process.stdout.readline())
    assert process.poll() is None
    with urllib.request.urlopen(told["dashboard"]) as page:
        assert b"<title>Orion</title>" in page.read()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    with pytest.raises(ProcessLookupError):
        os.kill(told["pid"], 0)


@pytest.mark.skipif(not AS_ROOT, reason="only root is refused")
def test_root_is_told_how_to_start_it(orion_nb, places, tmp_path):
    done = orion_nb("server", "--no-browser", "--root", tmp_path, **places)
    assert done.code == 6
    assert "`orion-nb server -- --allow-root`" in done.err


def test_a_server_that_can_not_start_is_exit_code_6(orion_nb, places, tmp_path):
    done = orion_nb("server", "--no-browser", "--root", tmp_path / "nowhere", *AS_ROOT, **places)
    assert done.code == 6
    assert "error: the Jupyter server ended with code" in done.err
    assert "orion-nb doctor" in done.err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--port", 99999), ("--port", -1), ("--host", "192.0.2.1"), ("--host", "no such host")],
)
def test_where_no_server_can_listen_is_said_at_once(call, option, value):
    done = call("server", option, value, "--no-browser")
    assert done.code == 2
    assert option in done.err
    assert "Traceback" not in done.err
