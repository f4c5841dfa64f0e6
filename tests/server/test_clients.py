"""Clients in other languages: what the docs show is run against a server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")
BASH = shutil.which("bash")
WALK = ROOT / "docs/clients/curl.md"


@pytest.mark.skipif(NODE is None, reason="needs node (Debian: nodejs)")
def test_a_run_is_driven_from_node(server, token):
    done = subprocess.run(
        [str(NODE), str(ROOT / "tests/js/client.mjs"), server.url, token],
        capture_output=True, text=True, timeout=150, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["states"] == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Completed",
    ]  # fmt: skip
    assert told["error"] == [422, "InvalidInput", "name"]
    assert (told["once"], told["lost"]) == (1, 3)
    run = server.call("GET", f"/runs/{told['flaky']}").json
    assert (run["attempt"], run["state"]["name"]) == (3, "Completed")
    lines = server.call("GET", f"/runs/{told['flaky']}/logs").json["lines"]
    assert [line["message"] for line in lines] == ["attempt 1", "attempt 2", "attempt 3"]
    why = server.call("GET", f"/runs/{told['flaky']}/why").json
    assert any("TypeError: no route to host" in line for line in why["summary"])


@pytest.mark.skipif(not (BASH and shutil.which("curl") and shutil.which("jq")),
                    reason="needs bash, curl and jq")  # fmt: skip
def test_the_walk_with_curl_ends_where_it_says(server, token):
    """Each line of the page is typed; each answer that it shows is the answer."""
    shown = re.findall(r"^```(?:sh|json)\n(.*?)^```", WALK.read_text(), re.M | re.S)
    commands = re.findall(r"^```sh\n(.*?)^```", WALK.read_text(), re.M | re.S)
    assert len(shown) > len(commands) > 5
    script = "set -euo pipefail\n" + "echo '--- next'\n".join(["", *commands])
    environ = {"PATH": f"{Path(str(BASH)).parent}:/usr/bin:/bin", "HOME": str(server.folder),
               "ORION": f"{server.url}/orion/api/v1", "TOKEN": token}  # fmt: skip
    done = subprocess.run(
        [str(BASH), "-c", script], env=environ, capture_output=True, text=True, timeout=150,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answers = done.stdout.split("--- next\n")[1:]
    for command, wanted, answer in zip(commands, _answers(), answers, strict=True):
        assert wanted is None or json.loads(answer) == json.loads(wanted), command


def _answers():
    """The JSON that follows each block of commands on the page, or None."""
    blocks = re.findall(r"^```(sh|json)\n(.*?)^```", WALK.read_text(), re.M | re.S)
    for (kind, _), (after, text) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "sh":
            yield text if after == "json" else None
