"""Requests that a machine makes up from the OpenAPI document: all answers are as it says.

`ORION_FUZZ=100` makes that many for each operation and tries every corner of each schema, for many
minutes; without it there are only a few.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("schemathesis", reason="needs schemathesis: pip install 'orion-nb[test]'")

EXAMPLES = int(os.environ.get("ORION_FUZZ", "0"))
#: What is checked of each answer. A request that fits the schema may be refused all the same: by
#: the state of a run, say, or because a notebook is not there.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,negative_data_rejection,"
    "use_after_free,unsupported_method,ignored_auth"
)
#: These wait for what others do, or take long by their nature.
LEFT_OUT = r"^/events|^/results/flush|^/live"

pytestmark = pytest.mark.slow


def fuzz(server, *options, phases, examples):
    document = server.folder / "openapi.json"
    document.write_bytes(server.call("GET", "/openapi.json").body)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(document), "--no-color"),
        *("--url", f"{server.url}/orion/api/v1", "--max-examples", str(examples)),
        *("--phases", phases, "--exclude-path-regex", LEFT_OUT, "--continue-on-failure"),
        *("--generation-database", "none", "--suppress-health-check", "all", *options),
    ]
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, cwd=server.folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-40_000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(300 + 120 * EXAMPLES)
def test_answers_are_as_documented(server, token):
    header = f"Authorization: token {token}"
    phases = "examples,coverage,fuzzing,stateful" if EXAMPLES else "examples,fuzzing,stateful"
    told = fuzz(server, "--checks", CHECKS, "-H", header, phases=phases, examples=EXAMPLES or 3)
    assert "Selected" in told


@pytest.mark.timeout(300 + 60 * EXAMPLES)
def test_who_is_not_signed_in_is_told_so(server):
    checks = "not_a_server_error,status_code_conformance,response_schema_conformance"
    told = fuzz(server, "--checks", checks, phases="examples,fuzzing", examples=EXAMPLES or 1)
    assert "Selected" in told
