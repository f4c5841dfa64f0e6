from __future__ import annotations

import json
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl: apt install curl")


@pytest.fixture
def curl(server, token):
    """What a person types: `curl -X POST .../runs -d '{...}'`, and what comes back."""

    def run(method, path, told=None):
        command = ["curl", "--silent", "--show-error", "--fail-with-body", "-X", method]
        command += ["-H", f"Authorization: token {token}"]
        if told is not None:
            command += ["-H", "Content-Type: application/json", "--data", json.dumps(told)]
        command.append(f"{server.url}/orion/api/v1{path}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


def test_a_run_is_driven_to_completed(curl):
    run = curl("POST", "/runs", {"kind": "task", "name": "by-hand"})
    assert run["state"]["name"] == "Pending"
    state = f"/runs/{run['id']}/state"
    report = curl("POST", state, {"type": "RUNNING"})
    assert (report["status"], report["attempt"]) == ("ACCEPT", 1)
    assert report["token"]
    assert curl("POST", state, {"type": "COMPLETED"})["status"] == "ACCEPT"
    after = curl("GET", f"/runs/{run['id']}")
    assert after["state"]["type"] == "COMPLETED"
    assert "token" not in after


def test_a_failed_run_waits_for_its_retry_and_completes(curl):
    policy = {"retries": 1, "retry_delay": "4s"}
    run = curl("POST", "/runs", {"kind": "task", "name": "by-hand", "policy": policy})
    state = f"/runs/{run['id']}/state"
    curl("POST", state, {"type": "RUNNING"})
    failed = curl("POST", state, {"type": "FAILED", "message": "no route to host"})
    assert failed["status"] == "REJECT"
    assert failed["state"]["name"] == "AwaitingRetry"
    early = curl("POST", state, {"type": "RUNNING"})
    assert early["status"] == "WAIT"
    assert 0 < early["retry_after"] <= 4
    while early["status"] == "WAIT":
        early = curl("POST", state, {"type": "RUNNING"})
    assert (early["status"], early["attempt"]) == ("ACCEPT", 2)
    assert curl("POST", state, {"type": "COMPLETED"})["status"] == "ACCEPT"
    told = curl("GET", f"/runs/{run['id']}/states")["states"]
    assert [each["name"] for each in told] == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "Completed",
    ]  # fmt: skip
    why = curl("GET", f"/runs/{run['id']}/why")
    assert any("no route to host" in line for line in why["summary"])


def test_explain_writes_nothing(curl):
    run = curl("POST", "/runs", {"kind": "task", "name": "by-hand"})
    told = curl("POST", f"/runs/{run['id']}/state?explain=true", {"type": "RUNNING"})
    assert told["status"] == "ACCEPT"
    assert curl("GET", f"/runs/{run['id']}")["state"]["name"] == "Pending"
